#include "advisory/feed_parts.h"
#include "os/clock.h"
#include "store/database.h"

#include <array>
#include <map>

// grype keeps vulnerabilities, packages and distributions in tables, and what it only shows or compares as JSON in a
// table of blobs. Written here are the tables that hold something; the import makes the empty ones and all indexes.
namespace nacre::advisory {
namespace {

using codec::Json;
using store::Database;

/// Version of the schema whose columns these are.
constexpr std::int64_t kModel = 6, kRevision = 1, kAddition = 0;

constexpr std::array kTables = {
    "CREATE TABLE db_metadata (build_timestamp datetime NOT NULL, model integer NOT NULL, revision integer NOT NULL, "
    "addition integer NOT NULL)",
    "CREATE TABLE blobs (id integer PRIMARY KEY, value text NOT NULL)",
    "CREATE TABLE providers (id text PRIMARY KEY, version text, processor text, date_captured datetime, "
    "input_digest text)",
    "CREATE TABLE operating_systems (id integer PRIMARY KEY, name text, release_id text, major_version text, "
    "minor_version text, label_version text, codename text, channel text)",
    "CREATE TABLE operating_system_specifier_overrides (alias text, version text, version_pattern text, codename text, "
    "channel text, replacement text, replacement_major_version text, replacement_minor_version text, "
    "replacement_label_version text, replacement_channel text, rolling numeric, applicable_client_db_schemas text)",
    "CREATE TABLE packages (id integer PRIMARY KEY, ecosystem text, name text)",
    "CREATE TABLE vulnerability_handles (id integer PRIMARY KEY, name text NOT NULL, status text NOT NULL, "
    "published_date datetime, modified_date datetime, withdrawn_date datetime, provider_id text NOT NULL, "
    "blob_id integer)",
    "CREATE TABLE affected_package_handles (id integer PRIMARY KEY, vulnerability_id integer NOT NULL, "
    "operating_system_id integer, package_id integer, blob_id integer)"};

/// "2026-11-01 12:00:00+00:00"
std::string sql_time(std::int64_t seconds) {
  std::string out = os::rfc3339(seconds);
  out.replace(10, 1, " ");
  return out.substr(0, 19) + "+00:00";
}

/// Which versions have it, and what becomes of it.
Json package_blob(const Event& latest, const std::vector<std::string>& names) {
  Json range, version, fix, cves = Json::array(), ranges = Json::array();
  std::string below;
  switch (latest.type) {
    case EventType::kFixed: {
      below = latest.fixed_version;
      Json available;
      available.set("date", os::rfc3339(latest.time).substr(0, 10)).set("kind", "advisory");
      fix.set("version", below).set("state", "fixed").set("detail", Json().set("available", std::move(available)));
      break;
    }
    case EventType::kFalsePositive:
      below = "0";
      fix.set("state", "not-affected");
      break;
    case EventType::kFixNotPlanned: fix.set("state", "wont-fix"); break;
    case EventType::kTruePositive:
    case EventType::kPendingUpstreamFix: fix.set("state", "not-fixed"); break;
    case EventType::kDetection:
    case EventType::kAnalysisNotPlanned: break;
  }
  version.set("type", "apk");
  if (!below.empty()) version.set("constraint", "< " + below);
  range.set("version", std::move(version));
  if (!fix.is_null()) range.set("fix", std::move(fix));
  for (const std::string& name : names)
    if (name.starts_with("CVE-")) cves.push(name);
  Json out;
  if (!cves.items().empty()) out.set("cves", std::move(cves));
  return out.set("ranges", ranges.push(std::move(range)));
}

class Writer {
 public:
  Writer(Database& database, const FeedOptions& options) : database_(database), options_(options) {}

  Result<> begin(std::int64_t date) {
    for (const char* table : kTables) TRY(put(table, {}));
    TRY(put("INSERT INTO db_metadata VALUES ($1, $2, $3, $4)", {sql_time(date), kModel, kRevision, kAddition}));
    TRY(put("INSERT INTO providers VALUES ($1, '1', 'nacre', $2, '')", {options_.name_space, sql_time(date)}));
    TRY(put("INSERT INTO operating_systems VALUES (1, $1, $1, '', '', '', '', '')", {options_.name_space}));
    // Whatever VERSION_ID says, it is the same data.
    return put(
        "INSERT INTO operating_system_specifier_overrides (alias, version, version_pattern, codename, channel, "
        "rolling, applicable_client_db_schemas) VALUES ($1, '', '', '', '', 1, '')",
        {options_.name_space});
  }

  Result<> add(const Document& document, const Advisory& advisory) {
    const Event& latest = *advisory.latest();
    std::int64_t first = latest.time;
    for (const Event& event : advisory.events) first = std::min(first, event.time);
    const std::vector<std::string> names = names_cve_first(advisory);
    std::vector<std::string> others(names.begin() + 1, names.end()), alone;
    if (names[0] != advisory.id) others.push_back(advisory.id);
    Json vulnerability;
    vulnerability.set("id", names[0]);
    if (!latest.note.empty()) vulnerability.set("description", latest.note);
    if (!others.empty()) vulnerability.set("aliases", Json::strings(others));
    const std::int64_t about = TRY(blob(vulnerability)), id = ++vulnerabilities_;
    const bool judged = latest.type != EventType::kDetection && latest.type != EventType::kAnalysisNotPlanned;
    TRY(put("INSERT INTO vulnerability_handles VALUES ($1, $2, $3, $4, $5, NULL, $6, $7)",
            {id, names[0], std::string(judged ? "active" : "analyzing"), sql_time(first), sql_time(latest.time),
             options_.name_space, about}));
    const std::int64_t where = TRY(blob(package_blob(latest, names)));
    for (const std::string& name : packages_of(options_, document.package, alone)) {
      const std::int64_t package = TRY(package_id(name));
      TRY(
          put("INSERT INTO affected_package_handles (vulnerability_id, operating_system_id, package_id, blob_id) "
              "VALUES ($1, 1, $2, $3)",
              {id, package, where}));
    }
    return {};
  }

 private:
  Result<> put(std::string_view sql, const std::vector<Database::Value>& values) {
    TRY(database_.run("write grype's data base", sql, values));
    return {};
  }

  Result<std::int64_t> blob(const Json& value) {
    TRY(put("INSERT INTO blobs VALUES ($1, $2)", {++blobs_, codec::to_json(value)}));
    return blobs_;
  }

  Result<std::int64_t> package_id(const std::string& name) {
    const auto [found, fresh] = packages_.emplace(name, static_cast<std::int64_t>(packages_.size()) + 1);
    if (fresh) TRY(put("INSERT INTO packages VALUES ($1, 'apk', $2)", {found->second, name}));
    return found->second;
  }

  Database& database_;
  const FeedOptions& options_;
  std::map<std::string, std::int64_t> packages_;
  std::int64_t blobs_ = 0, vulnerabilities_ = 0;
};

}  // namespace

Result<std::size_t> write_grype_feed(const std::vector<Document>& advisories, const FeedOptions& options,
                                     const os::Path& file) {
  const os::TempDir folder =
      TRY(os::TempDir::create(file.has_parent_path() ? file.parent_path() : os::Path("."), ".grype-"));
  const os::Path partial = folder.path() / "new.db";
  std::size_t count = 0;
  {
    const std::unique_ptr<Database> database = TRY(Database::open("sqlite:" + partial.string()));
    Writer writer(*database, options);
    const auto write = [&]() -> Result<> {
      TRY(writer.begin(options.date != 0 ? options.date : newest_event(advisories)));
      for (const Document* document : by_package(advisories))
        for (const Advisory& advisory : document->advisories)
          if (advisory.latest() != nullptr) {
            TRY(writer.add(*document, advisory));
            ++count;
          }
      return {};
    };
    TRY(database->transaction(Database::Durability::kLater, write));
    // One file, that a reader who may not write can open.
    TRY(database->run("write grype's data base", "PRAGMA journal_mode=DELETE"));
  }
  TRY(os::rename(partial, file));
  return count;
}

}  // namespace nacre::advisory
