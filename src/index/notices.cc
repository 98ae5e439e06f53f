#include "index/notices.h"

#include "index/fields.h"
#include "index/records.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::index {
namespace {

using codec::Json;

constexpr std::string_view kKind = "notice";

std::string prefix_of(Edition edition, Notice::Kind kind) {
  return fmt::format("{}/{}/", name_of(edition), name_of(kind));
}

std::string key_of(Edition edition, const Notice& notice) {
  return fmt::format("{}{}={}", prefix_of(edition, notice.kind), notice.package, notice.version);
}

Result<> put(store::State& state, Edition edition, const Notice& notice) {
  Json json;
  json.set("package", notice.package).set("version", notice.version).set("reason", notice.reason);
  json.set("serial", notice.serial).set("since", notice.since).set("until", notice.until);
  return state.put(kKind, key_of(edition, notice), codec::to_json(json));
}

Result<Notice> notice_from(const std::string& text, Notice::Kind kind, const std::string& key) {
  const Json json = TRY(codec::parse_json(text, key));
  Fields fields = TRY(Fields::of(json, key));
  Notice out;
  out.kind = kind;
  out.package = TRY(fields.word("package"));
  out.version = TRY(fields.text("version"));
  out.reason = TRY(fields.text("reason"));
  out.serial = TRY(fields.count("serial"));
  out.since = TRY(fields.time("since"));
  out.until = TRY(fields.time("until"));
  TRY(fields.finish());
  return out;
}

}  // namespace

std::string_view name_of(Notice::Kind kind) { return kind == Notice::Kind::kWithdrawn ? "withdrawn" : "end-of-life"; }

Json to_json(const Notice& notice) {
  Json out;
  out.set("kind", name_of(notice.kind)).set("package", notice.package);
  if (!notice.version.empty()) out.set("version", notice.version);
  out.set("reason", notice.reason).set("since", os::rfc3339(notice.since));
  if (notice.serial > 0) out.set("serial", notice.serial);
  if (notice.until > 0) out.set("until", os::rfc3339(notice.until));
  return out;
}

std::string render(const Notice& notice) {
  const std::string day = os::rfc3339(notice.since).substr(0, 10);
  if (notice.kind == Notice::Kind::kWithdrawn)
    return fmt::format("{}={} was withdrawn in serial {}, {}: {}", notice.package, notice.version, notice.serial, day,
                       notice.reason);
  const std::string until =
      notice.until > 0 ? " (published until " + os::rfc3339(notice.until).substr(0, 10) + ")" : "";
  return fmt::format("{} came to its end of life on {}{}: {}", notice.package, day, until, notice.reason);
}

Result<> give_notice(Env& env, Edition edition, const Notice& notice) {
  return put(env.store.state(), edition, notice);
}

Result<> take_notice_back(Env& env, Edition edition, const Notice& notice) {
  return env.store.state().erase(kKind, key_of(edition, notice));
}

Result<> set_ended_streams(Env& env, Edition edition, const std::vector<Notice>& notices) {
  store::State& state = env.store.state();
  const auto work = [&]() -> Result<> {
    const auto rows = TRY(state.list(kKind, prefix_of(edition, Notice::Kind::kEndOfLife)));
    for (const auto& [key, text] : rows) TRY(state.erase(kKind, key));
    for (const Notice& notice : notices) TRY(put(state, edition, notice));
    return {};
  };
  return state.transaction(work);
}

Result<std::vector<Notice>> list_notices(Env& env, Edition edition) {
  std::vector<Notice> out;
  const std::optional<std::uint64_t> newest = TRY(head_number(env, edition));
  for (const auto kind : {Notice::Kind::kWithdrawn, Notice::Kind::kEndOfLife}) {
    const auto rows = TRY(env.store.state().list(kKind, prefix_of(edition, kind)));
    for (const auto& [key, text] : rows) {
      Notice notice = TRY(notice_from(text, kind, key));
      // Of a serial that was never published: a crash came between.
      if (notice.serial <= newest.value_or(0)) out.push_back(std::move(notice));
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const Notice& a, const Notice& b) { return a.package < b.package; });
  return out;
}

std::vector<Notice> notices_about(std::span<const Notice> notices, std::span<const std::string> packages) {
  std::vector<Notice> out;
  for (const Notice& notice : notices) {
    const auto is_meant = [&](const std::string& package) {
      return notice.version.empty() ? package.starts_with(notice.package + "=")
                                    : package == notice.package + "=" + notice.version;
    };
    if (std::any_of(packages.begin(), packages.end(), is_meant)) out.push_back(notice);
  }
  return out;
}

Result<std::vector<std::string>> withdrawn_in(Env& env, const Serial& serial) {
  std::vector<std::string> packages, out;
  for (const SerialPackage& package : serial.packages)
    packages.push_back(package.record.name + "=" + package.record.version);
  const std::vector<Notice> all = TRY(list_notices(env, serial.edition));
  for (const Notice& notice : notices_about(all, packages))
    if (notice.kind == Notice::Kind::kWithdrawn) out.push_back(render(notice));
  return out;
}

Result<> end_notices(store::State& state, const Serial& next) {
  if (next.rolled_back_to != 0) return {};
  const std::string prefix = prefix_of(next.edition, Notice::Kind::kWithdrawn);
  const auto rows = TRY(state.list(kKind, prefix));
  if (rows.empty()) return {};
  for (const SerialPackage& package : next.packages) {
    const std::string key = fmt::format("{}{}={}", prefix, package.record.name, package.record.version);
    const auto is_it = [&](const auto& row) { return row.first == key; };
    if (std::any_of(rows.begin(), rows.end(), is_it)) TRY(state.erase(kKind, key));
  }
  return {};
}

}  // namespace nacre::index
