#include "advisory/osv.h"

#include "advisory/cvss.h"
#include "advisory/document.h"
#include "advisory/version_order.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <cctype>

namespace nacre::advisory {
namespace {

using codec::Json;

std::optional<OsvRange> read_range(const Json& json) {
  OsvRange out;
  const std::string& type = json["type"].as_string();
  if (type == "SEMVER") out.type = OsvRange::Type::kSemver;
  else if (type == "ECOSYSTEM") out.type = OsvRange::Type::kEcosystem;
  else if (type == "GIT") out.type = OsvRange::Type::kGit;
  else return std::nullopt;
  out.repository = json["repo"].as_string();
  for (const Json& event : json["events"].items())
    for (const auto& [key, value] : event.members()) {
      const OsvEvent::Kind kind = key == "introduced"      ? OsvEvent::Kind::kIntroduced
                                  : key == "fixed"         ? OsvEvent::Kind::kFixed
                                  : key == "last_affected" ? OsvEvent::Kind::kLastAffected
                                                           : OsvEvent::Kind::kLimit;
      if (kind == OsvEvent::Kind::kLimit && key != "limit") continue;
      if (value.is_string()) out.events.push_back({kind, value.as_string()});
    }
  return out;
}

const char* type_name(OsvRange::Type type) {
  switch (type) {
    case OsvRange::Type::kSemver: return "SEMVER";
    case OsvRange::Type::kEcosystem: return "ECOSYSTEM";
    case OsvRange::Type::kGit: return "GIT";
  }
  return "";
}

const char* key_of(OsvEvent::Kind kind) {
  switch (kind) {
    case OsvEvent::Kind::kIntroduced: return "introduced";
    case OsvEvent::Kind::kFixed: return "fixed";
    case OsvEvent::Kind::kLastAffected: return "last_affected";
    case OsvEvent::Kind::kLimit: return "limit";
  }
  return "";
}

void read_severity(const Json& json, OsvRecord& out) {
  for (const Json& row : json["severity"].items())
    if (const auto score = cvss3_base_score(row["score"].as_string()))
      out.score = std::max(out.score.value_or(0.0), *score);
  // Of compact_osv().
  if (const double score = json["score"].as_double(-1); score >= 0 && score <= 10) out.score = score;
  if (out.score) out.severity = severity_of_score(*out.score);
  if (out.severity.empty()) out.severity = severity_word(json["database_specific"]["severity"].as_string());
}

/// A range's events in the order of its versions.
struct Ordered {
  std::vector<const OsvEvent*> events;
  std::string fault;  ///< A version that is none.
};

Ordered in_order(const OsvRange& range, VersionOrder order) {
  Ordered out;
  for (const OsvEvent& event : range.events) {
    if (event.version != "0" && !compare(order, event.version, event.version) && event.version != "*")
      out.fault = event.version;
    out.events.push_back(&event);
  }
  if (!out.fault.empty()) return out;
  const auto before = [&](const OsvEvent* a, const OsvEvent* b) {
    if (a->version == b->version) return a->kind < b->kind;
    if (a->version == "0" || b->version == "0") return a->version == "0";
    if (a->version == "*" || b->version == "*") return b->version == "*";
    return *compare(order, a->version, b->version) < 0;
  };
  std::stable_sort(out.events.begin(), out.events.end(), before);
  return out;
}

/// One range, both ends by `order`.
Verdict judge_range(const OsvRange& range, VersionOrder order, std::string_view version) {
  const Ordered ordered = in_order(range, order);
  if (!ordered.fault.empty())
    return {
        Verdict::Kind::kUnsure, {}, fmt::format("'{}' in its range is no {} version", ordered.fault, name_of(order))};
  bool inside = false;
  std::string fixed;
  for (const OsvEvent* event : ordered.events) {
    const bool zero = event->version == "0", all = event->version == "*";
    const std::weak_ordering at = zero  ? std::weak_ordering::greater
                                  : all ? std::weak_ordering::less
                                        : *compare(order, version, event->version);
    switch (event->kind) {
      case OsvEvent::Kind::kIntroduced:
        if (at >= 0) inside = true;
        break;
      case OsvEvent::Kind::kFixed:
        if (at >= 0) inside = false;
        else if (inside && fixed.empty()) fixed = event->version;
        break;
      case OsvEvent::Kind::kLastAffected:
        if (at > 0) inside = false;
        break;
      case OsvEvent::Kind::kLimit:
        if (at >= 0) inside = false;
        break;
    }
  }
  if (!inside) return {};
  return {Verdict::Kind::kAffected, fixed, {}};
}

/// A fix of another range ("versions" alone tells that it is affected): the least that is above.
std::string next_fix(const OsvAffected& affected, VersionOrder order, std::string_view version) {
  std::string out;
  for (const OsvRange& range : affected.ranges) {
    if (range.type == OsvRange::Type::kGit) continue;
    for (const OsvEvent& event : range.events) {
      if (event.kind != OsvEvent::Kind::kFixed) continue;
      const auto above = compare(order, event.version, version);
      if (!above || *above <= 0) continue;
      const auto less = out.empty() ? std::nullopt : compare(order, event.version, out);
      if (out.empty() || (less && *less < 0)) out = event.version;
    }
  }
  return out;
}

bool is_listed(const OsvAffected& affected, VersionOrder order, std::string_view version) {
  for (const std::string& each : affected.versions) {
    if (each == version) return true;
    if (order == VersionOrder::kUnknown) continue;
    const auto same = compare(order, each, version);
    if (same && *same == 0) return true;
  }
  return false;
}

Verdict judge_commits(const OsvAffected& affected, const OsvRange& range) {
  if (affected.versions.empty()) return {Verdict::Kind::kUnsure, {}, "it names commits alone, and lists no version"};
  const bool ends = std::any_of(range.events.begin(), range.events.end(), [](const OsvEvent& event) {
    return event.kind == OsvEvent::Kind::kFixed || event.kind == OsvEvent::Kind::kLastAffected;
  });
  if (ends) return {};
  return {Verdict::Kind::kUnsure, {}, "it lists other versions, and knows no commit that fixes it"};
}

}  // namespace

Result<OsvRecord> read_osv(const Json& json) {
  OsvRecord out;
  out.id = TRY(json.string_at("id"));
  const std::string modified = TRY(json.string_at("modified"));
  out.modified = TRY(parse_time(modified), "reading the date of {}", out.id);
  out.withdrawn = !json["withdrawn"].as_string().empty();
  out.summary = json["summary"].as_string();
  for (const char* key : {"aliases", "upstream"})
    for (const std::string& alias : json[key].as_strings())
      if (std::find(out.aliases.begin(), out.aliases.end(), alias) == out.aliases.end()) out.aliases.push_back(alias);
  read_severity(json, out);
  for (const Json& row : json["affected"].items()) {
    OsvAffected affected;
    affected.ecosystem = row["package"]["ecosystem"].as_string();
    affected.name = row["package"]["name"].as_string();
    affected.versions = row["versions"].as_strings();
    affected.severity = severity_word(row["ecosystem_specific"]["severity"].as_string());
    for (const Json& part : row["ranges"].items())
      if (auto range = read_range(part)) affected.ranges.push_back(*std::move(range));
    out.affected.push_back(std::move(affected));
  }
  return out;
}

Json compact_osv(const OsvRecord& record) {
  Json out, list = Json::array();
  out.set("id", record.id).set("modified", os::rfc3339(record.modified)).set("summary", record.summary);
  out.set("aliases", Json::strings(record.aliases));
  if (record.withdrawn) out.set("withdrawn", "yes");
  if (!record.severity.empty()) out.set("database_specific", Json().set("severity", record.severity));
  if (record.score) out.set("score", *record.score);
  for (const OsvAffected& affected : record.affected) {
    Json row, ranges = Json::array();
    row.set("package", Json().set("ecosystem", affected.ecosystem).set("name", affected.name));
    for (const OsvRange& range : affected.ranges) {
      Json part, events = Json::array();
      part.set("type", type_name(range.type));
      if (!range.repository.empty()) part.set("repo", range.repository);
      for (const OsvEvent& event : range.events) events.push(Json().set(key_of(event.kind), event.version));
      ranges.push(part.set("events", std::move(events)));
    }
    row.set("ranges", std::move(ranges)).set("versions", Json::strings(affected.versions));
    if (!affected.severity.empty()) row.set("ecosystem_specific", Json().set("severity", affected.severity));
    list.push(std::move(row));
  }
  return out.set("affected", std::move(list));
}

Verdict judge_version(const OsvAffected& affected, std::string_view version) {
  const VersionOrder of_ecosystem = order_of_ecosystem(affected.ecosystem);
  if (is_listed(affected, of_ecosystem, version))
    return {Verdict::Kind::kAffected, next_fix(affected, of_ecosystem, version), {}};
  Verdict out;
  for (const OsvRange& range : affected.ranges) {
    Verdict one;
    const VersionOrder order = range.type == OsvRange::Type::kSemver ? VersionOrder::kSemver : of_ecosystem;
    if (range.type == OsvRange::Type::kGit)
      // Ranges of versions beside it say more.
      one = affected.ecosystem.empty() || affected.ranges.size() == 1 ? judge_commits(affected, range) : Verdict{};
    else if (order == VersionOrder::kUnknown)
      one = {
          Verdict::Kind::kUnsure, {}, fmt::format("the order of versions of {} is not known here", affected.ecosystem)};
    else if (!compare(order, version, version))
      one = {Verdict::Kind::kUnsure, {}, fmt::format("'{}' is no {} version", version, name_of(order))};
    else one = judge_range(range, order, version);
    if (one.kind == Verdict::Kind::kAffected) return one;
    if (one.kind == Verdict::Kind::kUnsure) out = std::move(one);
  }
  return out;
}

std::string repository_key(std::string_view address) {
  if (const std::size_t scheme = address.find("://"); scheme != std::string_view::npos)
    address.remove_prefix(scheme + 3);
  if (const std::size_t user = address.find('@'); user != std::string_view::npos && user < address.find('/'))
    address.remove_prefix(user + 1);
  while (address.ends_with('/')) address.remove_suffix(1);
  if (address.ends_with(".git")) address.remove_suffix(4);
  std::string out;
  for (const char c : address) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace nacre::advisory
