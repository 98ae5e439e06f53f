#include "image/spec_reader.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace nacre::image {

using codec::YamlKind;
using codec::YamlNode;

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlKind::kNull: return "nothing";
    case YamlKind::kScalar: return "a text";
    case YamlKind::kSequence: return "a list";
    case YamlKind::kMapping: return "a mapping";
  }
  return "something else";
}

bool is_account_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), fits);
}

Result<> SpecReader::only(const YamlNode& mapping, std::string_view what, std::vector<std::string> known,
                          const std::vector<std::string>& missing) const {
  for (const YamlNode::Entry& entry : mapping.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const Place at = yaml_.place(entry.key_span);
    if (std::find(missing.begin(), missing.end(), entry.key) != missing.end())
      return Error::make(ErrorKind::kInvalid, "nacre does not have '{}' in {} yet", entry.key, what).at(at);
    Error error = Error::make(ErrorKind::kInvalid, "unknown field '{}' in {}", entry.key, what).at(at);
    std::string hint = nearest_hint(entry.key, known);
    if (hint.empty()) hint = "known are " + join(known, ", ");
    return std::move(error).hint(std::move(hint));
  }
  return {};
}

Result<const YamlNode*> SpecReader::mapping(const YamlNode& in, std::string_view key) const {
  const YamlNode* node = in.find(key);
  if (node == nullptr || node->kind == YamlKind::kNull) return static_cast<const YamlNode*>(nullptr);
  if (node->kind != YamlKind::kMapping)
    return fault(*node, "'{}' should be a mapping, and is {}", key, kind_name(*node));
  return node;
}

Result<std::vector<const YamlNode*>> SpecReader::mappings(const YamlNode& in, std::string_view key) const {
  std::vector<const YamlNode*> out;
  const YamlNode* node = in.find(key);
  if (node == nullptr || node->kind == YamlKind::kNull) return out;
  if (node->kind != YamlKind::kSequence)
    return fault(*node, "'{}' should be a list, and is {}", key, kind_name(*node));
  for (const YamlNode& item : node->items) {
    if (item.kind != YamlKind::kMapping)
      return fault(item, "'{}' should hold mappings, and holds {}", key, kind_name(item));
    out.push_back(&item);
  }
  return out;
}

Result<std::string> SpecReader::text(const YamlNode& in, std::string_view key) const {
  const YamlNode* node = in.find(key);
  if (node == nullptr || node->kind == YamlKind::kNull) return std::string();
  if (node->kind != YamlKind::kScalar)
    return fault(*node, "'{}' should be a text, and is {}", key, kind_name(*node));
  if (node->text.find('\0') != std::string::npos) return fault(*node, "'{}' has a NUL byte", key);
  return node->text;
}

Result<std::string> SpecReader::required(const YamlNode& in, std::string_view key) const {
  std::string out = TRY(text(in, key));
  if (out.empty()) return fault(in, "'{}' is missing", key);
  return out;
}

Result<std::vector<std::string>> SpecReader::texts(const YamlNode& in, std::string_view key,
                                                   std::vector<Place>* places) const {
  std::vector<std::string> out;
  const YamlNode* node = in.find(key);
  if (node == nullptr || node->kind == YamlKind::kNull) return out;
  if (node->kind != YamlKind::kSequence)
    return fault(*node, "'{}' should be a list, and is {}", key, kind_name(*node));
  for (const YamlNode& item : node->items) {
    if (item.kind != YamlKind::kScalar || item.text.empty())
      return fault(item, "'{}' should hold texts, and holds {}", key, kind_name(item));
    if (item.text.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
      return fault(item, "'{}' holds a text with a line end or NUL byte", key);
    out.push_back(item.text);
    if (places != nullptr) places->push_back(place(item));
  }
  return out;
}

Result<definition::Pairs> SpecReader::pairs(const YamlNode& in, std::string_view key) const {
  definition::Pairs out;
  const YamlNode* node = TRY(mapping(in, key));
  if (node == nullptr) return out;
  for (const YamlNode::Entry& entry : node->entries) {
    if (entry.value.kind != YamlKind::kScalar && entry.value.kind != YamlKind::kNull)
      return fault(entry.value, "'{}.{}' should be a text, and is {}", key, entry.key, kind_name(entry.value));
    if (entry.value.text.find('\0') != std::string::npos || entry.key.find('\0') != std::string::npos)
      return fault(entry.value, "'{}' has a NUL byte", key);
    out.emplace_back(entry.key, entry.value.text);
  }
  return out;
}

Result<std::string> SpecReader::account_name(const YamlNode& in, std::string_view key) const {
  std::string name = TRY(required(in, key));
  if (!is_account_name(name)) return fault(*in.find(key), "'{}' is no account name", name);
  return name;
}

Result<std::string> SpecReader::account_field(const YamlNode& in, std::string_view key) const {
  std::string value = TRY(text(in, key));
  if (value.find_first_of(":\n") != std::string::npos)
    return fault(*in.find(key), "'{}' may hold neither ':' nor a line end", key);
  return value;
}

Result<unsigned> SpecReader::number(const YamlNode& node, std::string_view what) const {
  unsigned out = 0;
  const std::string& text = node.text;
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (node.kind != YamlKind::kScalar || text.empty() || status != std::errc{} ||
      stop != text.data() + text.size())
    return fault(node, "{} should be a number from 0 to 4294967295, and is '{}'", what, text);
  return out;
}

Result<unsigned> SpecReader::mode(const YamlNode& node) const {
  std::string_view digits = node.text;
  const bool octal = digits.starts_with("0");  // 755 would be the decimal number, which nobody means
  if (digits.starts_with("0o")) digits.remove_prefix(2);
  unsigned out = 0;
  const auto [stop, status] = std::from_chars(digits.data(), digits.data() + digits.size(), out, 8);
  if (node.kind != YamlKind::kScalar || !octal || digits.empty() || status != std::errc{} ||
      stop != digits.data() + digits.size() || out > 07777)
    return fault(node, "permissions should be an octal number, and is '{}'", node.text)
        .hint("write it as 0o755");
  return out;
}

Result<bool> SpecReader::flag(const YamlNode& node, std::string_view what) const {
  if (node.kind == YamlKind::kScalar && node.text == "true") return true;
  if (node.kind == YamlKind::kScalar && node.text == "false") return false;
  return fault(node, "{} should be true or false, and is '{}'", what, node.text);
}

}  // namespace nacre::image
