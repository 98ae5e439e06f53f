#include "definition/condition.h"

#include "base/text.h"

#include <string>

namespace nacre::definition {
namespace {

constexpr int kMaxDepth = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<bool> all() {
    const bool out = TRY(expression(0));
    skip_blanks();
    if (at_ < text_.size()) return fault("&& or ||");
    return out;
  }

 private:
  Error fault(std::string_view expected) const {
    std::string found = at_ < text_.size() ? fmt::format("'{}'", text_.substr(at_)) : "the end";
    return Error::make(ErrorKind::kInvalid, "condition: expected {}, found {}", expected, found);
  }

  void skip_blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool take(std::string_view token) {
    skip_blanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  Result<bool> expression(int depth) {
    bool out = TRY(atom(depth));
    while (true) {
      if (take("&&")) {
        const bool right = TRY(atom(depth));
        out = out && right;
      } else if (take("||")) {
        const bool right = TRY(atom(depth));
        out = out || right;
      } else {
        return out;
      }
    }
  }

  Result<bool> atom(int depth) {
    if (depth > kMaxDepth)
      return Error::make(ErrorKind::kInvalid, "condition: too many parentheses");
    if (take("(")) {
      const bool out = TRY(expression(depth + 1));
      if (!take(")")) return fault("')'");
      return out;
    }
    const std::string left = TRY(value());
    const bool equal = take("==");
    if (!equal && !take("!=")) return fault("== or !=");
    const std::string right = TRY(value());
    return equal == (left == right);
  }

  Result<std::string> value() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '"' && quote != '\'')
      return fault("a text in quotes or a variable")
          .hint("${{package.…}} and ${{vars.…}} stand in quotes: '${{vars.tls}}' == 'on'");
    const std::size_t start = at_++;
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        switch (text_[at_]) {
          case 'n': out += '\n'; break;
          case 't': out += '\t'; break;
          case '\\':
          case '\'':
          case '"': out += text_[at_]; break;
          default: (out += '\\') += text_[at_];
        }
      } else {
        out += text_[at_];
      }
      ++at_;
    }
    if (at_ == text_.size()) {
      at_ = start;
      return fault("a closing quote");
    }
    ++at_;
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<bool> evaluate_condition(std::string_view text) {
  if (trim(text).empty()) return true;
  return Parser(text).all();
}

}  // namespace nacre::definition
