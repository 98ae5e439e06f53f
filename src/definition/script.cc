#include "definition/script.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr std::string_view kReserved[] = {"if",    "then", "else", "elif", "fi",   "do",   "done", "while",
                                          "until", "!",    "{",    "}",    "time", "case", "esac", "function"};

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+';
  };
  return std::all_of(word.begin(), word.begin() + static_cast<long>(equals), is_name);
}

/// One pass over a script.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<ScriptCommand> run() {
    while (at_ < text_.size()) step();
    end_command();
    return std::move(out_);
  }

 private:
  enum class Target { kWord, kRead, kWrite, kAppend, kDelimiter };

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void step() {
    const char c = peek();
    if (c == '\\') return escape();
    if (c == '\'') return single();
    if (c == '"') return twice();
    if (c == '$' && peek(1) == '(') return nested('(', ')', 2);
    if (c == '$' && peek(1) == '{') return nested('{', '}', 2);
    if (c == '`') return until('`');
    if (c == '<' || c == '>') return redirect();
    if (c == '#' && !in_word_) return comment();
    if (c == ' ' || c == '\t' || c == '\r') {
      end_word();
      ++at_;
      return;
    }
    if (c == '\n') return line_end();
    // Descriptors beside redirections (2>&1, &>file) end no command.
    if (c == '&' && peek(1) == '>') {
      end_word();
      ++at_;
      return redirect();
    }
    if (c == ';' || c == '|' || c == '&' || c == '(' || c == ')') {
      end_command();
      ++at_;
      return;
    }
    add(c);
    ++at_;
  }

  void add(char c) {
    word_ += c;
    in_word_ = true;
  }

  void escape() {
    if (peek(1) == '\n') {
      at_ += 2;
      ++line_;
      return;
    }
    if (at_ + 1 < text_.size()) add(text_[at_ + 1]);
    at_ += 2;
  }

  void single() {
    in_word_ = true;
    for (++at_; at_ < text_.size() && text_[at_] != '\''; ++at_) {
      line_ += text_[at_] == '\n';
      word_ += text_[at_];
    }
    ++at_;
  }

  void twice() {
    in_word_ = true;
    for (++at_; at_ < text_.size() && text_[at_] != '"';) {
      if (text_[at_] == '$' && peek(1) == '(') {
        nested('(', ')', 2);
        continue;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      line_ += text_[at_] == '\n';
      word_ += text_[at_++];
    }
    ++at_;
  }

  /// An expansion, as one piece of a word, with the quotes in it.
  void nested(char open, char close, std::size_t head) {
    int depth = 1;
    char quote = '\0';
    for (std::size_t i = 0; i < head; ++i) add(text_[at_++]);
    for (; at_ < text_.size() && depth > 0; ++at_) {
      const char c = text_[at_];
      if (quote != '\0') quote = c == quote ? '\0' : quote;
      else if (c == '"' || c == '\'') quote = c;
      else if (c == open) ++depth;
      else if (c == close) --depth;
      line_ += c == '\n';
      add(c);
    }
  }

  void until(char mark) {
    add(text_[at_++]);
    for (; at_ < text_.size() && text_[at_] != mark; ++at_) {
      line_ += text_[at_] == '\n';
      add(text_[at_]);
    }
    if (at_ < text_.size()) add(text_[at_++]);
  }

  void comment() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void redirect() {
    // The digits in front are a descriptor.
    if (in_word_ && word_.find_first_not_of("0123456789") == std::string::npos) drop_word();
    end_word();
    const char c = peek();
    if (c == '<' && peek(1) == '<' && peek(2) == '<') {
      at_ += 3;
      target_ = Target::kRead;
      return;
    }
    if (c == '<' && peek(1) == '<') {
      at_ += 2;
      tabs_ = peek() == '-';
      at_ += tabs_;
      target_ = Target::kDelimiter;
      return;
    }
    if ((c == '<' || c == '>') && peek(1) == '(') {  // <(…): a word
      add(c);
      ++at_;
      return nested('(', ')', 1);
    }
    ++at_;
    const bool twice = c == '>' && peek() == '>';
    at_ += twice || peek() == '|';
    if (peek() == '&') {  // 2>&1
      ++at_;
      while (peek() == '-' || (peek() >= '0' && peek() <= '9')) ++at_;
      return;
    }
    target_ = c == '<' ? Target::kRead : twice ? Target::kAppend : Target::kWrite;
  }

  void line_end() {
    end_word();
    const bool pending = !delimiters_.empty();
    end_command();
    ++at_;
    ++line_;
    if (!pending) return;
    for (const auto& [word, tabs] : delimiters_) skip_document(word, tabs);
    delimiters_.clear();
  }

  void skip_document(const std::string& word, bool tabs) {
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view line = text_.substr(at_, end - at_);
      at_ = std::min(end + 1, text_.size());
      ++line_;
      while (tabs && line.starts_with('\t')) line.remove_prefix(1);
      if (line == word) return;
    }
  }

  void drop_word() {
    word_.clear();
    in_word_ = false;
  }

  void end_word() {
    if (!in_word_) return;
    if (now_.words.empty() && target_ == Target::kWord) now_.line = line_;
    switch (target_) {
      case Target::kWord: now_.words.push_back(word_); break;
      case Target::kRead: now_.reads.push_back(word_); break;
      case Target::kAppend: now_.appends = true; [[fallthrough]];
      case Target::kWrite: now_.writes.push_back(word_); break;
      case Target::kDelimiter:
        now_.here_document = true;
        delimiters_.emplace_back(word_, tabs_);
        break;
    }
    target_ = Target::kWord;
    drop_word();
    // Words that only begin a command of the grammar.
    if (now_.words.size() == 1) {
      const std::string& first = now_.words.front();
      if (std::find(std::begin(kReserved), std::end(kReserved), first) != std::end(kReserved) || is_assignment(first))
        now_.words.clear();
    }
  }

  void end_command() {
    end_word();
    if (!now_.words.empty() || !now_.writes.empty()) out_.push_back(std::move(now_));
    now_ = {};
    now_.line = line_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 0;
  std::string word_;
  bool in_word_ = false, tabs_ = false;
  Target target_ = Target::kWord;
  ScriptCommand now_;
  std::vector<std::pair<std::string, bool>> delimiters_;
  std::vector<ScriptCommand> out_;
};

}  // namespace

std::vector<ScriptCommand> script_commands(std::string_view script) { return Splitter(script).run(); }

std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> out;
  // Behind a name, so that what looks like an assignment is a word; switches may stand on several lines.
  std::string line = "x ";
  for (const char c : text) line += c == '\n' ? ' ' : c;
  for (ScriptCommand& command : script_commands(line))
    for (std::string& word : command.words) out.push_back(std::move(word));
  if (!out.empty()) out.erase(out.begin());
  return out;
}

std::string_view base_name(std::string_view word) { return word.substr(word.rfind('/') + 1); }

}  // namespace nacre::definition
