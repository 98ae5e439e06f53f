#include "definition/parse.h"
#include "definition/regex.h"

namespace nacre::definition {
namespace {

Result<> parse_github(const Value& value, Update& out) {
  Update::GitHub& github = out.github.emplace_back();
  Fields fields = TRY(Fields::of(value, "github"));
  TRY(fields.text("identifier", github.identifier));
  TRY(fields.text("strip-prefix", github.strip_prefix));
  TRY(fields.text("strip-suffix", github.strip_suffix));
  TRY(fields.text("tag-filter", github.tag_filter));
  TRY(fields.text("tag-filter-prefix", github.tag_filter_prefix));
  TRY(fields.text("tag-filter-contains", github.tag_filter_contains));
  TRY(fields.flag("use-tag", github.use_tag));
  TRY(fields.done());
  if (github.identifier.empty())
    return value.invalid("github needs an 'identifier'").hint("identifier: owner/name");
  return {};
}

Result<> parse_git(const Value& value, Update& out) {
  Update::Git& git = out.git.emplace_back();
  Fields fields = TRY(Fields::of(value, "git"));
  TRY(fields.text("strip-prefix", git.strip_prefix));
  TRY(fields.text("strip-suffix", git.strip_suffix));
  TRY(fields.text("tag-filter-prefix", git.tag_filter_prefix));
  TRY(fields.text("tag-filter-contains", git.tag_filter_contains));
  return fields.done();
}

Result<> parse_release_monitor(const Value& value, Update& out) {
  Update::ReleaseMonitor& monitor = out.release_monitor.emplace_back();
  Fields fields = TRY(Fields::of(value, "release-monitor"));
  TRY(fields.text("identifier", monitor.identifier));
  TRY(fields.text("strip-prefix", monitor.strip_prefix));
  TRY(fields.text("strip-suffix", monitor.strip_suffix));
  TRY(fields.text("version-filter-prefix", monitor.version_filter_prefix));
  TRY(fields.text("version-filter-contains", monitor.version_filter_contains));
  TRY(fields.done());
  if (monitor.identifier.empty()) return value.invalid("release-monitor needs an 'identifier'");
  return {};
}

Result<> parse_schedule(const Value& value, Update& out) {
  Fields fields = TRY(Fields::of(value, "schedule"));
  TRY(fields.text("period", out.schedule_period));
  TRY(fields.text("reason", out.schedule_reason));
  TRY(fields.done());
  for (const char* known : {"daily", "weekly", "monthly"})
    if (out.schedule_period == known) return {};
  return value.invalid("unknown period '{}'", out.schedule_period).hint("daily, weekly or monthly");
}

Result<> parse_transforms(const Value& value, Update& out) {
  const std::vector<Value> list = TRY(value.list(), "reading 'version-transform'");
  for (const Value& item : list) {
    Update::Transform& transform = out.version_transform.emplace_back();
    Fields fields = TRY(Fields::of(item, "a version transform"));
    TRY(fields.text("match", transform.match));
    TRY(fields.text("replace", transform.replace));
    TRY(fields.done());
    if (auto fine = matches("", transform.match); !fine)
      return std::move(fine).error().at(item.place());
  }
  return {};
}

Result<> parse_ignored(const Value& value, Update& out) {
  const std::vector<Value> list = TRY(value.list(), "reading 'ignore-regex-patterns'");
  for (const Value& item : list) {
    std::string pattern = TRY(item.text());
    if (auto fine = matches("", pattern); !fine) return std::move(fine).error().at(item.place());
    out.ignore_regex_patterns.push_back(std::move(pattern));
  }
  return {};
}

}  // namespace

Result<> parse_update(const Value& value, Update& out) {
  out.present = true;
  Fields fields = TRY(Fields::of(value, "update"));
  TRY(fields.flag("enabled", out.enabled));
  TRY(fields.flag("manual", out.manual));
  TRY(fields.flag("shared", out.shared));
  TRY(fields.flag("require-sequential", out.require_sequential));
  TRY(fields.flag("enable-prerelease-tags", out.enable_prerelease_tags));
  TRY(fields.text("exclude-reason", out.exclude_reason));
  TRY(fields.text("version-separator", out.version_separator));
  if (const auto github = fields.find("github")) TRY(parse_github(*github, out));
  if (const auto git = fields.find("git")) TRY(parse_git(*git, out));
  if (const auto monitor = fields.find("release-monitor"))
    TRY(parse_release_monitor(*monitor, out));
  if (const auto schedule = fields.find("schedule")) TRY(parse_schedule(*schedule, out));
  if (const auto transforms = fields.find("version-transform"))
    TRY(parse_transforms(*transforms, out));
  if (const auto ignored = fields.find("ignore-regex-patterns")) TRY(parse_ignored(*ignored, out));
  // Known to the reference; no source of releases of ours.
  fields.skip({"oci", "version_data"});
  return fields.done();
}

}  // namespace nacre::definition
