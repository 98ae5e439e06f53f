#pragma once

#include "base/result.h"
#include "codec/yaml.h"
#include "os/file.h"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// What an event of an advisory says. The field's schema 2.0.2; analysis-not-planned is of older documents.
enum class EventType {
  kDetection,
  kTruePositive,
  kFixed,
  kFalsePositive,
  kAnalysisNotPlanned,
  kFixNotPlanned,
  kPendingUpstreamFix,
};
inline constexpr std::array kEventTypes = {
    EventType::kDetection,         EventType::kTruePositive,       EventType::kFixed,
    EventType::kFalsePositive,     EventType::kAnalysisNotPlanned, EventType::kFixNotPlanned,
    EventType::kPendingUpstreamFix};
/// "detection", "true-positive-determination", "fixed", "false-positive-determination", …
std::string_view name_of(EventType type);
Result<EventType> parse_event_type(std::string_view text);

/// Why something is a false positive, in the field's words ("vulnerable-code-not-included-in-package", …).
const std::vector<std::string>& false_positive_types();
/// How something was detected: "manual", "nvdapi", "scan/v1".
const std::vector<std::string>& detection_types();

/// The part of a package that a scanner saw.
struct DetectedComponent {
  std::string subpackage, id, name, version;
  std::string type;      ///< "go-module", "apk", "python", "rust-crate", "npm", "java-archive", "gem", …
  std::string location;  ///< Path in the package: "/usr/bin/x".
  std::string scanner;
};

/// One dated fact.
struct Event {
  std::int64_t time = 0;  ///< Seconds since 1970.
  EventType type = EventType::kDetection;
  std::string kind;  ///< Of a detection or a false positive: which one.
  std::string note;
  std::string fixed_version;            ///< Of kFixed: "1.3.2-r1".
  DetectedComponent component;          ///< Of a detection by scan.
  std::string cpe_searched, cpe_found;  ///< Of a detection by nvdapi.
  codec::YamlSpan span;                 ///< In the text that it was read from; all zero when made here.
};

/// What is known of one vulnerability in one package.
struct Advisory {
  std::string id;                    ///< "CGA-…" of the field, "NACRE-…" of ours.
  std::vector<std::string> aliases;  ///< "CVE-…", "GHSA-…", "GO-…"
  std::vector<Event> events;         ///< In the text's order.
  codec::YamlSpan span;

  /// The latest by time; of several at one time the last in the text. nullptr when there is none.
  const Event* latest() const;
  bool names(std::string_view vulnerability) const;  ///< As id or alias.
  /// Neither fixed nor a false positive.
  bool open() const;
};

/// All advisories of one package: os/advisories/NAME.advisories.yaml.
struct Document {
  std::string file, schema_version, package;
  std::vector<Advisory> advisories;  ///< In the text's order.
  codec::YamlTree tree;              ///< What it was read from, for edits in place.

  const Advisory* find(std::string_view vulnerability) const;  ///< By id or alias; nullptr.
};

/// Reads a document of schema 2 (2.0.2 and before). kInvalid with file:line:column for unknown or missing fields, types
/// and times. What only a person can judge is left to lint().
Result<Document> read_document(std::string text, std::string file);

/// Every *.advisories.yaml of a directory, ordered by package. An absent directory holds none. All faulty documents are
/// named in one error.
Result<std::vector<Document>> read_documents(const os::Path& folder);

/// Where the document of a package stands: FOLDER/NAME.advisories.yaml.
os::Path document_path(const os::Path& folder, std::string_view package);

/// One thing that a reader accepts and a person should look at.
struct Finding {
  Place place;
  std::string rule;  ///< "event-order", "id", "duplicate", "package", "fixed-version", "alias", "empty", "future"
  std::string text;
};
/// Ids and aliases by form and used once, events in order of time and none of the future, a package that exists, fixed
/// versions that are versions. `packages`: names of definitions; empty: not asked.
std::vector<Finding> lint(const Document& document, const std::set<std::string>& packages, std::int64_t now);

/// "2025-03-01T12:00:00Z" with or without fractions and offset -> seconds since 1970.
Result<std::int64_t> parse_time(std::string_view text);

/// Whether an id has the field's form: CGA- or NACRE- and three groups of four of 23456789cfghjmpqrvwx.
bool is_advisory_id(std::string_view id);
/// The id of an advisory of ours: a digest of package and vulnerability, so that two machines give the same.
std::string make_id(std::string_view package, std::string_view vulnerability);

}  // namespace nacre::advisory
