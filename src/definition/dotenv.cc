#include "definition/dotenv.h"

#include "base/ascii.h"
#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::definition {
namespace {

/// Of all values together: a variable that stands for two others, thirty times over, would fill any memory.
constexpr std::size_t kMaxValueBytes = 4u << 20;

bool is_name_char(char c) { return is_word_character(c) || c == '.'; }

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Result<Pairs> all() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (true) {
      skip(" \t\r\n");
      if (at_ == text_.size()) return std::move(out_);
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      TRY(line());
    }
  }

 private:
  Error fault(std::string_view expected) const {
    const auto lines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return Error::make(ErrorKind::kInvalid, "expected {}", expected)
        .at(Place{file_, static_cast<int>(lines) + 1, 0})
        .hint("a line is NAME=value, NAME=\"value\" or a comment");
  }

  void skip(std::string_view blanks) {
    at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size());
  }

  std::string_view name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  Result<> line() {
    std::string_view key = name();
    if (key == "export" && at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) {
      skip(" \t");
      key = name();
    }
    skip(" \t");
    if (key.empty()) return fault("the name of a variable");
    if (at_ == text_.size() || (text_[at_] != '=' && text_[at_] != ':')) return fault("'=' behind the name");
    ++at_;
    skip(" \t");
    std::string value = TRY(this->value());
    total_ += value.size();
    set_pair(out_, key, std::move(value));
    return {};
  }

  Result<std::string> value() {
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '"' && quote != '\'') {
      std::string_view rest = text_.substr(at_, std::min(text_.find('\n', at_), text_.size()) - at_);
      at_ += rest.size();
      if (rest.starts_with('#')) rest = {};
      return expand(trim(rest.substr(0, std::min(rest.find(" #"), rest.size()))));
    }
    std::string raw;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      raw += text_[at_];
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) raw += text_[++at_];
    }
    if (at_ == text_.size()) return fault("a closing quote");
    ++at_;
    skip(" \t\r");
    if (at_ < text_.size() && text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
    if (at_ < text_.size() && text_[at_] != '\n') return fault("nothing behind the closing quote");
    if (quote == '\'') return raw;
    return expand(raw);
  }

  Result<> bounded(const std::string& out) const {
    if (total_ + out.size() <= kMaxValueBytes) return {};
    return fault(fmt::format("at most {} bytes of values", kMaxValueBytes));
  }

  /// Variables and, as far as they mean something, backslashes.
  Result<std::string> expand(std::string_view raw) const {
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '\\' && i + 1 < raw.size()) {
        const char next = raw[++i];
        if (next == 'n') out += '\n';
        else if (next == 'r') out += '\r';
        else if (next == 't') out += '\t';
        else if (next == '"' || next == '\\' || next == '$' || next == '\'') out += next;
        else (out += '\\') += next;
      } else if (raw[i] == '$') {
        const bool braces = raw.substr(i + 1).starts_with('{');
        const std::size_t start = i + (braces ? 2 : 1);
        std::size_t end = start;
        while (end < raw.size() && is_word_character(raw[end])) ++end;
        if (end == start || (braces && (end == raw.size() || raw[end] != '}'))) {
          out += '$';
          continue;
        }
        if (const std::string* known = find_pair(out_, raw.substr(start, end - start))) out += *known;
        TRY(bounded(out));
        i = braces ? end : end - 1;
      } else {
        out += raw[i];
      }
    }
    return out;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0, total_ = 0;
  Pairs out_;
};

}  // namespace

Result<Pairs> parse_dotenv(std::string_view text, const std::string& file) { return Reader(text, file).all(); }

}  // namespace nacre::definition
