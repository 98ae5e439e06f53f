#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace nacre {

/// The number that all of `text` is, in decimal; a '-' only for signed types. Nothing for anything else: blanks, a '+',
/// no text, more than `Int` holds.
template <std::integral Int>
std::optional<Int> whole_number(std::string_view text) {
  Int out{};
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, out);
  return status == std::errc{} && stop == end ? std::optional(out) : std::nullopt;
}

}  // namespace nacre
