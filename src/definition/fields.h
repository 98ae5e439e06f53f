#pragma once

#include "base/result.h"
#include "base/text.h"
#include "codec/yaml.h"
#include "definition/definition.h"

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::definition {

/// A node and the tree that its place is in. Both outlive the value.
struct Value {
  const codec::YamlTree* tree = nullptr;
  const codec::YamlNode* node = nullptr;

  Place place() const { return tree->place(node->span); }
  bool is_null() const { return node->kind == codec::YamlKind::kNull; }

  template <class... A>
  Error invalid(fmt::format_string<A...> text, A&&... args) const {
    return Error::make(ErrorKind::kInvalid, text, std::forward<A>(args)...).at(place());
  }

  // Strict readers: kInvalid at the value's place when it has another shape; null is the empty
  // value.
  Result<std::string> text() const;
  Result<bool> flag() const;
  Result<std::vector<std::string>> texts() const;  ///< A list of scalars.
  Result<Pairs> pairs() const;                     ///< A mapping of scalars, in the text's order.
  Result<std::vector<Value>> list() const;

  /// A decimal number; a sign only for signed types.
  template <std::integral Int>
  Result<Int> number() const {
    const std::string digits = TRY(text());
    const char* start = digits.data() + (digits.starts_with('+') && digits.size() > 1 ? 1 : 0);
    const char* end = digits.data() + digits.size();
    Int out{};
    const auto [stop, status] = std::from_chars(start, end, out);
    if (status != std::errc{} || stop != end)
      return invalid("expected a number, found '{}'", digits);
    if (end - start > 1 && *start == '0')
      return invalid("'{}' is octal to some readers of YAML and decimal to others", digits)
          .hint("write it without the zero in front");
    return out;
  }
};

/// First entry of that name, or nullptr.
const std::string* find_pair(const Pairs& pairs, std::string_view key);

/// Adds, or replaces in place.
void set_pair(Pairs& pairs, std::string_view key, std::string value);

/// Appends unless it is there.
void add_unique(std::vector<std::string>& list, const std::string& item);

}  // namespace nacre::definition
