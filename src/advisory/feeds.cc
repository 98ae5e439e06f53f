#include "advisory/feeds.h"

#include "advisory/feed_parts.h"
#include "apk/version.h"
#include "base/encoding.h"
#include "os/clock.h"

#include <algorithm>
#include <set>

namespace nacre::advisory {
namespace {

using codec::Json;

std::string purl(const FeedOptions& options, std::string_view name) {
  return fmt::format("pkg:apk/{}/{}", options.name_space, percent_encode(name));
}

/// Fixed in which version, "0" for what never was affected; empty for open ones.
std::string settled_version(const Event* latest) {
  if (latest == nullptr) return {};
  if (latest->type == EventType::kFixed) return latest->fixed_version;
  return latest->type == EventType::kFalsePositive ? "0" : "";
}

struct VersionLess {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto order = apk::compare_versions(a, b);
    return order != 0 ? order < 0 : a < b;
  }
};

/// What is affected and has no fix. OSV can say that; what nobody judged yet it cannot.
bool affected_without_fix(const Event* latest) {
  return latest != nullptr &&
         (latest->type == EventType::kTruePositive || latest->type == EventType::kPendingUpstreamFix ||
          latest->type == EventType::kFixNotPlanned);
}

/// All versions before `fixed`; all there are when it is empty.
Json osv_range(const std::string& fixed) {
  Json events = Json::array(), range, out = Json::array();
  events.push(Json().set("introduced", "0"));
  if (!fixed.empty()) events.push(Json().set("fixed", fixed));
  range.set("type", "ECOSYSTEM").set("events", std::move(events));
  return out.push(std::move(range));
}

Json osv_record(const Document& document, const Advisory& advisory, const std::string& fixed,
                const FeedOptions& options) {
  const Event& latest = *advisory.latest();
  Json out, affected = Json::array();
  std::int64_t first = latest.time;
  for (const Event& event : advisory.events) first = std::min(first, event.time);
  const bool ours = advisory.id.starts_with("NACRE-");
  out.set("schema_version", "1.7.3").set("id", (ours ? "x_" : "") + advisory.id);
  out.set("modified", os::rfc3339(latest.time)).set("published", os::rfc3339(first));
  out.set("upstream", Json::strings(advisory.aliases));
  std::vector<std::string> alone;
  for (const std::string& name : packages_of(options, document.package, alone)) {
    Json package, row;
    package.set("ecosystem", options.ecosystem).set("name", name).set("purl", purl(options, name));
    row.set("package", std::move(package)).set("ranges", osv_range(fixed));
    if (latest.type == EventType::kFalsePositive)
      row.set("database_specific", Json().set("false_positive", true).set("type", latest.kind));
    if (fixed.empty()) row.set("database_specific", Json().set("status", name_of(latest.type)));
    affected.push(std::move(row));
  }
  return out.set("affected", std::move(affected));
}

/// The latest event as OpenVEX puts it.
void set_vex_status(Json& statement, const Event& event) {
  const std::string note = event.note;
  switch (event.type) {
    case EventType::kDetection:
    case EventType::kAnalysisNotPlanned: statement.set("status", "under_investigation"); break;
    case EventType::kFixed: statement.set("status", "fixed"); break;
    case EventType::kFalsePositive: {
      const std::string justification = vex_justification(event.kind);
      statement.set("status", "not_affected");
      if (!justification.empty()) statement.set("justification", justification);
      if (justification.empty() || !note.empty())
        statement.set("impact_statement", note.empty() ? "The record of the vulnerability is contested." : note);
      break;
    }
    case EventType::kTruePositive:
    case EventType::kFixNotPlanned:
    case EventType::kPendingUpstreamFix: {
      const char* plain = event.type == EventType::kTruePositive    ? "A fix is being worked on."
                          : event.type == EventType::kFixNotPlanned ? "No fix is planned."
                                                                    : "A fix by upstream is awaited.";
      statement.set("status", "affected").set("action_statement", note.empty() ? plain : plain + (" " + note));
      break;
    }
  }
  if (event.type == EventType::kAnalysisNotPlanned && !note.empty()) statement.set("status_notes", note);
}

}  // namespace

std::string vex_justification(std::string_view type) {
  if (type == "vulnerable-code-not-included-in-package" || type == "vulnerable-code-version-not-used")
    return "vulnerable_code_not_present";
  if (type == "component-vulnerability-mismatch") return "component_not_present";
  if (type == "vulnerable-code-not-in-execution-path") return "vulnerable_code_not_in_execute_path";
  if (type == "vulnerable-code-cannot-be-controlled-by-adversary")
    return "vulnerable_code_cannot_be_controlled_by_adversary";
  return type == "inline-mitigations-exist" ? "inline_mitigations_already_exist" : "";
}

Json secdb_feed(const std::vector<Document>& advisories, const FeedOptions& options) {
  Json out, packages = Json::array();
  out.set("apkurl", "{{urlprefix}}/{{reponame}}/{{arch}}/{{pkg.name}}-{{pkg.ver}}.apk");
  out.set("archs", Json::strings(options.archs)).set("reponame", options.repository);
  out.set("urlprefix", options.url_prefix);
  for (const Document* document : by_package(advisories)) {
    std::map<std::string, std::set<std::string>, VersionLess> fixes;
    for (const Advisory& advisory : document->advisories)
      if (const std::string version = settled_version(advisory.latest()); !version.empty())
        for (const std::string& name : known_names(advisory)) fixes[version].insert(name);
    if (fixes.empty()) continue;
    Json secfixes = Json::object(), package;
    for (const auto& [version, names] : fixes)
      secfixes.set(version, Json::strings(std::vector<std::string>(names.begin(), names.end())));
    package.set("name", document->package).set("secfixes", std::move(secfixes));
    packages.push(Json().set("pkg", std::move(package)));
  }
  return out.set("packages", std::move(packages));
}

std::vector<std::pair<std::string, Json>> osv_feed(const std::vector<Document>& advisories,
                                                   const FeedOptions& options) {
  std::vector<std::pair<std::string, Json>> out;
  for (const Document* document : by_package(advisories))
    for (const Advisory& advisory : document->advisories)
      if (const std::string fixed = settled_version(advisory.latest());
          !fixed.empty() || affected_without_fix(advisory.latest()))
        out.emplace_back(advisory.id + ".json", osv_record(*document, advisory, fixed, options));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Json all = Json::array();
  for (const auto& [file, record] : out)
    all.push(Json().set("id", record["id"].as_string()).set("modified", record["modified"].as_string()));
  out.emplace_back("all.json", std::move(all));
  return out;
}

Json vex_feed(const std::vector<Document>& advisories, const FeedOptions& options) {
  Json out, statements = Json::array();
  const std::string date = os::rfc3339(options.date != 0 ? options.date : newest_event(advisories));
  out.set("@context", "https://openvex.dev/ns/v0.2.0").set("@id", fmt::format("{}/vex/{}", options.base, date));
  out.set("author", options.author).set("role", "Document Creator").set("timestamp", date).set("version", 1);
  for (const Document* document : by_package(advisories))
    for (const Advisory& advisory : document->advisories) {
      const Event* latest = advisory.latest();
      if (latest == nullptr) continue;
      const std::vector<std::string> names = names_cve_first(advisory);
      std::vector<std::string> alone;
      Json statement, vulnerability, products = Json::array(), aliases = Json::array();
      vulnerability.set("name", names[0]);
      for (std::size_t i = 1; i < names.size(); ++i) aliases.push(names[i]);
      if (names[0] != advisory.id) aliases.push(advisory.id);
      if (!aliases.items().empty()) vulnerability.set("aliases", std::move(aliases));
      const std::string at = latest->type == EventType::kFixed ? "@" + percent_encode(latest->fixed_version) : "";
      for (const std::string& name : packages_of(options, document->package, alone))
        products.push(Json().set("@id", purl(options, name) + at));
      statement.set("vulnerability", std::move(vulnerability)).set("timestamp", os::rfc3339(latest->time));
      statement.set("products", std::move(products));
      set_vex_status(statement, *latest);
      statements.push(std::move(statement));
    }
  return out.set("statements", std::move(statements));
}

}  // namespace nacre::advisory
