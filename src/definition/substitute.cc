#include "definition/substitute.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr std::string_view kOpen = "${{", kClose = "}}";
constexpr std::size_t kMaxNameBytes = 512;  ///< Braces further apart hold no name.

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else out += c;
  }
  return out + '"';
}

/// The line of `offset` in the text of `where`: exact for blocks, the first line for the rest.
Place place_in(const Value& where, std::string_view text, std::size_t offset) {
  Place place = where.place();
  const bool block = where.node->style == codec::ScalarStyle::kLiteral ||
                     where.node->style == codec::ScalarStyle::kFolded;
  if (where.node->kind != codec::YamlKind::kScalar || !block) return place;
  const auto lines =
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  place.line += 1 + static_cast<int>(lines);
  place.column = 0;
  return place;
}

}  // namespace

Result<std::string> Replacer::apply(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t open = text.find(kOpen);
    if (open == std::string_view::npos) break;
    const std::string_view inside = text.substr(open + kOpen.size(), kMaxNameBytes);
    const std::size_t close = inside.find(kClose);
    out += text.substr(0, open);
    const auto found =
        close == std::string_view::npos ? names_.end() : names_.find(inside.substr(0, close));
    if (found == names_.end()) {
      out += kOpen;
      text.remove_prefix(open + kOpen.size());
    } else {
      out += found->second;
      text.remove_prefix(open + kOpen.size() + close + kClose.size());
    }
    if (out.size() > kMaxTextBytes) break;
  }
  out += text;
  made_ += out.size();
  if (out.size() > kMaxTextBytes || made_ > kMaxTotalBytes)
    return Error::make(ErrorKind::kInvalid, "the variables in it make it too long");
  return out;
}

Result<> Replacer::below(codec::YamlNode& node) {
  if (node.kind == codec::YamlKind::kScalar && node.text.find(kOpen) != std::string::npos)
    node.text = TRY(apply(node.text));
  for (codec::YamlNode& item : node.items) TRY(below(item));
  for (auto& entry : node.entries) TRY(below(entry.value));
  return {};
}

Result<> Replacer::fields(codec::YamlNode& mapping, std::initializer_list<std::string_view> keys) {
  for (auto& entry : mapping.entries)
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) TRY(below(entry.value));
  return {};
}

Replacer Replacer::with_range(std::string_view key, std::string_view value) const {
  Replacer out(names_);
  out.names_["range.key"] = key;
  out.names_["range.value"] = value;
  return out;
}

const std::string* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->outer_)
    if (const auto found = scope->names_.find(name); found != scope->names_.end())
      return &found->second;
  return nullptr;
}

std::vector<std::string> Scope::all_names() const {
  std::vector<std::string> out;
  for (const Scope* scope = this; scope; scope = scope->outer_)
    for (const auto& [name, value] : scope->names_) out.push_back(name);
  return out;
}

Error unknown_variable(std::string_view name, const Scope& scope) {
  Error error = Error::make(ErrorKind::kInvalid, "unknown variable '${{{{{}}}}}'", name);
  std::string hint = nearest_hint(name, scope.all_names());
  return hint.empty() ? std::move(error) : std::move(error).hint(std::move(hint));
}

Result<std::string> expand_with(std::string_view text, const LookUp& look_up, const Value& where,
                                Quoting quoting) {
  std::string out;
  std::size_t at = 0;
  while (true) {
    const std::size_t open = text.find(kOpen, at);
    if (open == std::string_view::npos) break;
    const std::size_t start = open + kOpen.size();
    const std::size_t close = text.find(kClose, start);
    if (close == std::string_view::npos)
      return Error::make(ErrorKind::kInvalid, "'${{{{' without '}}}}'")
          .at(place_in(where, text, open));
    const std::string_view name = trim(text.substr(start, close - start));
    if (!is_name(name))
      return Error::make(ErrorKind::kInvalid,
                         "expected the name of a variable in '${{{{…}}}}', found '{}'", name)
          .at(place_in(where, text, open));
    auto value = look_up(name);
    if (!value) return std::move(value).error().at(place_in(where, text, open));
    out += text.substr(at, open - at);
    out += quoting == Quoting::kQuoted ? in_quotes(*value) : *value;
    if (out.size() > kMaxTextBytes)
      return where.invalid("longer than {} bytes with its variables", kMaxTextBytes);
    at = close + kClose.size();
  }
  out += text.substr(at);
  if (out.size() > kMaxTextBytes) return where.invalid("longer than {} bytes", kMaxTextBytes);
  return out;
}

Result<std::string> expand(std::string_view text, const Scope& scope, const Value& where,
                           Quoting quoting) {
  const LookUp look_up = [&](std::string_view name) -> Result<std::string> {
    if (const std::string* value = scope.find(name)) return *value;
    return unknown_variable(name, scope);
  };
  return expand_with(text, look_up, where, quoting);
}

}  // namespace nacre::definition
