#include "codec/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace nacre::codec {
namespace {

const Json kNull;
const std::string kEmptyText;
const Json::Array kNoItems;
const Json::Object kNoMembers;

/// Builds our value from nlohmann's events, within the limits; its own tree would be built unbounded.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(static_cast<std::int64_t>(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) return add(static_cast<double>(value));
    return add(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(string_t& value) override {
    if (open_.back().first.find(value) != nullptr) return fail(fmt::format("duplicate key '{}'", value));
    open_.back().second = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string what = error.what();
    const std::size_t colon = what.rfind("; ");
    offset = position;
    return fail(colon == std::string::npos ? "syntax error" : "this is no JSON: " + what.substr(colon + 2));
  }

  Json result;
  std::string fault;
  std::size_t offset = 0;

 private:
  bool fail(std::string text) {
    if (fault.empty()) fault = std::move(text);
    return false;
  }
  bool add(Json value) {
    if (++values_ > limits_.max_values) return fail(fmt::format("more than {} values", limits_.max_values));
    if (open_.empty()) {
      result = std::move(value);
    } else if (open_.back().first.is_array()) {
      open_.back().first.push(std::move(value));
    } else {
      open_.back().first.set(std::exchange(open_.back().second, {}), std::move(value));
    }
    return true;
  }
  bool open(Json value) {
    if (static_cast<int>(open_.size()) >= limits_.max_depth)
      return fail(fmt::format("nested deeper than {}", limits_.max_depth));
    open_.emplace_back(std::move(value), std::string());
    return true;
  }
  bool close() {
    Json value = std::move(open_.back().first);
    open_.pop_back();
    return add(std::move(value));
  }

  const JsonLimits& limits_;
  std::vector<std::pair<Json, std::string>> open_;
  std::size_t values_ = 0;
};

/// Texts go over in runs: most hold nothing that has to be written otherwise.
void append_text(std::string& out, const std::string& text, EscapeHtml html) {
  out += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool of_html = html == EscapeHtml::kYes && (c == '<' || c == '>' || c == '&');
    if (byte >= 0x20 && c != '"' && c != '\\' && !of_html) continue;
    out.append(text, done, i - done);
    done = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out += fmt::format("\\u{:04x}", byte);
    }
  }
  out.append(text, done);
  out += '"';
}

struct Writer {
  int indent = -1;  ///< -1: compact.
  EscapeHtml html = EscapeHtml::kNo;
  bool sorted = false;
  std::string out;

  void line(int depth) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent * depth), ' ');
  }

  void write(const Json& value, int depth) {
    if (value.is_null()) out += "null";
    else if (value.is_bool()) out += value.as_bool() ? "true" : "false";
    else if (value.is_int()) out += fmt::format("{}", value.as_int());
    else if (value.is_double()) out += fmt::format("{}", value.as_double());
    else if (value.is_string()) append_text(out, value.as_string(), html);
    else if (value.is_array()) write_array(value.items(), depth);
    else write_object(value.members(), depth);
  }

  void write_array(const Json::Array& items, int depth) {
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      write(items[i], depth + 1);
    }
    if (!items.empty()) line(depth);
    out += ']';
  }

  void write_object(const Json::Object& members, int depth) {
    std::vector<const Json::Member*> order;
    for (const Json::Member& member : members) order.push_back(&member);
    if (sorted)
      std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->first < b->first; });
    out += '{';
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      append_text(out, order[i]->first, html);
      out += indent < 0 ? ":" : ": ";
      write(order[i]->second, depth + 1);
    }
    if (!order.empty()) line(depth);
    out += '}';
  }
};

}  // namespace

Json Json::array(Array items) {
  Json out;
  out.value_ = std::move(items);
  return out;
}
Json Json::object(Object members) {
  Json out;
  out.value_ = std::move(members);
  return out;
}
Json Json::strings(const std::vector<std::string>& items) {
  return array(Array(items.begin(), items.end()));
}

bool Json::as_bool(bool fallback) const { return is_bool() ? std::get<bool>(value_) : fallback; }
std::int64_t Json::as_int(std::int64_t fallback) const {
  return is_int() ? std::get<std::int64_t>(value_) : fallback;
}
double Json::as_double(double fallback) const {
  if (is_int()) return static_cast<double>(std::get<std::int64_t>(value_));
  return is_double() ? std::get<double>(value_) : fallback;
}
const std::string& Json::as_string() const { return is_string() ? std::get<std::string>(value_) : kEmptyText; }
const Json::Array& Json::items() const { return is_array() ? std::get<Array>(value_) : kNoItems; }
const Json::Object& Json::members() const { return is_object() ? std::get<Object>(value_) : kNoMembers; }

const Json* Json::find(std::string_view key) const {
  for (const Member& member : members())
    if (member.first == key) return &member.second;
  return nullptr;
}
const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found != nullptr ? *found : kNull;
}
std::vector<std::string> Json::as_strings() const {
  std::vector<std::string> out;
  for (const Json& item : items())
    if (item.is_string()) out.push_back(item.as_string());
  return out;
}

Result<std::string> Json::string_at(std::string_view key) const {
  const Json& value = (*this)[key];
  if (!value.is_string()) return Error::make(ErrorKind::kInvalid, "expected a string under '{}'", key);
  return value.as_string();
}
Result<std::int64_t> Json::int_at(std::string_view key) const {
  const Json& value = (*this)[key];
  if (!value.is_int()) return Error::make(ErrorKind::kInvalid, "expected a whole number under '{}'", key);
  return value.as_int();
}

Json& Json::set(std::string key, Json value) {
  if (!is_object()) value_ = Object();
  for (Member& member : std::get<Object>(value_)) {
    if (member.first != key) continue;
    member.second = std::move(value);
    return *this;
  }
  std::get<Object>(value_).emplace_back(std::move(key), std::move(value));
  return *this;
}
Json& Json::push(Json value) {
  if (!is_array()) value_ = Array();
  std::get<Array>(value_).push_back(std::move(value));
  return *this;
}

Result<Json> parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes)
    return Error::make(ErrorKind::kInvalid, "JSON of {} bytes is longer than the limit of {}", text.size(),
                       limits.max_bytes)
        .at({std::string(source), 0, 0});
  Builder builder(limits);
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.result);
  const std::size_t at = std::min(builder.offset, text.size());
  const std::string_view before = text.substr(0, at);
  const std::size_t last_line = before.rfind('\n');
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t column = last_line == std::string_view::npos ? at : at - last_line - 1;
  return Error::make(ErrorKind::kInvalid, "{}", builder.fault)
      .at({std::string(source), builder.offset == 0 ? 0 : static_cast<int>(line), static_cast<int>(column)});
}

std::string to_json(const Json& value) {
  Writer writer;
  writer.write(value, 0);
  return std::move(writer.out);
}
std::string to_pretty_json(const Json& value, int indent, EscapeHtml html) {
  Writer writer{indent, html, false, {}};
  writer.write(value, 0);
  return std::move(writer.out) + "\n";
}
std::string to_canonical_json(const Json& value) {
  Writer writer{-1, EscapeHtml::kNo, true, {}};
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace nacre::codec
