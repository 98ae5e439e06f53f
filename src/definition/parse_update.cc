#include "definition/parse.h"
#include "definition/regex.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr std::string_view kStripPrefix = "what stands before the version in a tag",
                           kStripSuffix = "what stands behind it", kPrefix = "only tags that begin so",
                           kContains = "only tags that contain this", kPattern = "regular expression",
                           kReplacement = "what takes the place of a match: $1 stands for a group";

Result<> check_period(const Value& value, Update& out) {
  if (!value.node->find("schedule")) return {};
  for (const char* known : {"daily", "weekly", "monthly"})
    if (out.schedule_period == known) return {};
  return Value{value.tree, value.node->find("schedule")}
      .invalid("unknown period '{}'", out.schedule_period)
      .hint("daily, weekly or monthly");
}

Result<> check_number(const Value& value, Update::ReleaseMonitor& out) {
  if (out.identifier.empty()) return value.invalid("release-monitor needs an 'identifier'");
  const Value where{value.tree, value.node->find("identifier")};
  TRY(where.number<std::int64_t>(), "reading 'identifier' of release-monitor");
  return {};
}

/// `schedule` lives flat in Update.
struct Schedule {
  std::string period, reason;
};

}  // namespace

template <>
const Table<Update::GitHub>& table_of() {
  using T = Update::GitHub;
  static const Table<T> kTable{
      "github",
      {must<&T::identifier>("identifier", "owner/name"), row<&T::strip_prefix>("strip-prefix", kStripPrefix),
       row<&T::strip_suffix>("strip-suffix", kStripSuffix), row<&T::tag_filter>("tag-filter", kPrefix),
       row<&T::tag_filter_prefix>("tag-filter-prefix", kPrefix),
       row<&T::tag_filter_contains>("tag-filter-contains", kContains),
       row<&T::use_tag>("use-tag", "tags instead of releases")},
      [](const Value& value, T& out) -> Result<> {
        if (!out.identifier.empty()) return {};
        return value.invalid("github needs an 'identifier'").hint("identifier: owner/name");
      }};
  return kTable;
}

template <>
const Table<Update::Git>& table_of() {
  using T = Update::Git;
  static const Table<T> kTable{
      "git",
      {row<&T::strip_prefix>("strip-prefix", kStripPrefix), row<&T::strip_suffix>("strip-suffix", kStripSuffix),
       row<&T::tag_filter_prefix>("tag-filter-prefix", kPrefix),
       row<&T::tag_filter_contains>("tag-filter-contains", kContains)}};
  return kTable;
}

template <>
const Table<Update::Oci>& table_of() {
  using T = Update::Oci;
  static const Table<T> kTable{
      "oci",
      {must<&T::identifier>("identifier", "repository of images"),
       row<&T::strip_prefix>("strip-prefix", kStripPrefix), row<&T::strip_suffix>("strip-suffix", kStripSuffix),
       row<&T::tag_filter_prefix>("tag-filter-prefix", kPrefix),
       row<&T::tag_filter_contains>("tag-filter-contains", kContains)}};
  return kTable;
}

template <>
const Table<Update::ReleaseMonitor>& table_of() {
  using T = Update::ReleaseMonitor;
  Field<T> identifier = must<&T::identifier>("identifier", "number of the project");
  identifier.shape = Shape::kNumber;
  static const Table<T> kTable{
      "release-monitor",
      {identifier, row<&T::strip_prefix>("strip-prefix", kStripPrefix),
       row<&T::strip_suffix>("strip-suffix", kStripSuffix),
       row<&T::version_filter_prefix>("version-filter-prefix", "only versions that begin so"),
       row<&T::version_filter_contains>("version-filter-contains", "only versions that contain this")},
      check_number};
  return kTable;
}

template <>
const Table<Update::VersionSource>& table_of() {
  using T = Update::VersionSource;
  static const Table<T> kTable{"a source of versions",
                               {must<&T::name>("name"), must<&T::stream>("stream"), row<&T::ignore>("ignore"),
                                row<&T::commit_source>("commit_source"), row<&T::use_release>("use_release")}};
  return kTable;
}

template <>
const Table<Update::VersionData>& table_of() {
  using T = Update::VersionData;
  static const Table<T> kTable{"version_data", {must<&T::format>("version_format"), list<&T::sources>("sources")}};
  return kTable;
}

template <>
const Table<Update::Transform>& table_of() {
  using T = Update::Transform;
  static const Table<T> kTable{"a version transform",
                               {must<&T::match>("match", kPattern), must<&T::replace>("replace", kReplacement)},
                               [](const Value& value, T& out) -> Result<> {
                                 if (auto fine = matches("", out.match); !fine)
                                   return std::move(fine).error().at(value.place());
                                 return {};
                               }};
  return kTable;
}

template <>
const Table<Schedule>& table_of() {
  static const Table<Schedule> kTable{"schedule",
                                      {row<&Schedule::period>("period", "how often", "daily weekly monthly"),
                                       row<&Schedule::reason>("reason", "why not at every release")}};
  return kTable;
}

template <>
const Table<Update>& table_of() {
  using T = Update;
  static const Table<T> kTable{
      "update",
      {must<&T::enabled>("enabled", "whether new releases are proposed"),
       row<&T::manual>("manual", "a person makes the change"),
       row<&T::require_sequential>("require-sequential", "one release after the other, none left out"),
       row<&T::shared>("shared", "definitions with the same upstream move together"),
       row<&T::version_separator>("version-separator", "what stands for the dot in tags"),
       {{"ignore-regex-patterns", Shape::kTexts, "tags that match one of these do not count"},
        [](const Value& value, const Scope*, T& out) -> Result<> {
          const std::vector<Value> items = TRY(value.list());
          for (const Value& item : items) {
            std::string pattern = TRY(item.text());
            if (auto fine = matches("", pattern); !fine) return std::move(fine).error().at(item.place());
            out.ignore_regex_patterns.push_back(std::move(pattern));
          }
          return {};
        }},
       maybe<&T::release_monitor>("release-monitor", "releases as release-monitoring knows them"),
       maybe<&T::github>("github", "releases or tags of a GitHub repository"),
       maybe<&T::git>("git", "tags of the repository that git-checkout names"),
       maybe<&T::oci>("oci", "tags of an image"),
       maybe<&T::version_data>("version_data", "streams of versions from elsewhere"),
       list<&T::version_transform>("version-transform", "changes that make a version of a tag"),
       row<&T::exclude_reason>("exclude-reason", "why updates are off"),
       {{"schedule", Shape::kMapping, "when to look", info_of<Schedule>},
        [](const Value& value, const Scope* scope, T& out) -> Result<> {
          Schedule schedule;
          TRY(read_mapping(value, scope, schedule));
          out.schedule_period = std::move(schedule.period);
          out.schedule_reason = std::move(schedule.reason);
          return {};
        }},
       row<&T::enable_prerelease_tags>("enable-prerelease-tags", "releases before a release count")},
      check_period};
  return kTable;
}

}  // namespace nacre::definition
