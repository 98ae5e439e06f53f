#include "index/fields.h"

#include "base/text.h"

#include <algorithm>

namespace nacre::index {
namespace {

using codec::Json;

constexpr std::size_t kShownBytes = 100;  ///< Of foreign text, in an error.

std::string_view type_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "a boolean";
  if (value.is_int()) return "a whole number";
  if (value.is_double()) return "a fraction";
  if (value.is_string()) return "a string";
  return value.is_array() ? "a list" : "an object";
}

}  // namespace

Result<Fields> Fields::of(const Json& json, std::string path) {
  if (!json.is_object()) return wrong(path.empty() ? "the serial" : path, "an object", json);
  return Fields(json, std::move(path));
}

std::string Fields::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

Result<const Json*> Fields::get(std::string_view key, Is is, std::string_view expected) {
  seen_.emplace_back(key);
  const Json* value = json_->find(key);
  if (value == nullptr)
    return Error::make(ErrorKind::kInvalid, "{}: missing, expected {}", path(key), expected);
  if (!(value->*is)()) return wrong(path(key), expected, *value);
  return value;
}

Result<std::string> Fields::text(std::string_view key) {
  const Json* value = TRY(get(key, &Json::is_string, "a string"));
  return value->as_string();
}

Result<std::string> Fields::word(std::string_view key) {
  std::string value = TRY(text(key));
  TRY(check_word(value, path(key)));
  return value;
}

Result<std::uint64_t> Fields::count(std::string_view key) {
  const Json* value = TRY(get(key, &Json::is_int, "a whole number"));
  if (value->as_int() < 0)
    return Error::make(ErrorKind::kInvalid, "{}: expected at least 0, found {}", path(key),
                       value->as_int());
  return static_cast<std::uint64_t>(value->as_int());
}

Result<std::int64_t> Fields::time(std::string_view key) {
  const std::uint64_t seconds = TRY(count(key));
  return static_cast<std::int64_t>(seconds);
}

Result<Sha256> Fields::digest(std::string_view key) {
  const std::string value = TRY(text(key));
  return read_digest(value, path(key));
}

Result<std::vector<std::string>> Fields::words(std::string_view key) {
  const Json* value = TRY(list(key));
  std::vector<std::string> out;
  for (const Json& item : value->items()) {
    const std::string at = fmt::format("{}[{}]", path(key), out.size());
    if (!item.is_string()) return wrong(at, "a string", item);
    TRY(check_word(item.as_string(), at));
    out.push_back(item.as_string());
  }
  return out;
}

Result<const Json*> Fields::list(std::string_view key) {
  return get(key, &Json::is_array, "a list");
}
Result<const Json*> Fields::object(std::string_view key) {
  return get(key, &Json::is_object, "an object");
}

Result<> Fields::finish() const {
  for (const auto& [key, value] : json_->members()) {
    if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) continue;
    const std::string shown = key.substr(0, kShownBytes);
    return Error::make(ErrorKind::kInvalid, "{}: unknown field", path(shown))
        .hint(nearest_hint(shown, seen_));
  }
  return {};
}

Error Fields::wrong(std::string_view at, std::string_view expected, const Json& found) {
  return Error::make(ErrorKind::kInvalid, "{}: expected {}, found {}", at, expected,
                     type_of(found));
}

Result<> Fields::check_word(std::string_view value, std::string_view at) {
  const bool good = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != 0x7f;
  });
  if (good) return {};
  return Error::make(ErrorKind::kInvalid,
                     "{}: expected text without blanks or control characters, found '{}'", at,
                     value.substr(0, kShownBytes));
}

Result<Sha256> Fields::read_digest(std::string_view value, std::string_view at) {
  const Result<Sha256> out = parse_sha256(value);
  if (out && out->oci() == value) return *out;
  return Error::make(
      ErrorKind::kInvalid,
      "{}: expected 'sha256:' and 64 lower-case hexadecimal digits, found '{}'", at,
      value.substr(0, kShownBytes));
}

}  // namespace nacre::index
