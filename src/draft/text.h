#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Small readers that several build systems share. They read what is written, and run nothing: a value that is computed
// is not known.
namespace nacre::draft {

std::string lower(std::string_view text);

/// On one line, blanks folded, without control characters, at most `max` bytes (cut at a word).
std::string one_line(std::string_view text, std::size_t max = 200);

/// "1.2-rc1" as apk writes it: "1.2_rc1"; empty when it cannot be one.
std::string apk_version(std::string_view version);

/// As the name of a package: small letters, '-' for what cannot stand there.
std::string package_name(std::string_view name);

/// The text in quotes (' or ") that follows `name` and a mark ('=', ':', '=>', '(' or nothing but blanks), where
/// `name` stands as a word. nullopt where there is none, or it holds a variable.
std::optional<std::string> quoted_after(std::string_view text, std::string_view name);

/// All texts in quotes of `text`.
std::vector<std::string> all_quoted(std::string_view text);

/// What stands between the bracket that follows `name` and its partner.
std::string_view block_after(std::string_view text, std::string_view name);

/// `NAME(…)` somewhere in a text.
struct Call {
  std::string_view name, inside;
  std::size_t at = 0;
};
enum class Language { kM4, kCMake, kMeson };
/// All calls, in the order in which they begin; one pass. Comments and texts in quotes are passed over.
std::vector<Call> find_calls(std::string_view text, Language language);

/// The arguments of a call: by commas, of CMake by blanks; quotes and m4's outermost brackets are taken off.
std::vector<std::string> arguments_of(const Call& call, Language language);

int line_at(std::string_view text, std::size_t at);

}  // namespace nacre::draft
