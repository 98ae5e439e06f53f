#include "definition/shell.h"

#include "base/ascii.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace nacre::definition {
namespace {

constexpr int kMaxDepth = 150;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
/// What a character may begin or end.
enum Class : unsigned char { kMeta = 1, kQuote = 2, kPattern = 4, kInDouble = 8, kReserved = 16 };

constexpr std::array<unsigned char, 256> kClasses = [] {
  std::array<unsigned char, 256> out{};
  const auto add = [&](std::string_view text, Class what) {
    for (const char c : text) out[static_cast<unsigned char>(c)] |= what;
  };
  add(" \t\r\n;&|<>()", kMeta);
  add("'\"`$\\", kQuote);
  add("?*+@!=", kPattern);
  add("\"`$\\", kInDouble);
  add("tefd}", kReserved);  // The first letters of what ends a list.
  return out;
}();
bool is(unsigned classes, char c) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; }

/// What ends a word.
bool is_meta(char c) { return is(kMeta, c); }

/// What ends a list of commands.
enum End : unsigned {
  kEof = 1,
  kParen = 2,
  kBrace = 4,
  kThen = 8,
  kElif = 16,
  kElse = 32,
  kFi = 64,
  kDo = 128,
  kDone = 256,
  kSemis = 512,
  kEsac = 1024
};

struct Word {
  std::string_view text;
  End end;
  std::string_view partner;  ///< What it belongs to.
};
constexpr Word kEnds[] = {{"then", kThen, "if"}, {"elif", kElif, "if"}, {"else", kElse, "if"},   {"fi", kFi, "if"},
                          {"do", kDo, "for"},    {"done", kDone, "do"}, {"esac", kEsac, "case"}, {"}", kBrace, "{"}};

/// A parser that builds nothing. Every function returns false once there is a fault.
class Parser {
 public:
  explicit Parser(std::string_view text) : t_(text) {}

  std::optional<ShellFault> run() {
    End end{};
    if (list(kEof, end, true) && !pending_.empty())
      fail(pending_.front().at, fmt::format("the here-document '{}' has no text", pending_.front().end));
    return std::move(fault_);
  }

 private:
  struct Here {
    std::string end;
    bool tabs;  ///< Tabs before its end do not count.
    std::size_t at;
  };
  struct Deeper {
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    int& depth_;
  };

  bool fail(std::size_t at, std::string text) {
    if (!fault_) fault_ = ShellFault{std::move(text), std::min(at, t_.size())};
    return false;
  }
  bool unexpected() {
    if (done()) return fail(t_.size(), "the script ends where a command is expected");
    if (peek() == '\n') return fail(i_, "the line ends where a command is expected");
    std::size_t end = i_ + 1;
    while (end < t_.size() && is_meta(t_[i_]) && t_[end] == t_[i_] && end - i_ < 2) ++end;
    return fail(i_, fmt::format("'{}' where none is expected", t_.substr(i_, end - i_)));
  }

  bool done() const { return i_ >= t_.size(); }
  char peek(std::size_t ahead = 0) const { return i_ + ahead < t_.size() ? t_[i_ + ahead] : '\0'; }
  bool at(std::string_view text) const { return t_.substr(i_).starts_with(text); }

  void blanks() {
    while (!done()) {
      if (is_blank(t_[i_])) ++i_;
      else if (at("\\\n")) i_ += 2;
      else break;
    }
  }
  void comment() {
    if (peek() == '#') i_ = std::min(t_.find('\n', i_), t_.size());
  }
  /// One line end, and the here-documents that begin behind it.
  bool newline() {
    ++i_;
    for (const Here& here : std::exchange(pending_, {})) {
      bool ended = false;
      while (!ended && i_ < t_.size()) {
        const std::size_t end = std::min(t_.find('\n', i_), t_.size());
        std::string_view line = t_.substr(i_, end - i_);
        if (here.tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        ended = line == here.end;
        i_ = std::min(end + 1, t_.size());
      }
      if (!ended) return fail(here.at, fmt::format("the here-document that ends with '{}' does not end", here.end));
    }
    return true;
  }
  /// Blanks, comments and line ends.
  bool lines() {
    while (true) {
      blanks();
      comment();
      if (peek() != '\n' || done()) return true;
      if (!newline()) return false;
    }
  }

  /// The word here, when it is plain; empty otherwise.
  std::string_view plain_word() const {
    std::size_t end = i_;
    while (end < t_.size() && !is(kMeta | kQuote, t_[end])) ++end;
    if (end < t_.size() && is(kQuote, t_[end])) return {};
    return t_.substr(i_, end - i_);
  }
  bool take_word(std::string_view word) {
    if (peek() != word[0] || plain_word() != word) return false;
    i_ += word.size();
    return true;
  }

  bool single_quoted() {
    const std::size_t start = i_, end = t_.find('\'', i_ + 1);
    if (end == std::string_view::npos) return fail(start, "a single quote (') without its partner");
    i_ = end + 1;
    return true;
  }
  /// $'…', in which a backslash guards the quote.
  bool ansi_quoted() {
    const std::size_t start = i_;
    for (i_ += 2; !done(); ++i_) {
      if (t_[i_] == '\\') ++i_;
      else if (t_[i_] == '\'') return ++i_, true;
    }
    return fail(start, "a single quote (') without its partner");
  }
  bool double_quoted() {
    const std::size_t start = i_;
    for (++i_; !done();) {
      while (!done() && !is(kInDouble, t_[i_])) ++i_;
      if (done()) break;
      const char c = t_[i_];
      if (c == '"') return ++i_, true;
      if (c == '\\') i_ += 2;
      else if (c == '$') {
        if (!dollar(true)) return false;
      } else if (c == '`') {
        if (!backquoted()) return false;
      } else {
        ++i_;
      }
    }
    return fail(start, "a double quote (\") without its partner");
  }
  bool backquoted() {
    const std::size_t start = i_;
    for (++i_; !done(); ++i_) {
      if (t_[i_] == '\\') ++i_;
      else if (t_[i_] == '`') return ++i_, true;
    }
    return fail(start, "a backquote (`) without its partner");
  }

  /// Whether "((" here is arithmetic: then i_ is behind its "))".
  bool arithmetic() {
    int depth = 0;
    for (std::size_t k = i_; k < t_.size(); ++k) {
      const char c = t_[k];
      if (c == '\\') {
        ++k;
      } else if (c == '\'' || c == '"') {
        k = t_.find(c, k + 1);
        if (k == std::string_view::npos) return false;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 1) {
        if (k + 1 >= t_.size() || t_[k + 1] != ')') continue;
        i_ = k + 2;
        return true;
      } else if (depth == 0) {
        return false;
      }
    }
    return false;
  }

  bool dollar(bool quoted) {
    const Deeper deeper(depth_);
    if (depth_ > kMaxDepth) return fail(i_, "expansions nested too deep");
    const std::size_t start = i_;
    switch (peek(1)) {
      case '(':
        ++i_;
        if (peek(1) == '(' && arithmetic()) return true;
        ++i_;
        return until_paren(start, "$(");
      case '{': return parameter(quoted);
      case '\'':
        if (quoted) break;
        return ansi_quoted();
      case '"':
        if (quoted) break;
        ++i_;
        return double_quoted();
      default: break;
    }
    ++i_;
    return true;
  }

  /// ${…}
  bool parameter(bool quoted) {
    const std::size_t start = i_;
    bool pattern = false;  // Behind # % and / quotes quote, even between double quotes.
    for (i_ += 2; !done();) {
      const char c = t_[i_];
      if (c == '}') return ++i_, true;
      if (c == '\\') i_ += 2;
      else if (c == '$') {
        if (!dollar(quoted)) return false;
      } else if (c == '`') {
        if (!backquoted()) return false;
      } else if (c == '"') {
        if (!double_quoted()) return false;
      } else if (c == '\'' && (!quoted || pattern)) {
        if (!single_quoted()) return false;
      } else {
        pattern = pattern || c == '%' || c == '#' || c == '/';
        ++i_;
      }
    }
    return fail(start, "'${' without '}'");
  }

  /// Commands up to ')', which is taken.
  bool until_paren(std::size_t start, std::string_view open) {
    End end{};
    if (!list(kParen | kEof, end, true)) return false;
    if (end == kEof) return fail(start, fmt::format("'{}' without ')'", open));
    ++i_;
    return true;
  }

  /// A pattern of ksh: @(a|b)
  bool extended_pattern() {
    const std::size_t start = i_;
    int depth = 0;
    for (++i_; !done();) {
      const char c = t_[i_];
      if (c == '(') ++depth, ++i_;
      else if (c == ')') {
        ++i_;
        if (--depth == 0) return true;
      } else if (!part()) return false;
    }
    return fail(start, "a pattern without its ')'");
  }

  /// One character of a word, or one quotation or expansion.
  bool part() {
    switch (t_[i_]) {
      case '\\': i_ = std::min(i_ + 2, t_.size()); return true;
      case '\'': return single_quoted();
      case '"': return double_quoted();
      case '`': return backquoted();
      case '$': return dollar(false);
      default: ++i_; return true;
    }
  }

  bool word() {
    const Deeper deeper(depth_);
    if (depth_ > kMaxDepth) return fail(i_, "words nested too deep");
    const std::size_t start = i_;
    while (true) {
      while (!done() && !is(kMeta | kQuote | kPattern, t_[i_])) ++i_;
      if (done()) break;
      const char c = t_[i_];
      if ((c == '<' || c == '>') && peek(1) == '(') {
        const std::size_t open = i_;
        i_ += 2;
        if (!until_paren(open, t_.substr(open, 2))) return false;
      } else if (is_meta(c)) {
        break;
      } else if (is(kPattern, c) && c != '=' && peek(1) == '(') {
        if (!extended_pattern()) return false;
      } else if (c == '=' && peek(1) == '(' && is_assignment(t_.substr(start, i_ - start))) {
        ++i_;
        if (!array()) return false;
      } else if (!part()) {
        return false;
      }
    }
    return i_ > start || unexpected();
  }

  static bool is_assignment(std::string_view left) {
    if (left.ends_with('+')) left.remove_suffix(1);
    if (left.ends_with(']')) left = left.substr(0, left.find('['));
    return !left.empty() && !is_digit(left[0]) && std::all_of(left.begin(), left.end(), is_word_character);
  }

  /// name=( … )
  bool array() {
    const std::size_t start = i_;
    ++i_;
    while (true) {
      if (!lines()) return false;
      if (done()) return fail(start, "'=(' without ')'");
      if (peek() == ')') return ++i_, true;
      if (!word()) return false;
    }
  }

  bool is_redirect() const {
    if (peek() == '&' && peek(1) == '>') return true;
    return (peek() == '<' || peek() == '>') && peek(1) != '(';
  }

  bool redirect() {
    const std::size_t start = i_;
    const bool here = at("<<") && !at("<<<");
    const bool tabs = at("<<-");
    if (here) i_ += tabs ? 3 : 2;
    else
      for (const std::string_view sign : {"&>>", "<<<", "&>", ">>", ">|", ">&", "<>", "<&", ">", "<"})
        if (at(sign)) {
          i_ += sign.size();
          break;
        }
    blanks();
    if (done() || (is_meta(peek()) && !((peek() == '<' || peek() == '>') && peek(1) == '(')))
      return fail(start, "a redirection that does not say where");
    const std::size_t begin = i_;
    if (!word()) return false;
    if (here) {
      Here made{{}, tabs, start};
      for (const char c : t_.substr(begin, i_ - begin))
        if (std::string_view("'\"\\").find(c) == std::string_view::npos) made.end += c;
      pending_.push_back(std::move(made));
    }
    return true;
  }

  bool redirects() {
    for (blanks(); !done(); blanks()) {
      const std::size_t before = i_;
      while (peek() >= '0' && peek() <= '9') ++i_;
      if (!is_redirect()) {
        i_ = before;
        return true;
      }
      if (!redirect()) return false;
    }
    return true;
  }

  bool simple() {
    std::size_t words = 0, redirections = 0, last = i_;
    for (blanks(); !done(); blanks()) {
      const char c = peek();
      if (is_redirect()) {
        if (!redirect()) return false;
        ++redirections;
      } else if (c == '(') {
        if (words != 1 || redirections > 0) return unexpected();
        ++i_;
        blanks();
        if (peek() != ')' || done()) {
          i_ = last;
          return fail(t_.find('(', last), "'(' behind a word, and no ')' for a function");
        }
        ++i_;
        return lines() && function_body();
      } else if (c == '#') {
        comment();
      } else if (is_meta(c) && !((c == '<' || c == '>') && peek(1) == '(')) {
        break;
      } else {
        last = i_;
        if (!word()) return false;
        ++words;
      }
    }
    return words + redirections > 0 || unexpected();
  }

  bool function_body() {
    if (done()) return unexpected();
    return command();
  }

  bool expect(std::string_view word, std::size_t start, std::string_view of) {
    if (take_word(word)) return true;
    return fail(start, fmt::format("'{}' without '{}'", of, word));
  }

  bool if_command(std::size_t start) {
    End end{};
    if (!list(kThen | kEof, end, false) || !expect("then", start, "if")) return false;
    while (true) {
      if (!list(kElif | kElse | kFi | kEof, end, false)) return false;
      if (end == kElif) {
        i_ += 4;
        if (!list(kThen | kEof, end, false) || !expect("then", start, "elif")) return false;
      } else if (end == kElse) {
        i_ += 4;
        if (!list(kFi | kEof, end, false)) return false;
        return expect("fi", start, "if");
      } else {
        return expect("fi", start, "if");
      }
    }
  }

  bool loop_body(std::size_t start, std::string_view of) {
    End end{};
    if (!lines()) return false;
    if (of != "while" && of != "until" && take_word("{")) {
      if (!list(kBrace | kEof, end, false)) return false;
      return expect("}", start, of);
    }
    if (!expect("do", start, of) || !list(kDone | kEof, end, false)) return false;
    return expect("done", start, of);
  }

  bool while_command(std::size_t start, std::string_view of) {
    End end{};
    return list(kDo | kEof, end, false) && loop_body(start, of);
  }

  bool for_command(std::size_t start, std::string_view of) {
    blanks();
    if (at("((")) {
      if (!arithmetic()) return fail(i_, "'((' without '))'");
      blanks();
      if (peek() == ';') ++i_;
      return loop_body(start, of);
    }
    if (!word() || !lines()) return false;
    if (take_word("in")) {
      for (blanks(); !done() && peek() != ';' && peek() != '\n' && peek() != '#'; blanks())
        if (!word()) return false;
      comment();
    }
    if (peek() == ';' && peek(1) != ';') ++i_;
    return loop_body(start, of);
  }

  bool case_command(std::size_t start) {
    blanks();
    if (!word() || !lines() || !expect("in", start, "case")) return false;
    while (true) {
      if (!lines()) return false;
      if (done()) return fail(start, "'case' without 'esac'");
      if (take_word("esac")) return true;
      if (peek() == '(') ++i_;
      for (bool more = true; more;) {
        blanks();
        if (done()) return fail(start, "'case' without 'esac'");
        if (!word()) return false;
        blanks();
        more = peek() == '|';
        if (more) ++i_;
      }
      if (peek() != ')' || done()) return fail(i_, "a pattern of 'case' without its ')'");
      ++i_;
      End end{};
      if (!list(kSemis | kEsac | kEof, end, true)) return false;
      if (end == kEof) return fail(start, "'case' without 'esac'");
      if (end == kSemis)
        while (peek() == ';' || peek() == '&') ++i_;
    }
  }

  /// [[ … ]]
  bool test_command(std::size_t start) {
    while (true) {
      if (!lines()) return false;
      if (done()) return fail(start, "'[[' without ']]'");
      if (take_word("]]")) return redirects();
      if (is_meta(peek())) ++i_;
      else if (!part()) return false;
      // The rest of a word: "]]" ends a test only where a word begins.
      while (!done() && !is_meta(peek()))
        if (!part()) return false;
    }
  }

  bool begins_compound() const {
    constexpr std::string_view kWords[] = {"{", "if", "while", "until", "for", "case", "select", "[["};
    return peek() == '(' || std::find(std::begin(kWords), std::end(kWords), plain_word()) != std::end(kWords);
  }

  bool compound(bool made) { return made && redirects(); }

  bool command() {
    const Deeper deeper(depth_);
    if (depth_ > kMaxDepth) return fail(i_, "commands nested too deep");
    blanks();
    const std::size_t start = i_;
    if (peek() == '(') {
      if (peek(1) == '(' && arithmetic()) return redirects();
      ++i_;
      End end{};
      if (!list(kParen | kEof, end, false)) return false;
      if (end == kEof) return fail(start, "'(' without ')'");
      ++i_;
      return redirects();
    }
    const std::string_view word = plain_word();
    i_ += word.size();
    End end{};
    if (word == "{") return compound(list(kBrace | kEof, end, false) && expect("}", start, "{"));
    if (word == "if") return compound(if_command(start));
    if (word == "while" || word == "until") return compound(while_command(start, word));
    if (word == "for" || word == "select") return compound(for_command(start, word));
    if (word == "case") return compound(case_command(start));
    if (word == "[[") return test_command(start);
    if (word == "coproc") {
      blanks();
      const std::size_t name = i_;
      i_ += plain_word().size();
      blanks();
      if (!begins_compound()) i_ = name;
      return command();
    }
    if (word == "function") {
      blanks();
      if (!this->word()) return false;
      blanks();
      if (peek() == '(') {
        ++i_;
        blanks();
        if (peek() != ')') return unexpected();
        ++i_;
      }
      return lines() && function_body();
    }
    i_ = start;
    return simple();
  }

  bool pipeline() {
    for (blanks(); take_word("!") || take_word("time"); blanks()) {
    }
    if (done() || peek() == '\n' || peek() == ';') return true;  // `time` alone, `!` alone.
    if (!command()) return false;
    for (blanks(); peek() == '|' && peek(1) != '|'; blanks()) {
      i_ += peek(1) == '&' ? 2 : 1;
      if (!lines()) return false;
      while (take_word("!")) blanks();
      if (!command_expected() || !command()) return false;
    }
    return true;
  }

  /// A command must follow an operator.
  bool command_expected() {
    if (done() || std::string_view(";&|)").find(peek()) != std::string_view::npos) return unexpected();
    return true;
  }

  /// Commands until one of `ends`, which is not taken.
  bool list(unsigned ends, End& end, bool may_be_empty) {
    const Deeper deeper(depth_);
    if (depth_ > kMaxDepth) return fail(i_, "commands nested too deep");
    for (bool any = false;; any = true) {
      if (!lines()) return false;
      const std::size_t start = i_;
      end = end_here();
      if (end != End{}) {
        if (end == kEof && (ends & kEof) != 0) return true;
        if ((ends & end) == 0) return wrong_end(end);
        if (!any && !may_be_empty)
          return fail(start, fmt::format("nothing before '{}'", t_.substr(start, end_length(end))));
        return true;
      }
      if (!command_expected() || !pipeline()) return false;
      for (blanks(); at("&&") || at("||"); blanks()) {
        i_ += 2;
        if (!lines() || !command_expected() || !pipeline()) return false;
      }
      comment();
      if (done() || peek() == ')' || peek() == '\n' || at(";;") || at(";&")) continue;
      if (peek() == ';' || peek() == '&') ++i_;
      else return unexpected();
    }
  }

  std::size_t end_length(End end) const {
    if (end == kParen) return 1;
    if (end == kSemis) return 2;
    return plain_word().size();
  }

  End end_here() const {
    if (done()) return kEof;
    if (peek() == ')') return kParen;
    if (at(";;") || at(";&")) return kSemis;
    if (!is(kReserved, peek())) return End{};
    const std::string_view word = plain_word();
    for (const Word& known : kEnds)
      if (word == known.text) return known.end;
    return End{};
  }

  bool wrong_end(End end) {
    if (end == kParen) return fail(i_, "')' without '('");
    if (end == kSemis) return fail(i_, "';;' outside of 'case'");
    for (const Word& known : kEnds)
      if (known.end == end)
        return fail(i_, fmt::format("'{}' without '{}', or before what is inside ended", known.text, known.partner));
    return unexpected();
  }

  std::string_view t_;
  std::size_t i_ = 0;
  int depth_ = 0;
  std::vector<Here> pending_;
  std::optional<ShellFault> fault_;
};

}  // namespace

std::optional<ShellFault> check_shell(std::string_view script) { return Parser(script).run(); }

}  // namespace nacre::definition
