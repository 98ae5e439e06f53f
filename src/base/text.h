#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre {

/// Parts of `text` between `separator`s; empty parts are kept, so "a,,b" gives three.
std::vector<std::string> split(std::string_view text, char separator);

/// Words of `text`, parted by any run of blanks, tabs or line ends.
std::vector<std::string> split_words(std::string_view text);

std::string join(std::span<const std::string> parts, std::string_view separator);

/// Without blanks, tabs, carriage returns and line feeds at both ends.
std::string_view trim(std::string_view text);

std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// The name among `known` that a person most likely meant: least edit distance (with swaps of
/// neighbours), and only when at most a third of the letters differ. For "did you mean" hints.
std::optional<std::string> nearest_name(std::string_view wanted, std::span<const std::string> known);

/// "did you mean 'x'?" or the empty string.
std::string nearest_hint(std::string_view wanted, std::span<const std::string> known);

/// `text` in single quotes for POSIX sh, safe for any bytes but NUL.
std::string shell_quote(std::string_view text);

/// `text` for a place in HTML or XML, also within double quotes: < > & " as their entities.
std::string escape_markup(std::string_view text);

/// `text` for a terminal: what would move its cursor, colour it or name its window becomes a blank: control characters,
/// those of Unicode too, but line ends and tabs.
std::string for_terminal(std::string text);

/// "1.4 MiB", "512 B": for people, one decimal place.
std::string human_bytes(std::uint64_t bytes);

/// "1.2 s", "3 min 05 s", "85 ms": for people.
std::string human_duration(double seconds);

}  // namespace nacre
