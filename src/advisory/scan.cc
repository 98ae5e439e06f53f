#include "advisory/scan.h"

#include "advisory/cvss.h"
#include "advisory/version_order.h"
#include "apk/version.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace nacre::advisory {
namespace {

using codec::Json;

/// OSV's ecosystem of a distribution's packages; empty: it has none.
std::string ecosystem_of_distribution(std::string_view distribution) {
  if (distribution == "wolfi") return "Wolfi";
  if (distribution == "chainguard") return "Chainguard";
  return distribution == "alpine" ? "Alpine" : "";
}

std::string best_name(const std::vector<std::string>& ids) {
  for (const std::string_view prefix : {"CVE-", "GHSA-"})
    for (const std::string& id : ids)
      if (id.starts_with(prefix)) return id;
  return ids.front();
}

/// Gathers matches of one package: records on one component that share a name become one.
class Gatherer {
 public:
  Gatherer(const PackageInput& package, std::vector<Match>& out) : package_(package), out_(out), first_(out.size()) {}

  void add(const Component& component, const OsvRecord& record, const OsvAffected* affected, const Verdict& verdict) {
    if (verdict.kind == Verdict::Kind::kNot) return;
    Match match;
    match.package = package_.parts.name;
    match.origin = package_.parts.origin;
    match.version = package_.parts.version;
    match.component = component;
    match.ids = record.aliases;
    match.ids.push_back(record.id);
    match.summary = record.summary;
    match.severity = record.severity.empty() && affected != nullptr ? affected->severity : record.severity;
    match.score = record.score;
    match.fixed = verdict.fixed;
    match.sure = verdict.kind == Verdict::Kind::kAffected;
    match.reason = verdict.reason;
    merge(std::move(match));
  }

 private:
  static bool share(const Match& a, const Match& b) {
    return std::any_of(a.ids.begin(), a.ids.end(),
                       [&](const std::string& id) { return std::find(b.ids.begin(), b.ids.end(), id) != b.ids.end(); });
  }

  void merge(Match match) {
    for (std::size_t i = first_; i < out_.size(); ++i) {
      Match& other = out_[i];
      const bool same = other.component.ecosystem == match.component.ecosystem &&
                        other.component.name == match.component.name && other.component.path == match.component.path;
      if (!same || !share(other, match)) continue;
      std::set<std::string> ids(other.ids.begin(), other.ids.end());
      ids.insert(match.ids.begin(), match.ids.end());
      if (match.sure && !other.sure) std::swap(other, match);
      other.ids.assign(ids.begin(), ids.end());
      if (other.fixed.empty()) other.fixed = match.fixed;
      if (other.summary.empty()) other.summary = match.summary;
      if (!other.score) other.score = match.score;
      if (severity_rank(match.severity) > severity_rank(other.severity)) other.severity = match.severity;
      return;
    }
    std::sort(match.ids.begin(), match.ids.end());
    match.ids.erase(std::unique(match.ids.begin(), match.ids.end()), match.ids.end());
    out_.push_back(std::move(match));
  }

  const PackageInput& package_;
  std::vector<Match>& out_;
  std::size_t first_;
};

/// "1:1.3.dfsg+really1.3.2-4" without epoch and revision, repacking marks and what they hide.
std::string upstream_part(std::string_view version) {
  if (const std::size_t colon = version.find(':'); colon != std::string_view::npos) version.remove_prefix(colon + 1);
  version = version.substr(0, version.rfind('-'));
  if (const std::size_t really = version.find("+really"); really != std::string_view::npos)
    return std::string(version.substr(really + 7));
  for (const std::string_view mark : {"+dfsg", ".dfsg", "~dfsg", "+ds", "+repack", "+nmu"})
    version = version.substr(0, version.find(mark));
  return std::string(version);
}

/// Debian's record on an upstream that is ours, too. The suite with the newest fix tells: older ones carry patches.
Verdict judge_debian(const OsvRecord& record, const std::string& name, const std::string& upstream) {
  std::string newest;
  bool unfixed = false;
  for (const OsvAffected& affected : record.affected) {
    if (!affected.ecosystem.starts_with("Debian") || affected.name != name) continue;
    std::string fixed;
    for (const OsvRange& range : affected.ranges)
      for (const OsvEvent& event : range.events)
        if (event.kind == OsvEvent::Kind::kFixed) fixed = event.version;
    if (fixed.empty()) {
      unfixed = true;
      continue;
    }
    const auto order = newest.empty() ? std::nullopt : compare(VersionOrder::kDebian, fixed, newest);
    if (newest.empty() || (order && *order > 0)) newest = fixed;
  }
  if (newest == "0") return {};
  if (newest.empty())
    return {Verdict::Kind::kUnsure, {}, unfixed ? "Debian knows no release that fixes it" : "Debian says no version"};
  const std::string fix = upstream_part(newest);
  const auto order = compare(VersionOrder::kDebian, upstream, fix);
  if (!order) return {Verdict::Kind::kUnsure, {}, fmt::format("'{}' and '{}' cannot be compared", upstream, fix)};
  if (*order > 0) return {};
  if (*order < 0) return {Verdict::Kind::kAffected, fix, {}};
  return {Verdict::Kind::kUnsure, {}, fmt::format("Debian fixed it in {}, which may be a patch of its own", newest)};
}

Result<> match_component(const Component& component, const OsvIndex& index, Gatherer& out) {
  const std::vector<OsvHit> hits =
      TRY(component.ecosystem == "GIT" ? index.on_repository(component.name)
                                       : index.on_package(component.ecosystem, component.name));
  for (const OsvHit& hit : hits) {
    if (hit.affected >= hit.record.affected.size()) continue;
    const OsvAffected& affected = hit.record.affected[hit.affected];
    out.add(component, hit.record, &affected, judge_version(affected, component.version));
  }
  return {};
}

Result<> match_debian(const PackageInput& package, const OsvIndex& index, Gatherer& out) {
  if (package.debian_source.empty()) return {};
  const std::vector<OsvHit> hits = TRY(index.on_package("Debian", package.debian_source));
  const std::string& version = package.parts.version;
  const std::string upstream = version.substr(0, version.rfind("-r"));
  std::set<std::string> seen;
  for (const OsvHit& hit : hits) {
    if (!seen.insert(hit.record.id).second) continue;
    out.add({"Debian", package.debian_source, upstream, {}}, hit.record, nullptr,
            judge_debian(hit.record, package.debian_source, upstream));
  }
  return {};
}

void mark(Match& match, const std::vector<Document>& advisories) {
  for (const Document& document : advisories) {
    if (document.package != match.origin && document.package != match.package) continue;
    for (const Advisory& advisory : document.advisories) {
      if (std::none_of(match.ids.begin(), match.ids.end(), [&](const std::string& id) { return advisory.names(id); }))
        continue;
      const Event* latest = advisory.latest();
      if (latest == nullptr) continue;
      match.advisory = advisory.id;
      match.status = latest->type;
      match.status_text = std::string(name_of(latest->type));
      if (latest->type == EventType::kFixed) match.status_text = "fixed in " + latest->fixed_version;
      if (latest->type == EventType::kFalsePositive) match.status_text = "false positive: " + latest->kind;
      return;
    }
  }
}

}  // namespace

bool Match::counts() const { return sure && status != EventType::kFalsePositive; }

void finish(ScanResult& result, const std::vector<Document>& advisories) {
  for (Match& match : result.matches) {
    match.vulnerability = best_name(match.ids);
    match.advisory.clear();
    match.status.reset();
    mark(match, advisories);
  }
  std::sort(result.matches.begin(), result.matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.package, a.version, a.component, a.vulnerability) <
           std::tie(b.package, b.version, b.component, b.vulnerability);
  });
}

Result<ScanResult> match_packages(const std::vector<PackageInput>& packages, const OsvIndex& index,
                                  const std::vector<Document>& advisories) {
  ScanResult out;
  out.data_date = index.newest();
  out.records = index.records();
  out.packages = packages.size();
  for (const PackageInput& package : packages) {
    Gatherer gatherer(package, out.matches);
    for (const std::string& file : package.parts.not_read)
      out.not_read.push_back(fmt::format("{}: {}", package.parts.name, file));
    out.components += package.parts.components.size();
    for (const Component& component : package.parts.components)
      TRY(match_component(component, index, gatherer), "matching {}", package.parts.name);
    const std::string own = ecosystem_of_distribution(package.parts.distribution);
    if (!own.empty())
      for (const std::string& name : std::set<std::string>{package.parts.name, package.parts.origin})
        TRY(match_component({own, name, package.parts.version, {}}, index, gatherer), "matching {}", name);
    TRY(match_debian(package, index, gatherer), "matching {}", package.parts.name);
  }
  finish(out, advisories);
  return out;
}

Result<std::vector<OsvRecord>> read_pypi_vulnerabilities(const Json& json) {
  const Json* list = json.find("vulnerabilities");
  if (list == nullptr || !list->is_array())
    return Error::make(ErrorKind::kInvalid, "the answer has no list of vulnerabilities");
  std::vector<OsvRecord> out;
  for (const Json& row : list->items()) {
    OsvRecord record;
    record.id = TRY(row.string_at("id"));
    record.aliases = row["aliases"].as_strings();
    record.summary = row["summary"].as_string();
    if (record.summary.empty()) record.summary = row["details"].as_string().substr(0, 200);
    record.withdrawn = !row["withdrawn"].as_string().empty();
    OsvAffected affected;
    affected.ecosystem = "PyPI";
    OsvRange range;
    for (const std::string& version : row["fixed_in"].as_strings())
      range.events.push_back({OsvEvent::Kind::kFixed, version});
    affected.ranges.push_back(std::move(range));
    record.affected.push_back(std::move(affected));
    if (!record.withdrawn) out.push_back(std::move(record));
  }
  return out;
}

void add_pypi_matches(ScanResult& result, const PackageInput& package, const Component& component,
                      const std::vector<OsvRecord>& records, const std::vector<Document>& advisories) {
  // Matches of this package first, so that the same said by OSV's records is found there.
  std::stable_partition(result.matches.begin(), result.matches.end(),
                        [&](const Match& match) { return match.package != package.parts.name; });
  std::vector<Match> own(std::find_if(result.matches.begin(), result.matches.end(),
                                      [&](const Match& match) { return match.package == package.parts.name; }),
                         result.matches.end());
  result.matches.resize(result.matches.size() - own.size());
  {
    std::vector<Match> all;
    Gatherer gatherer(package, all);
    all = std::move(own);
    for (OsvRecord record : records) {
      OsvAffected affected = record.affected.front();
      affected.versions = {component.version};
      gatherer.add(component, record, &affected, judge_version(affected, component.version));
    }
    result.matches.insert(result.matches.end(), all.begin(), all.end());
  }
  finish(result, advisories);
}

Json to_json(const Match& match) {
  Json out, component;
  component.set("type", component_type(match.component.ecosystem)).set("ecosystem", match.component.ecosystem);
  component.set("name", match.component.name).set("version", match.component.version);
  if (!match.component.path.empty()) component.set("path", match.component.path);
  out.set("package", match.package).set("origin", match.origin).set("version", match.version);
  out.set("component", std::move(component)).set("vulnerability", match.vulnerability);
  out.set("ids", Json::strings(match.ids)).set("severity", match.severity);
  if (match.score) out.set("score", *match.score);
  out.set("summary", match.summary).set("fixed", match.fixed).set("sure", match.sure);
  if (!match.sure) out.set("reason", match.reason);
  if (!match.advisory.empty()) {
    Json advisory;
    advisory.set("id", match.advisory).set("status", name_of(*match.status)).set("text", match.status_text);
    out.set("advisory", std::move(advisory));
  }
  return out.set("counts", match.counts());
}

Json to_json(const ScanResult& result) {
  Json out, list = Json::array();
  out.set("dataDate", os::rfc3339(result.data_date)).set("records", result.records);
  out.set("packages", static_cast<std::int64_t>(result.packages));
  out.set("components", static_cast<std::int64_t>(result.components));
  out.set("notRead", Json::strings(result.not_read));
  for (const Match& match : result.matches) list.push(to_json(match));
  return out.set("findings", std::move(list));
}

Result<Match> match_from_json(const Json& json) {
  Match out;
  out.package = TRY(json.string_at("package"));
  out.version = TRY(json.string_at("version"));
  out.vulnerability = TRY(json.string_at("vulnerability"));
  out.origin = json["origin"].as_string();
  const Json& component = json["component"];
  out.component = {component["ecosystem"].as_string(), component["name"].as_string(), component["version"].as_string(),
                   component["path"].as_string()};
  out.ids = json["ids"].as_strings();
  out.summary = json["summary"].as_string();
  out.severity = json["severity"].as_string();
  if (json.find("score") != nullptr) out.score = json["score"].as_double();
  out.fixed = json["fixed"].as_string();
  out.sure = json["sure"].as_bool(true);
  out.reason = json["reason"].as_string();
  if (const Json* advisory = json.find("advisory"); advisory != nullptr) {
    out.advisory = (*advisory)["id"].as_string();
    out.status_text = (*advisory)["text"].as_string();
    out.status = TRY(parse_event_type((*advisory)["status"].as_string()));
  }
  return out;
}

}  // namespace nacre::advisory
