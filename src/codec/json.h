#pragma once

#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nacre::codec {

/// A JSON value. Objects keep the order in which keys were set, so that what we write is stable and
/// reads as meant. Copying copies everything.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}                                   // NOLINT: values read as JSON
  Json(bool value) : value_(value) {}                       // NOLINT
  Json(int value) : value_(static_cast<std::int64_t>(value)) {}            // NOLINT
  Json(std::int64_t value) : value_(value) {}               // NOLINT
  Json(std::uint64_t value) : value_(static_cast<std::int64_t>(value)) {}  // NOLINT
  Json(double value) : value_(value) {}                     // NOLINT
  Json(const char* value) : value_(std::string(value)) {}   // NOLINT
  Json(std::string value) : value_(std::move(value)) {}     // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  static Json array(Array items = {});
  static Json object(Object members = {});
  static Json strings(const std::vector<std::string>& items);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Lenient readers: the fallback when absent or of another type.
  bool as_bool(bool fallback = false) const;
  std::int64_t as_int(std::int64_t fallback = 0) const;
  double as_double(double fallback = 0) const;
  const std::string& as_string() const;   ///< "" when not a string.
  const Array& items() const;             ///< Empty when not an array.
  const Object& members() const;          ///< Empty when not an object.
  const Json& operator[](std::string_view key) const;  ///< null when absent.
  const Json* find(std::string_view key) const;        ///< nullptr when absent.
  std::vector<std::string> as_strings() const;         ///< The strings of an array.

  // Strict readers for foreign input: kInvalid naming the key and the type that was expected.
  Result<std::string> string_at(std::string_view key) const;
  Result<std::int64_t> int_at(std::string_view key) const;

  Json& set(std::string key, Json value);  ///< Adds or replaces; turns null into an object. Returns *this.
  Json& push(Json value);                  ///< Appends; turns null into an array. Returns *this.

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  std::size_t max_bytes = 64u << 20;
  int max_depth = 64;
  std::size_t max_values = 4'000'000;
};

/// Reads one JSON text (RFC 8259). kInvalid with line and column in `source`; also for duplicate keys,
/// text after the value, and anything over the limits.
Result<Json> parse_json(std::string_view text, std::string_view source, const JsonLimits& limits = {});

enum class EscapeHtml { kNo, kYes };  ///< kYes writes < > & as \u003c …, as Go does.

/// Compact form: no blanks.
std::string to_json(const Json& value);
/// Indented form with `indent` blanks, final newline.
std::string to_pretty_json(const Json& value, int indent = 2, EscapeHtml html = EscapeHtml::kNo);
/// Keys of every object ordered bytewise, compact: for hashing.
std::string to_canonical_json(const Json& value);

}  // namespace nacre::codec
