#pragma once

// Kinds of characters in ASCII, whatever the locale says: bytes from 128 on are of none.
namespace nacre {

/// '0' to '9'.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }
/// What names in C, shells and regular expressions are made of.
constexpr bool is_word_character(char c) { return is_alphanumeric(c) || c == '_'; }

}  // namespace nacre
