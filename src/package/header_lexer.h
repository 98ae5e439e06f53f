#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// One token of a header.
struct HeaderToken {
  enum class Kind : std::uint8_t { kWord, kNumber, kText, kMark } kind = Kind::kMark;
  std::string text;       ///< Without the backslashes that join lines.
  std::uint32_t line = 0;
  bool spaced = false;    ///< White space or a comment stands before it.
  bool first = false;     ///< The first of its line.

  bool is(std::string_view what) const { return text == what && kind != Kind::kText; }
};

struct HeaderTokens {
  std::vector<HeaderToken> tokens;
  bool whole = true;  ///< False: a comment or a raw string does not end, or there is a byte 0.
};

/// Cuts C or C++ into tokens: comments gone, joined lines joined, texts in quotes (raw ones too) each one token, marks
/// one character each.
HeaderTokens lex_header(std::string_view text);

}  // namespace nacre::package
