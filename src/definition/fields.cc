#include "definition/fields.h"

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

Result<Fields> Fields::of(const Value& value, std::string_view what) {
  if (!value.is_null() && value.node->kind != codec::YamlKind::kMapping)
    return value.invalid("expected a mapping for {}, found {}", what, shape_of(*value.node));
  return Fields(value, what);
}

std::optional<Value> Fields::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const codec::YamlNode* node = value_.node->find(key);
  if (!node || node->kind == codec::YamlKind::kNull) return std::nullopt;
  return Value{value_.tree, node};
}

Result<> Fields::text(std::string_view key, std::string& out) {
  if (const auto value = find(key)) out = TRY(value->text(), "reading '{}' of {}", key, what_);
  return {};
}

Result<> Fields::flag(std::string_view key, bool& out) {
  if (const auto value = find(key)) out = TRY(value->flag(), "reading '{}' of {}", key, what_);
  return {};
}

Result<> Fields::texts(std::string_view key, std::vector<std::string>& out) {
  if (const auto value = find(key)) out = TRY(value->texts(), "reading '{}' of {}", key, what_);
  return {};
}

Result<> Fields::pairs(std::string_view key, Pairs& out) {
  if (const auto value = find(key)) out = TRY(value->pairs(), "reading '{}' of {}", key, what_);
  return {};
}

void Fields::skip(std::initializer_list<std::string_view> keys) {
  known_.insert(known_.end(), keys.begin(), keys.end());
}

Result<> Fields::done() const {
  for (const auto& entry : value_.node->entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    Error error = Error::make(ErrorKind::kInvalid, "unknown field '{}' in {}", entry.key, what_)
                      .at(value_.tree->place(entry.key_span));
    std::string hint = nearest_hint(entry.key, known_);
    if (hint.empty()) hint = "known are: " + join(known_, ", ");
    return std::move(error).hint(std::move(hint));
  }
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
