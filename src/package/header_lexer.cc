#include "package/header_lexer.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>

namespace nacre::package {
namespace {

/// Bytes of UTF-8 may stand in names.
bool begins_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (c & 0x80) != 0;
}
bool in_word(char c) { return begins_word(c) || is_digit(c); }

using Token = HeaderToken;

class Lexer {
 public:
  explicit Lexer(std::string_view in) : in_(in) { skip_joints(); }

  HeaderTokens run() {
    while (!at_end()) {
      const char c = cur();
      if (c == '\n') {
        take();
        first_ = true;
        spaced_ = true;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        take();
        spaced_ = true;
      } else if (c == '/' && next() == '*') {
        block_comment();
      } else if (c == '/' && next() == '/') {
        while (!at_end() && cur() != '\n') take();
        spaced_ = true;
      } else {
        if (c == '\0') out_.whole = false;
        token();
      }
    }
    return std::move(out_);
  }

 private:
  bool at_end() const { return at_ >= in_.size(); }
  char cur() const { return in_[at_]; }

  /// Where the next character of the joined line stands.
  std::size_t after(std::size_t at) const {
    ++at;
    while (at < in_.size() && in_[at] == '\\') {
      if (in_.substr(at + 1, 1) == "\n") at += 2;
      else if (in_.substr(at + 1, 2) == "\r\n") at += 3;
      else break;
    }
    return std::min(at, in_.size());
  }
  char next() const {
    const std::size_t at = after(at_);
    return at < in_.size() ? in_[at] : '\0';
  }

  void count_lines(std::size_t from, std::size_t to) {
    line_ += static_cast<std::uint32_t>(std::count(in_.begin() + static_cast<std::ptrdiff_t>(from),
                                                   in_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
  }
  char take() {
    const char c = cur();
    const std::size_t to = after(at_);
    count_lines(at_, to);
    at_ = to;
    return c;
  }
  void skip_joints() {
    while (!at_end() && cur() == '\\' && (in_.substr(at_ + 1, 1) == "\n" || in_.substr(at_ + 1, 2) == "\r\n")) {
      at_ += in_[at_ + 1] == '\n' ? 2 : 3;
      ++line_;
    }
  }

  void block_comment() {
    take();
    take();
    const std::size_t end = in_.find("*/", at_);
    if (end == std::string_view::npos) out_.whole = false;
    const std::size_t to = end == std::string_view::npos ? in_.size() : end + 2;
    count_lines(at_, to);
    at_ = to;
    skip_joints();
    spaced_ = true;
  }

  void token() {
    Token token;
    token.line = line_;
    token.spaced = spaced_;
    token.first = first_;
    first_ = spaced_ = false;
    const char c = cur();
    if (begins_word(c)) {
      token.kind = Token::Kind::kWord;
      while (!at_end() && in_word(cur())) token.text += take();
      if (!at_end() && cur() == '"' && is_raw_prefix(token.text) && raw_string(token)) token.kind = Token::Kind::kText;
    } else if (is_digit(c) || (c == '.' && is_digit(next()))) {
      token.kind = Token::Kind::kNumber;
      number(token);
    } else if ((c == '"' || c == '\'') && quoted(token)) {
      token.kind = Token::Kind::kText;
    } else {
      token.text += take();
    }
    out_.tokens.push_back(std::move(token));
  }

  void number(Token& token) {
    while (!at_end()) {
      const char c = cur();
      const char last = token.text.empty() ? '\0' : token.text.back();
      const bool sign = (c == '+' || c == '-') && (last == 'e' || last == 'E' || last == 'p' || last == 'P');
      const bool separator = c == '\'' && in_word(next());
      if (!in_word(c) && c != '.' && !sign && !separator) return;
      token.text += take();
    }
  }

  /// A quote that does not end in its line is a character like others: "#error don't".
  bool quoted(Token& token) {
    const std::size_t was = at_;
    const std::uint32_t line = line_;
    const char quote = take();
    token.text = quote;
    while (!at_end() && cur() != '\n') {
      const char c = take();
      token.text += c;
      if (c == quote) return true;
      if (c == '\\' && !at_end() && cur() != '\n') token.text += take();
    }
    at_ = was;
    line_ = line;
    token.text.clear();
    return false;
  }

  static bool is_raw_prefix(std::string_view word) {
    static constexpr std::array<std::string_view, 5> kPrefixes = {"R", "uR", "UR", "LR", "u8R"};
    return std::find(kPrefixes.begin(), kPrefixes.end(), word) != kPrefixes.end();
  }

  bool raw_string(Token& token) {
    const std::size_t open = in_.find('(', at_);
    if (open == std::string_view::npos || open - at_ > 17) return false;
    const std::string_view mark = in_.substr(at_ + 1, open - at_ - 1);
    if (mark.find_first_of(" \\)\n\"") != std::string_view::npos) return false;
    const std::string close = ")" + std::string(mark) + "\"";
    const std::size_t end = in_.find(close, open);
    if (end == std::string_view::npos) out_.whole = false;
    const std::size_t to = end == std::string_view::npos ? in_.size() : end + close.size();
    token.text += in_.substr(at_, to - at_);
    count_lines(at_, to);
    at_ = to;
    skip_joints();
    return true;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool spaced_ = false, first_ = true;
  HeaderTokens out_;
};

}  // namespace

HeaderTokens lex_header(std::string_view text) { return Lexer(text).run(); }

}  // namespace nacre::package
