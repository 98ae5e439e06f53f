#include "advisory/document.h"

#include "base/number.h"
#include "base/text.h"
#include "codec/digest.h"
#include "os/rfc3339.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>

namespace nacre::advisory {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::string_view kEnd = ".advisories.yaml";
constexpr std::string_view kAlphabet = "23456789cfghjmpqrvwx";

/// Fields of one mapping, with places for whatever is wrong.
class Reader {
 public:
  explicit Reader(const YamlTree& tree) : tree_(tree) {}

  Error fault(const YamlNode& node, std::string text) const {
    return Error::make(ErrorKind::kInvalid, "{}", text).at(tree_.place(node.span));
  }

  Result<> only(const YamlNode& node, std::string_view what, std::initializer_list<std::string_view> keys) const {
    if (node.kind != YamlKind::kMapping) return fault(node, fmt::format("{} is no mapping", what));
    const std::vector<std::string> known(keys.begin(), keys.end());
    for (const YamlNode::Entry& entry : node.entries)
      if (std::find(known.begin(), known.end(), entry.key) == known.end())
        return Error::make(ErrorKind::kInvalid, "unknown field '{}' in {}", entry.key, what)
            .at(tree_.place(entry.key_span))
            .hint(nearest_hint(entry.key, known));
    return {};
  }

  Result<std::string> text(const YamlNode& node, std::string_view key, std::string_view what) const {
    const YamlNode* value = node.find(key);
    if (value == nullptr || (value->kind == YamlKind::kNull && value->text.empty()))
      return fault(node, fmt::format("{} has no '{}'", what, key));
    if (value->kind != YamlKind::kScalar) return fault(*value, fmt::format("'{}' is no text", key));
    return value->text;
  }

  Result<std::string> text_or_none(const YamlNode& node, std::string_view key) const {
    const YamlNode* value = node.find(key);
    if (value == nullptr || value->kind == YamlKind::kNull) return std::string();
    if (value->kind != YamlKind::kScalar) return fault(*value, fmt::format("'{}' is no text", key));
    return value->text;
  }

 private:
  const YamlTree& tree_;
};

Result<> expect_one_of(const Reader& reader, const YamlNode& node, std::string_view what, const std::string& value,
                       const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return {};
  return reader.fault(node, fmt::format("unknown {} '{}', there are: {}", what, value, join(known, ", ")))
      .hint(nearest_hint(value, known));
}

Result<> read_scan(const Reader& reader, const YamlNode& node, DetectedComponent& out) {
  TRY(reader.only(node, "the data of a scan",
                  {"subpackageName", "componentID", "componentName", "componentVersion", "componentType",
                   "componentLocation", "scanner"}));
  constexpr std::string_view kWhat = "the data of a scan";
  out.subpackage = TRY(reader.text(node, "subpackageName", kWhat));
  out.id = TRY(reader.text(node, "componentID", kWhat));
  out.name = TRY(reader.text(node, "componentName", kWhat));
  out.version = TRY(reader.text_or_none(node, "componentVersion"));
  out.type = TRY(reader.text(node, "componentType", kWhat));
  out.location = TRY(reader.text(node, "componentLocation", kWhat));
  out.scanner = TRY(reader.text(node, "scanner", kWhat));
  return {};
}

Result<> read_detection(const Reader& reader, const YamlNode& data, Event& out) {
  TRY(reader.only(data, "the data of a detection", {"type", "data"}));
  out.kind = TRY(reader.text(data, "type", "the data of a detection"));
  TRY(expect_one_of(reader, *data.find("type"), "detection type", out.kind, detection_types()));
  const YamlNode* inner = data.find("data");
  if (out.kind == "manual") {
    if (inner != nullptr && inner->kind != YamlKind::kNull)
      return reader.fault(*inner, "a manual detection has no data");
    return {};
  }
  if (inner == nullptr) return reader.fault(data, fmt::format("a detection of type '{}' needs data", out.kind));
  if (out.kind == "scan/v1") return read_scan(reader, *inner, out.component);
  TRY(reader.only(*inner, "the data of a detection by nvdapi", {"cpeSearched", "cpeFound"}));
  out.cpe_searched = TRY(reader.text(*inner, "cpeSearched", "the data of a detection by nvdapi"));
  out.cpe_found = TRY(reader.text(*inner, "cpeFound", "the data of a detection by nvdapi"));
  return {};
}

Result<> read_data(const Reader& reader, const YamlNode& node, Event& out) {
  const YamlNode* data = node.find("data");
  const bool none = data == nullptr || data->kind == YamlKind::kNull;
  const std::string what = fmt::format("the data of a '{}' event", name_of(out.type));
  if (none && (out.type == EventType::kTruePositive)) return {};
  if (none) return reader.fault(node, fmt::format("a '{}' event needs data", name_of(out.type)));
  switch (out.type) {
    case EventType::kDetection: return read_detection(reader, *data, out);
    case EventType::kFixed:
      TRY(reader.only(*data, what, {"fixed-version"}));
      out.fixed_version = TRY(reader.text(*data, "fixed-version", what));
      return {};
    case EventType::kFalsePositive:
      TRY(reader.only(*data, what, {"type", "note"}));
      out.kind = TRY(reader.text(*data, "type", what));
      TRY(expect_one_of(reader, *data->find("type"), "type of a false positive", out.kind, false_positive_types()));
      out.note = TRY(reader.text_or_none(*data, "note"));
      return {};
    case EventType::kTruePositive:
      TRY(reader.only(*data, what, {"note"}));
      out.note = TRY(reader.text_or_none(*data, "note"));
      return {};
    default:
      TRY(reader.only(*data, what, {"note"}));
      out.note = TRY(reader.text(*data, "note", what));
      return {};
  }
}

Result<Event> read_event(const Reader& reader, const YamlNode& node) {
  TRY(reader.only(node, "an event", {"timestamp", "type", "data"}));
  Event out;
  out.span = node.span;
  const std::string time = TRY(reader.text(node, "timestamp", "an event"));
  const auto seconds = parse_time(time);
  if (!seconds) return reader.fault(*node.find("timestamp"), seconds.error().render());
  out.time = *seconds;
  const std::string type = TRY(reader.text(node, "type", "an event"));
  const auto known = parse_event_type(type);
  if (!known) {
    std::vector<std::string> names;
    for (const EventType each : kEventTypes) names.emplace_back(name_of(each));
    return reader.fault(*node.find("type"), fmt::format("unknown type of event '{}'", type))
        .hint(nearest_hint(type, names));
  }
  out.type = *known;
  TRY(read_data(reader, node, out));
  return out;
}

Result<Advisory> read_advisory(const Reader& reader, const YamlNode& node) {
  TRY(reader.only(node, "an advisory", {"id", "aliases", "events"}));
  Advisory out;
  out.span = node.span;
  out.id = TRY(reader.text(node, "id", "an advisory"));
  if (const YamlNode* aliases = node.find("aliases"); aliases != nullptr && aliases->kind != YamlKind::kNull) {
    if (aliases->kind != YamlKind::kSequence) return reader.fault(*aliases, "'aliases' is no list");
    for (const YamlNode& item : aliases->items) {
      if (item.kind != YamlKind::kScalar) return reader.fault(item, "an alias is no text");
      out.aliases.push_back(item.text);
    }
  }
  const YamlNode* events = node.find("events");
  if (events == nullptr || events->kind != YamlKind::kSequence)
    return reader.fault(node, fmt::format("advisory {} has no list of 'events'", out.id));
  for (const YamlNode& item : events->items) {
    Event event = TRY(read_event(reader, item), "reading advisory {}", out.id);
    out.events.push_back(std::move(event));
  }
  return out;
}

Result<> check_schema(const Reader& reader, const YamlNode& root, const std::string& version) {
  const std::vector<std::string> parts = split(version, '.');
  std::vector<int> numbers;
  for (const std::string& part : parts) {
    const auto number = whole_number<int>(part);
    if (!number || *number < 0) break;
    numbers.push_back(*number);
  }
  if (numbers.size() == parts.size() && numbers.size() <= 3 && numbers[0] == 2) {
    numbers.resize(3);
    if (numbers <= std::vector<int>{2, 0, 2}) return {};
  }
  return reader.fault(*root.find("schema-version"),
                      fmt::format("schema-version {} is not known, expected 2 to 2.0.2", version));
}

}  // namespace

std::string_view name_of(EventType type) {
  switch (type) {
    case EventType::kDetection: return "detection";
    case EventType::kTruePositive: return "true-positive-determination";
    case EventType::kFixed: return "fixed";
    case EventType::kFalsePositive: return "false-positive-determination";
    case EventType::kAnalysisNotPlanned: return "analysis-not-planned";
    case EventType::kFixNotPlanned: return "fix-not-planned";
    case EventType::kPendingUpstreamFix: return "pending-upstream-fix";
  }
  return "";
}

Result<EventType> parse_event_type(std::string_view text) {
  for (const EventType type : kEventTypes)
    if (name_of(type) == text) return type;
  return Error::make(ErrorKind::kInvalid, "unknown type of event '{}'", text);
}

const std::vector<std::string>& false_positive_types() {
  static const std::vector<std::string> kTypes = {"vulnerability-record-analysis-contested",
                                                  "component-vulnerability-mismatch",
                                                  "vulnerable-code-version-not-used",
                                                  "vulnerable-code-not-included-in-package",
                                                  "vulnerable-code-not-in-execution-path",
                                                  "vulnerable-code-cannot-be-controlled-by-adversary",
                                                  "inline-mitigations-exist"};
  return kTypes;
}

const std::vector<std::string>& detection_types() {
  static const std::vector<std::string> kTypes = {"manual", "nvdapi", "scan/v1"};
  return kTypes;
}

const Event* Advisory::latest() const {
  const Event* out = nullptr;
  for (const Event& event : events)
    if (out == nullptr || event.time >= out->time) out = &event;
  return out;
}

bool Advisory::names(std::string_view vulnerability) const {
  return id == vulnerability || std::find(aliases.begin(), aliases.end(), vulnerability) != aliases.end();
}

bool Advisory::open() const {
  const Event* event = latest();
  return event == nullptr || (event->type != EventType::kFixed && event->type != EventType::kFalsePositive);
}

const Advisory* Document::find(std::string_view vulnerability) const {
  for (const Advisory& advisory : advisories)
    if (advisory.names(vulnerability)) return &advisory;
  return nullptr;
}

Result<Document> read_document(std::string text, std::string file) {
  Document out;
  codec::YamlLimits limits;
  limits.max_nodes = 2'000'000;
  out.tree = TRY(codec::parse_yaml(std::move(text), file, limits));
  out.file = std::move(file);
  const Reader reader(out.tree);
  const YamlNode& root = out.tree.root;
  TRY(reader.only(root, "a document of advisories", {"schema-version", "package", "advisories"}));
  out.schema_version = TRY(reader.text(root, "schema-version", "the document"));
  TRY(check_schema(reader, root, out.schema_version));
  const YamlNode* package = root.find("package");
  if (package == nullptr) return reader.fault(root, "the document has no 'package'");
  TRY(reader.only(*package, "'package'", {"name"}));
  out.package = TRY(reader.text(*package, "name", "'package'"));
  const YamlNode* list = root.find("advisories");
  if (list == nullptr || list->kind != YamlKind::kSequence)
    return reader.fault(root, "the document has no list of 'advisories'");
  for (const YamlNode& item : list->items) {
    Advisory advisory = TRY(read_advisory(reader, item));
    out.advisories.push_back(std::move(advisory));
  }
  return out;
}

os::Path document_path(const os::Path& folder, std::string_view package) {
  return folder / (std::string(package) + std::string(kEnd));
}

Result<std::vector<Document>> read_documents(const os::Path& folder) {
  std::vector<os::Path> files;
  std::error_code fault;
  if (!os::exists(folder)) return std::vector<Document>();
  for (const auto& entry : std::filesystem::directory_iterator(folder, fault))
    if (entry.path().filename().string().ends_with(kEnd)) files.push_back(entry.path());
  if (fault) return os::system_error(fault.value(), fmt::format("list '{}'", folder.string()));
  std::sort(files.begin(), files.end());
  std::vector<Document> out;
  std::vector<std::string> bad;
  for (const os::Path& file : files) {
    std::string text = TRY(os::read_file(file));
    auto document = read_document(std::move(text), file.string());
    if (!document) bad.push_back(document.error().render());
    else out.push_back(*std::move(document));
  }
  if (!bad.empty()) return Error::make(ErrorKind::kInvalid, "{}", join(bad, "\n"));
  return out;
}

Result<std::int64_t> parse_time(std::string_view text) {
  if (const auto seconds = os::parse_rfc3339(text)) return *seconds;
  return Error::make(ErrorKind::kInvalid, "'{}' is no time like 2026-11-24T05:03:00Z", text);
}

bool is_advisory_id(std::string_view id) {
  for (const std::string_view prefix : {"CGA", "NACRE"}) {
    if (!id.starts_with(prefix) || id.size() != prefix.size() + 15) continue;
    for (std::size_t i = 0; i < 15; ++i) {
      const char c = id[prefix.size() + i];
      if (i % 5 == 0 ? c != '-' : kAlphabet.find(c) == std::string_view::npos) return false;
    }
    return true;
  }
  return false;
}

std::string make_id(std::string_view package, std::string_view vulnerability) {
  const Sha256 digest = codec::sha256(fmt::format("nacre advisory\n{}\n{}\n", package, vulnerability));
  std::string out = "NACRE";
  for (std::size_t i = 0; i < 12; ++i) {
    if (i % 4 == 0) out += '-';
    // Two bytes a letter: no letter is likelier than another by more than one in three thousand.
    const unsigned value = digest.bytes[2 * i] * 256u + digest.bytes[2 * i + 1];
    out += kAlphabet[value % kAlphabet.size()];
  }
  return out;
}

}  // namespace nacre::advisory
