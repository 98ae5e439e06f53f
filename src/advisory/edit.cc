#include "advisory/edit.h"

#include "codec/yaml_write.h"
#include "os/clock.h"

#include <algorithm>

namespace nacre::advisory {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::size_t kIndent = 2;  ///< Of the list of advisories in documents of ours.

/// A value on a line of its own; a note of several lines as a literal block.
std::string field(std::string_view key, const std::string& value, std::size_t indent) {
  const std::string blanks(indent, ' ');
  if (value.find('\n') == std::string::npos) return fmt::format("{}{}: {}\n", blanks, key, codec::yaml_scalar(value));
  std::string out = fmt::format("{}{}: |-\n", blanks, key), line;
  const std::string text = value.substr(0, value.find_last_not_of('\n') + 1);
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    line = text.substr(at, end - at);
    out += line.empty() ? "\n" : blanks + "  " + line + "\n";
    at = end + 1;
  }
  return out;
}

std::string detection_text(const Event& event, std::size_t indent) {
  std::string out = field("type", event.kind, indent);
  const std::size_t inner = indent + 2;
  const std::string head = std::string(indent, ' ') + "data:\n";
  if (event.kind == "nvdapi")
    out += head + field("cpeSearched", event.cpe_searched, inner) + field("cpeFound", event.cpe_found, inner);
  if (event.kind == "scan/v1") {
    const DetectedComponent& part = event.component;
    out += head + field("subpackageName", part.subpackage, inner) + field("componentID", part.id, inner) +
           field("componentName", part.name, inner) + field("componentVersion", part.version, inner) +
           field("componentType", part.type, inner) + field("componentLocation", part.location, inner) +
           field("scanner", part.scanner, inner);
  }
  return out;
}

std::string advisory_text(const Advisory& advisory, std::size_t indent) {
  const std::string blanks(indent, ' ');
  std::string out = fmt::format("{}- {}", blanks, field("id", advisory.id, 0));
  if (!advisory.aliases.empty()) {
    out += blanks + "  aliases:\n";
    for (const std::string& alias : advisory.aliases)
      out += fmt::format("{}    - {}\n", blanks, codec::yaml_scalar(alias));
  }
  out += blanks + "  events:\n";
  for (const Event& event : advisory.events) out += event_text(event, indent + 4);
  return out;
}

/// Just past the line in which the content before `end` ends.
std::size_t past_line(std::string_view source, std::size_t begin, std::size_t end) {
  const std::size_t last = source.substr(0, std::min(end, source.size())).find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos || last < begin) return end;
  const std::size_t newline = source.find('\n', last);
  return newline == std::string_view::npos ? source.size() : newline + 1;
}

/// Columns before the dash of the list's items; kInvalid when the list is in flow style.
Result<std::size_t> dash_indent(const YamlTree& tree, const YamlNode& list) {
  if (!list.items.empty()) {
    const YamlNode& item = list.items.back();
    const std::size_t line = tree.source.rfind('\n', item.span.begin) + 1;  // npos + 1 is 0: the first line
    const std::size_t dash = tree.source.find_first_not_of(' ', line);
    if (dash < item.span.begin && tree.source[dash] == '-') return dash - line;
  }
  return Error::make(ErrorKind::kInvalid, "the list is not one item on each line, beginning with a dash")
      .at(tree.place(list.span))
      .hint("change this list by hand");
}

std::string insert(const std::string& source, std::size_t at, const std::string& text) {
  std::string out = source.substr(0, at);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out + text + source.substr(at);
}

/// The last byte of a node's content. Spans of block collections go up to what follows them.
std::size_t end_of(const YamlNode& node) {
  if (node.kind == YamlKind::kMapping && !node.entries.empty())
    return std::max(node.entries.back().key_span.end, end_of(node.entries.back().value));
  if (node.kind == YamlKind::kSequence && !node.items.empty()) return end_of(node.items.back());
  return node.span.end;
}

const YamlNode* node_of(const Document& document, const Advisory& advisory) {
  for (const YamlNode& item : document.tree.root.find("advisories")->items)
    if (item.span.begin == advisory.span.begin) return &item;
  return nullptr;
}

}  // namespace

std::string event_text(const Event& event, std::size_t indent) {
  const std::string blanks(indent, ' ');
  const std::size_t inner = indent + 4;
  std::string out = fmt::format("{}- timestamp: {}\n{}  type: {}\n", blanks, os::rfc3339(event.time), blanks,
                                name_of(event.type)),
              data;
  switch (event.type) {
    case EventType::kDetection: data = detection_text(event, inner); break;
    case EventType::kFixed: data = field("fixed-version", event.fixed_version, inner); break;
    case EventType::kFalsePositive: data = field("type", event.kind, inner); [[fallthrough]];
    default:
      if (!event.note.empty()) data += field("note", event.note, inner);
      break;
  }
  if (!data.empty()) out += blanks + "  data:\n" + data;
  return out;
}

Result<std::string> append_event(const Document& document, std::string_view vulnerability, const Event& event) {
  const Advisory* advisory = document.find(vulnerability);
  if (advisory == nullptr)
    return Error::make(ErrorKind::kNotFound, "'{}' has no advisory on {}", document.package, vulnerability)
        .at(Place{document.file, 0, 0});
  for (const Event& other : advisory->events)
    if (other.time > event.time)
      return Error::make(ErrorKind::kConflict, "{} has an event of {}, later than {}", advisory->id,
                         os::rfc3339(other.time), os::rfc3339(event.time))
          .at(document.tree.place(other.span));
  const YamlNode* events = node_of(document, *advisory)->find("events");
  const std::size_t indent = TRY(dash_indent(document.tree, *events));
  const std::size_t at = past_line(document.tree.source, events->span.begin, end_of(*events));
  std::string out = insert(document.tree.source, at, event_text(event, indent));
  TRY(read_document(out, document.file), "writing an event of {}", advisory->id);
  return out;
}

Result<std::string> add_advisory(const Document& document, const Advisory& advisory) {
  std::vector<std::string> names = advisory.aliases;
  names.push_back(advisory.id);
  for (const std::string& name : names)
    if (const Advisory* other = document.find(name); other != nullptr)
      return Error::make(ErrorKind::kConflict, "'{}' has an advisory on {} already: {}", document.package, name,
                         other->id)
          .at(document.tree.place(other->span));
  const YamlNode& list = *document.tree.root.find("advisories");
  if (list.items.empty())
    return Error::make(ErrorKind::kInvalid, "the list of advisories is empty")
        .at(document.tree.place(list.span))
        .hint("remove the file: the first advisory writes it anew");
  const std::size_t indent = TRY(dash_indent(document.tree, list));
  const std::string& source = document.tree.source;
  std::string text = advisory_text(advisory, indent);
  // Before the first with a greater id, else at the end.
  for (std::size_t i = 0; i < document.advisories.size(); ++i) {
    if (document.advisories[i].id < advisory.id) continue;
    if (i == 0) {
      const std::size_t line = source.rfind('\n', list.items[0].span.begin) + 1;
      return insert(source, line, text + "\n");
    }
    const YamlNode& before = list.items[i - 1];
    return insert(source, past_line(source, before.span.begin, end_of(before)), "\n" + text);
  }
  const YamlNode& last = list.items.back();
  return insert(source, past_line(source, last.span.begin, end_of(last)), "\n" + text);
}

std::string new_document(std::string_view package, const Advisory& advisory) {
  return fmt::format("schema-version: 2.0.2\n\npackage:\n{}\nadvisories:\n{}",
                     field("name", std::string(package), kIndent), advisory_text(advisory, kIndent));
}

}  // namespace nacre::advisory
