#include "definition/table.h"

#include <algorithm>

namespace nacre::definition {
namespace {

std::string_view shape_of(const codec::YamlNode& node) {
  switch (node.kind) {
    case codec::YamlKind::kMapping: return "a mapping";
    case codec::YamlKind::kSequence: return "a list";
    case codec::YamlKind::kNull: return "nothing";
    default: return "a single value";
  }
}

}  // namespace

Result<std::string> Value::text() const {
  if (is_null()) return std::string();
  if (node->kind != codec::YamlKind::kScalar)
    return invalid("expected a single value, found {}", shape_of(*node));
  return node->text;
}

Result<bool> Value::flag() const {
  const std::string word = TRY(text());
  for (const char* yes : {"true", "True", "TRUE"})
    if (word == yes) return true;
  for (const char* no : {"", "false", "False", "FALSE"})
    if (word == no) return false;
  return invalid("expected true or false, found '{}'", word);
}

Result<std::vector<Value>> Value::list() const {
  std::vector<Value> out;
  if (is_null()) return out;
  if (node->kind != codec::YamlKind::kSequence)
    return invalid("expected a list, found {}", shape_of(*node))
        .hint("write one '- item' per line");
  for (const codec::YamlNode& item : node->items) out.push_back({tree, &item});
  return out;
}

Result<std::vector<std::string>> Value::texts() const {
  std::vector<std::string> out;
  const std::vector<Value> items = TRY(list());
  for (const Value& item : items) {
    std::string text = TRY(item.text());
    out.push_back(std::move(text));
  }
  return out;
}

Result<Pairs> Value::pairs() const {
  Pairs out;
  if (is_null()) return out;
  if (node->kind != codec::YamlKind::kMapping)
    return invalid("expected a mapping, found {}", shape_of(*node))
        .hint("write one 'key: value' per line");
  for (const auto& entry : node->entries) {
    std::string value = TRY((Value{tree, &entry.value}.text()), "reading '{}'", entry.key);
    out.emplace_back(entry.key, std::move(value));
  }
  return out;
}

Error wrong_shape(const Value& value, std::string_view what) {
  return value.invalid("expected a mapping for {}, found {}", what, shape_of(*value.node));
}

Error unknown_field(const Value& mapping, const codec::YamlNode::Entry& entry, const MappingInfo& info) {
  std::vector<std::string> known;
  for (const FieldInfo* field : info.fields) known.emplace_back(field->key);
  std::string hint = nearest_hint(entry.key, known);
  if (hint.empty()) hint = "known are: " + join(known, ", ");
  return Error::make(ErrorKind::kInvalid, "unknown field '{}' in {}", entry.key, info.what)
      .at(mapping.tree->place(entry.key_span))
      .hint(std::move(hint));
}

Result<> read_into(const Value& value, std::string& out) {
  out = TRY(value.text());
  return {};
}

Result<> read_into(const Value& value, bool& out) {
  out = TRY(value.flag());
  return {};
}

Result<> read_into(const Value& value, std::vector<std::string>& out) {
  out = TRY(value.texts());
  return {};
}

Result<> read_into(const Value& value, Pairs& out) {
  out = TRY(value.pairs());
  return {};
}

const std::string* find_pair(const Pairs& pairs, std::string_view key) {
  for (const auto& [name, value] : pairs)
    if (name == key) return &value;
  return nullptr;
}

void set_pair(Pairs& pairs, std::string_view key, std::string value) {
  for (auto& [name, old] : pairs)
    if (name == key) {
      old = std::move(value);
      return;
    }
  pairs.emplace_back(key, std::move(value));
}

void add_unique(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

}  // namespace nacre::definition
