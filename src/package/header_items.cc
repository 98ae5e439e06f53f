#include "package/header_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>

#include "base/ascii.h"
#include "codec/digest.h"
#include "package/dead_branches.h"
#include "package/header_declaration.h"
#include "package/header_lexer.h"
#include "package/use_source.h"

namespace nacre::package {
namespace {

using Token = HeaderToken;
using Kind = HeaderItem::Kind;
using Code = HeaderCode;

constexpr std::size_t kMostBytes = 16u << 20;

/// Tokens as one text: equal for what a compiler takes for equal.
class TokenText {
 public:
  void add(const Token& token, bool exact) {
    const bool joined = !token.spaced && (exact || (token.kind == Token::Kind::kMark && last_was_mark_));
    text += joined ? '\x1e' : '\x1f';
    text += token.text;
    last_was_mark_ = token.kind == Token::Kind::kMark;
    lines += static_cast<char>(token.line);
    lines += static_cast<char>(token.line >> 8);
    lines += static_cast<char>(token.line >> 16);
    lines += static_cast<char>(token.line >> 24);
  }
  std::string text, lines;

 private:
  bool last_was_mark_ = false;
};

/// Puts a token behind others as it was written. Marks are one character each.
void add_joined(std::string& text, const Token& token) {
  const bool joined = token.kind == Token::Kind::kMark && !token.spaced;
  text += (joined ? "" : " ") + token.text;
}

void sort_unique(std::vector<std::uint64_t>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

/// Whether the '=' at i gives a value: it is no part of ==, !=, <= or >=. Marks are one character each.
bool gives_value(std::span<const Token* const> code, std::size_t i) {
  const auto is = [&](std::size_t at, std::string_view mark) { return at < code.size() && code[at]->is(mark); };
  const std::size_t before = i - 1;  // none before the first: not below size()
  if (!code[i]->is("=") || is(before, "=") || is(i + 1, "=") || is(before, "!")) return false;
  for (const std::string_view less : {"<", ">"})
    if (is(before, less) && !is(before - 1, less)) return false;
  return true;
}

/// Whether it has the body of a function, or a value that is no enumerator's. `type`: it declares types alone.
bool has_code(std::span<const Token* const> code, bool type) {
  bool aggregate = false, enumeration = false;  // within `struct NAME : BASE`, within an enumeration
  for (std::size_t i = 0; i < code.size(); ++i) {
    const Token& token = *code[i];
    const bool keyword = token.is("struct") || token.is("union") || token.is("class") || token.is("enum");
    if (keyword) enumeration = token.is("enum");
    if (token.is("{") && !aggregate) return true;
    if (gives_value(code, i) && !enumeration && !code[0]->is("using")) return true;
    const bool of_head = token.kind == Token::Kind::kWord || token.is("#") ||
                         (type && (token.is(":") || token.is(",") || token.is("<") || token.is(">")));
    aggregate = keyword || (aggregate && of_head);
  }
  return false;
}

/// Walks over the tokens once.
class Cutter {
 public:
  Cutter(const std::vector<Token>& tokens, Branches branches) : tokens_(tokens), branches_(branches) {}

  /// nullopt: it cannot be cut.
  std::optional<std::vector<HeaderItem>> run() {
    find_first_ops();
    for (at_ = 0; at_ < tokens_.size() && good_;) {
      if (tokens_[at_].first && tokens_[at_].is("#")) directive();
      else if (tokens_[at_].first && tokens_[at_].is("%") && at_ + 1 < tokens_.size() && tokens_[at_ + 1].is(":"))
        good_ = false;
      else code(tokens_[at_++]);
    }
    if (!good_ || !frames_.empty()) return std::nullopt;
    if (!piece_.empty()) {
      if (brace_ != 0 || paren_ != 0) return std::nullopt;
      end_piece(false);
    }
    for (const Scope& scope : scopes_) {
      if (!scope.language) return std::nullopt;
      loose_mark("open " + scope.text);
    }
    fold_macros();
    return std::move(items_);
  }

 private:
  struct Scope {
    std::string text;
    std::vector<std::uint64_t> words;
    bool language = false;  ///< extern "C".
  };
  struct State {
    int brace = 0, paren = 0;
    std::vector<Scope> scopes;
  };
  /// One #if that is open.
  struct Frame {
    std::string text;  ///< Of the branch: its condition, behind those that did not hold.
    std::vector<std::uint64_t> words;
    State before;
    std::optional<State> end;  ///< Of the branches so far.
    std::string not_defined;   ///< Of #ifndef NAME.
    bool guard = false;        ///< The first directive of the file, with #define NAME behind it.
    bool has_else = false;
  };

  State state() const { return {brace_, paren_, scopes_}; }
  void restore(const State& state) {
    brace_ = state.brace;
    paren_ = state.paren;
    scopes_ = state.scopes;
  }

  std::string context() const {
    std::string out;
    for (const Frame& frame : frames_) out += "if" + frame.text + '\n';
    for (const Scope& scope : scopes_) out += "in" + scope.text + '\n';
    out += "pragma" + pragmas_ + '\n' + carried_ + '\n';
    return out;
  }
  std::vector<std::uint64_t> context_words() const {
    std::vector<std::uint64_t> out;
    for (const Frame& frame : frames_) out.insert(out.end(), frame.words.begin(), frame.words.end());
    for (const Scope& scope : scopes_) out.insert(out.end(), scope.words.begin(), scope.words.end());
    return out;
  }

  // Directives.

  void directive() {
    std::vector<const Token*> line = {&tokens_[at_++]};
    while (at_ < tokens_.size() && !tokens_[at_].first) line.push_back(&tokens_[at_++]);
    if (line.size() == 1) return;
    const std::string& what = line[1]->text;
    const bool conditional = what == "if" || what == "ifdef" || what == "ifndef" || what == "elif" ||
                             what == "elifdef" || what == "elifndef" || what == "else" || what == "endif";
    if (!piece_.empty() && is_lone_macro()) end_piece(true);
    // A macro or an include in the middle of a piece belongs to it, too.
    if (!piece_.empty())
      for (const Token* token : line) add(*token, true);
    if (conditional) condition(what, line);
    else if (what == "define" || what == "undef") macro(what, line);
    else if (what == "include" || what == "include_next" || what == "import") include(line);
    else other(what, line);
  }

  void condition(const std::string& what, const std::vector<const Token*>& line) {
    std::vector<std::uint64_t> words;
    std::string text;
    if (branches_ == Branches::kOfThisSystem && (what == "if" || what == "elif")) {
      std::string rest;
      for (std::size_t i = 2; i < line.size(); ++i) add_joined(rest, *line[i]);
      text = what;
      for (const std::string& token : DeadBranches::read_here(rest)) {
        text += '\x1f' + token;
        if (is_word_character(token[0]) && !is_digit(token[0])) words.push_back(word_hash(token));
      }
    } else {
      TokenText exact;
      for (std::size_t i = 1; i < line.size(); ++i) {
        exact.add(*line[i], false);
        if (i > 1 && line[i]->kind == Token::Kind::kWord) words.push_back(word_hash(line[i]->text));
      }
      text = exact.text;
    }
    text += defined_later(words, at_);
    if (what.starts_with("if")) {
      Frame frame;
      frame.text = text;
      frame.words = std::move(words);
      frame.before = state();
      if (what == "ifndef" && line.size() == 3 && frames_.empty() && items_.empty()) frame.not_defined = line[2]->text;
      frames_.push_back(std::move(frame));
      return;
    }
    if (frames_.empty()) {
      good_ = false;
      return;
    }
    Frame& frame = frames_.back();
    if (what != "endif") {
      if (frame.has_else) good_ = false;
      leave_branch(frame);
      if (!piece_.empty() && frames_.size() <= piece_frames_) piece_frames_ = frames_.size() - 1;
      restore(frame.before);
      frame.text = "not" + frame.text + (what == "else" ? std::string() : text);
      frame.words.insert(frame.words.end(), words.begin(), words.end());
      frame.guard = false;
      if (what == "else") frame.has_else = true;
      return;
    }
    if (frame.end) {  // with another branch before it
      const bool whole = frame.has_else;
      if (whole) leave_branch(frame);
      else if (frame.end->brace != brace_ || frame.end->paren != paren_ || frame.end->scopes.size() != scopes_.size())
        good_ = false;
    }
    frames_.pop_back();
    if (!piece_.empty() && frames_.size() < piece_frames_) piece_frames_ = frames_.size();
    if (ended_ && frames_.size() == piece_frames_ && brace_ == 0 && paren_ == 0) end_piece(false);
  }

  /// All branches must leave brackets as the first did.
  void leave_branch(Frame& frame) {
    if (!frame.end) frame.end = state();
    else if (frame.end->brace != brace_ || frame.end->paren != paren_ || frame.end->scopes.size() != scopes_.size())
      good_ = false;
  }

  void find_first_ops() {
    for (std::size_t i = 0; i + 2 < tokens_.size(); ++i) {
      if (!tokens_[i].first || !tokens_[i].is("#")) continue;
      const bool op = tokens_[i + 1].is("define") || tokens_[i + 1].is("undef");
      if (op && !tokens_[i + 2].first) first_ops_.emplace(word_hash(tokens_[i + 2].text), i);
    }
  }

  /// Where the piece begins that is being read; between pieces, where the reading is.
  std::size_t place() const {
    return piece_.empty() ? at_ : static_cast<std::size_t>(piece_.front() - tokens_.data());
  }

  /// A mark for each of the words that the header defines behind that place for the first time: whoever names it before
  /// that means something else.
  std::string defined_later(std::vector<std::uint64_t> words, std::size_t place) const {
    std::string out;
    sort_unique(words);
    for (const std::uint64_t word : words)
      if (const auto found = first_ops_.find(word); found != first_ops_.end() && found->second >= place)
        out += fmt::format("before {:x}\n", word);
    return out;
  }

  HeaderItem begin_item(Kind kind) const {
    HeaderItem item;
    item.kind = kind;
    item.mentions = context_words();
    return item;
  }

  void finish_item(HeaderItem item, const TokenText& text, const std::string& context_text) {
    // A macro means something where it is used.
    const std::string later = item.kind == Kind::kOther ? defined_later(item.mentions, place()) : std::string();
    item.digest = short_digest(context_text + text.text + later);
    item.lines = short_digest(text.lines);
    sort_unique(item.mentions);
    items_.push_back(std::move(item));
  }

  static void mention(HeaderItem& item, const Token& token) {
    if (token.kind == Token::Kind::kWord) item.mentions.push_back(word_hash(token.text));
  }

  void macro(const std::string& what, const std::vector<const Token*>& line) {
    if (line.size() < 3 || line[2]->kind != Token::Kind::kWord) {
      other(what, line);
      return;
    }
    if (frames_.size() == 1 && items_.empty() && what == "define" && frames_[0].not_defined == line[2]->text)
      frames_[0].guard = true;
    HeaderItem item = begin_item(Kind::kMacro);
    DeclaredName name;
    name.text = line[2]->text;
    name.sure = true;
    item.names.push_back(std::move(name));
    item.function_like = what == "define" && line.size() > 3 && line[3]->is("(") && !line[3]->spaced;
    // What an argument takes the place of is no name of others.
    std::set<std::string_view> parameters;
    for (std::size_t i = 4; item.function_like && i < line.size() && !line[i]->is(")"); ++i)
      parameters.insert(line[i]->text);
    TokenText text;
    for (std::size_t i = 1; i < line.size(); ++i) {
      // Spaces before a body do not count, but the one that tells A(x) from A (x).
      text.add(*line[i], true);
      if (i > 2 && line[i]->kind == Token::Kind::kWord && !parameters.contains(line[i]->text))
        item.says.push_back(word_hash(line[i]->text));
      if (i > 3 && line[i]->is("#") && line[i - 1]->is("#") && !line[i]->spaced) item.pastes = true;
    }
    sort_unique(item.says);
    item.mentions.insert(item.mentions.end(), item.says.begin(), item.says.end());
    item.code = has_code(std::span(line).subspan(3), false);
    item.gives_value = item.code && std::none_of(line.begin(), line.end(), [](const Token* t) { return t->is("{"); });
    if (item.pastes) item.paste_patterns = patterns_of(line, item.function_like);
    std::string before = context();
    std::uint64_t& last = macro_ops_[line[2]->text];
    if (last != 0) before += fmt::format("after {:x}\n", last);
    finish_item(std::move(item), text, before);
    last = items_.back().digest;
    ++macro_count_[line[2]->text];
    ops_.push_back(items_.size() - 1);
  }

  static std::vector<std::string> patterns_of(const std::vector<const Token*>& line, bool function_like) {
    std::vector<std::string_view> tokens;
    for (std::size_t i = 3; i < line.size(); ++i) {
      const bool second = line[i]->is("#") && !line[i]->spaced && !tokens.empty() && tokens.back() == "#";
      if (second) tokens.back() = "##";
      else tokens.emplace_back(line[i]->text);
    }
    return ::nacre::package::paste_patterns(tokens, function_like);
  }

  void include(const std::vector<const Token*>& line) {
    HeaderItem item = begin_item(Kind::kInclude);
    TokenText text;
    std::string path;
    for (std::size_t i = 1; i < line.size(); ++i) {
      text.add(*line[i], true);
      if (i > 1) path += line[i]->text;
    }
    const bool plain =
        path.size() > 2 && ((path.front() == '<' && path.back() == '>') || (path.front() == '"' && path.back() == '"'));
    if (plain) {
      path = path.substr(1, path.size() - 2);
      item.included_path = path;
      item.included = path.substr(path.rfind('/') + 1);
      item.always = frames_.empty() || (frames_.size() == 1 && frames_[0].guard);
      item.mentions.push_back(word_hash(item.included));
    } else {
      item.loose = true;
      for (std::size_t i = 2; i < line.size(); ++i) mention(item, *line[i]);
    }
    finish_item(std::move(item), text, context());
  }

  void other(const std::string& what, const std::vector<const Token*>& line) {
    if (line[1]->kind == Token::Kind::kNumber) return;  // # 1 "file"
    if (what == "pragma" && line.size() > 2) {
      static constexpr std::array<std::string_view, 3> kQuiet = {"once", "warning", "message"};
      if (std::find(kQuiet.begin(), kQuiet.end(), line[2]->text) != kQuiet.end()) return;
      if (line.size() > 3 && (line[2]->is("GCC") || line[2]->is("clang")) &&
          (line[3]->is("diagnostic") || line[3]->is("system_header") || line[3]->is("warning")))
        return;
    }
    HeaderItem item = begin_item(Kind::kOther);
    item.loose = true;
    item.code = what == "pragma" && !(line.size() > 2 && line[2]->is("pack"));  // which lays out types
    TokenText text;
    for (std::size_t i = 1; i < line.size(); ++i) {
      text.add(*line[i], true);
      if (i > 1) mention(item, *line[i]);
    }
    finish_item(std::move(item), text, context());
    if (what == "pragma") pragmas_ += fmt::format("{:x}", items_.back().digest);
    if (pragmas_.size() > 64) pragmas_ = fmt::format("{:x}", short_digest(pragmas_));
  }

  void loose_mark(const std::string& what) {
    HeaderItem item = begin_item(Kind::kOther);
    item.loose = true;
    item.digest = short_digest(context() + what);
    sort_unique(item.mentions);
    items_.push_back(std::move(item));
  }

  // Code.

  void add(const Token& token, bool of_directive) {
    if (piece_.empty()) {
      piece_context_ = context();
      piece_words_ = context_words();
      piece_frames_ = frames_.size();
      carried_.clear();
    }
    piece_.push_back(&token);
    if (of_directive) has_directives_ = true;
    else code_.push_back(&token);
  }

  /// FOO_BEGIN, FOO_BEGIN(x): a macro without ';' before a directive.
  bool is_lone_macro() const {
    if (has_directives_ || code_.empty() || !is_name(*code_[0]) || brace_ != 0 || paren_ != 0) return false;
    return code_.size() == 1 || (code_[1]->is("(") && behind_group(code_, 1) == code_.size());
  }

  void code(const Token& token) {
    const bool mark = token.kind == Token::Kind::kMark;
    const char c = mark ? token.text[0] : '\0';
    if (c == '{' && brace_ == 0 && paren_ == 0) {
      if (opens_scope()) return;
      kind_of_body();
    }
    if (c == '}' && brace_ == 0) {
      if (paren_ != 0) good_ = false;
      if (!piece_.empty()) end_piece(false);
      if (scopes_.empty()) loose_mark("}");
      else scopes_.pop_back();
      return;
    }
    add(token, false);
    if (!mark) return;
    if (c == '{') ++brace_;
    if (c == '(' || c == '[') ++paren_;
    if (c == ')' || c == ']') --paren_;
    if (paren_ < 0) good_ = false;
    if (c == '}' && --brace_ == 0 && paren_ == 0 && body_ends_ && !goes_on()) finish();
    if (c == ';' && brace_ == 0 && paren_ == 0) finish();
  }

  /// "x{1}, y{2} {…}" of a constructor, "try {…} catch (…) {…}", "};".
  bool goes_on() const {
    if (at_ >= tokens_.size() || (tokens_[at_].first && tokens_[at_].is("#"))) return false;
    const Token& next = tokens_[at_];
    return next.is(",") || next.is("{") || next.is("catch") || next.is(";");
  }

  void finish() {
    if (frames_.size() == piece_frames_) end_piece(false);
    else ended_ = true;
  }

  /// extern "C" { and namespace x {: what is inside are pieces of their own.
  bool opens_scope() {
    Scope scope;
    if (code_.size() >= 2 && code_[code_.size() - 2]->is("extern") && code_.back()->kind == Token::Kind::kText)
      scope.language = true;
    else if (std::none_of(code_.begin(), code_.end(), [](const Token* t) { return t->is("namespace"); }) ||
             std::any_of(code_.begin(), code_.end(), [](const Token* t) { return t->is("=") || t->is(";"); }))
      return false;
    TokenText text;
    for (const Token* token : piece_) {
      text.add(*token, false);
      if (token->kind == Token::Kind::kWord) scope.words.push_back(word_hash(token->text));
    }
    scope.text = text.text;
    // Begun in one #if and opened behind it: `extern "C"` #endif `{`.
    clear_piece();
    scopes_.push_back(std::move(scope));
    return true;
  }

  /// Whether the piece ends with the body that begins here.
  void kind_of_body() {
    if (body_seen_) return;
    body_seen_ = true;
    const BodyEnds ends = body_ends(code_);
    body_ends_ = ends != BodyEnds::kNo;
    unclear_ = ends == BodyEnds::kUnclear;
  }

  void clear_piece() {
    piece_.clear();
    code_.clear();
    has_directives_ = body_seen_ = body_ends_ = unclear_ = ended_ = false;
    brace_ = paren_ = 0;
  }

  void end_piece(bool carry) {
    HeaderItem item;
    item.mentions = piece_words_;
    TokenText text;
    for (const Token* token : piece_) {
      text.add(*token, false);
      mention(item, *token);
    }
    if (carry) carried_ = fmt::format("{:x}", short_digest(text.text));
    const bool lone_semicolon = code_.size() == 1 && code_[0]->is(";");
    if (!lone_semicolon) {
      if (unclear_) {
        item.loose = item.code = true;
        for (const Token* token : code_)
          if (is_name(*token)) add_sure(item, token->text);
        finish_item(std::move(item), text, piece_context_);
      } else {
        const std::optional<EnumBody> body = read_declaration(code_, item);
        item.call = is_call();
        item.numbers = body.has_value() && (code_[0]->is("enum") || (code_[0]->is("typedef") && code_[1]->is("enum")));
        item.code = has_code(code_, item.type);
        if (!body || has_directives_ || !take_apart(item, *body)) finish_item(std::move(item), text, piece_context_);
      }
    }
    clear_piece();
  }

  /// NAME; or NAME(…), with its semicolon or without.
  bool is_call() const {
    std::size_t size = code_.size();
    if (size > 0 && code_[size - 1]->is(";")) --size;
    return size > 0 && is_name(*code_[0]) && (size == 1 || (code_[1]->is("(") && behind_group(code_, 1) == size));
  }

  static void add_sure(HeaderItem& item, const std::string& text) {
    DeclaredName name;
    name.text = text;
    name.sure = true;
    item.names.push_back(std::move(name));
  }

  /// An enumeration as its enumerators, each with those before it that give it its number, and the type apart: one more
  /// at the end changes nothing for who names the others.
  bool take_apart(HeaderItem& whole, const EnumBody& body) {
    std::vector<Code> elements(1);
    int depth = 0;
    for (std::size_t i = body.from + 1; i + 1 < body.to; ++i) {
      const Token& token = *code_[i];
      if (token.is("(") || token.is("{") || token.is("[")) ++depth;
      if (token.is(")") || token.is("}") || token.is("]")) --depth;
      if (depth == 0 && token.is(",")) elements.emplace_back();
      else elements.back().push_back(&token);
    }
    if (elements.back().empty()) elements.pop_back();
    for (const Code& element : elements)
      if (element.empty() || element[0]->kind != Token::Kind::kWord) return false;
    // The type: all but the body, and what may make it wider or signed.
    HeaderItem type;
    type.mentions = piece_words_;
    type.type = whole.type;
    type.loose = whole.loose;
    type.numbers = whole.numbers;
    TokenText rest;
    for (std::size_t i = 0; i < code_.size(); ++i)
      if (i <= body.from || i + 1 >= body.to) {
        rest.add(*code_[i], false);
        mention(type, *code_[i]);
      }
    std::set<std::string> shape, own;
    for (const Code& element : elements) {
      for (std::size_t i = 0; i < element.size(); ++i) {
        const Token& token = *element[i];
        const bool call = i == 0 && element.size() > 1 && element[1]->is("(");
        if (token.is("-") || token.is("~") || token.is("<") || token.is("!") || token.is("*")) shape.insert(token.text);
        if (token.kind == Token::Kind::kNumber && !is_small(token.text)) shape.insert(token.text);
        if (token.kind == Token::Kind::kText && token.text[0] != '"') shape.insert(token.text);
        if (token.kind == Token::Kind::kWord && (i > 0 || call) && !own.contains(token.text)) {
          // Of FOO(FOO_NEW, 3) the name that nothing else has is the enumerator; the others say what it is.
          const bool first_argument = element[0]->text != token.text && i == 2 && element[1]->is("(");
          if (!first_argument) shape.insert(token.text);
        }
      }
      own.insert(element[0]->text);
    }
    std::string shape_text;
    for (const std::string& word : shape) {
      shape_text += "\nshape " + word;
      type.mentions.push_back(word_hash(word));
    }
    std::set<std::string> enumerated;
    for (std::size_t i = body.from + 1; i + 1 < body.to; ++i) enumerated.insert(code_[i]->text);
    std::vector<std::uint64_t> tags;
    for (DeclaredName& name : whole.names) {
      if (enumerated.contains(name.text)) continue;
      if (name.sure || name.last) tags.push_back(word_hash(name.text));
      type.names.push_back(name);
    }
    const std::string context_text = piece_context_;
    std::uint64_t before = 0;
    std::vector<HeaderItem> made;
    for (const Code& element : elements) {
      HeaderItem item;
      item.numbers = true;
      item.mentions = piece_words_;
      item.mentions.insert(item.mentions.end(), tags.begin(), tags.end());
      const bool call = element.size() > 1 && element[1]->is("(");
      TokenText text;
      bool number = false;
      for (std::size_t i = 0; i < element.size(); ++i) {
        text.add(*element[i], false);
        if (i > 0 || call) mention(item, *element[i]);
        if (!call && element[i]->is("=")) number = true;
        if (call && is_name(*element[i])) {
          DeclaredName name;
          name.text = element[i]->text;
          name.inner = true;
          item.names.push_back(std::move(name));
        }
      }
      if (!call) add_sure(item, element[0]->text);
      item.digest =
          short_digest(context_text + text.text + defined_later(item.mentions, place()) +
                       (number ? std::string() : fmt::format("\nafter {:x}", before)));
      item.lines = short_digest(text.lines);
      sort_unique(item.mentions);
      before = item.digest;
      made.push_back(std::move(item));
    }
    rest.text += shape_text;
    finish_item(std::move(type), rest, context_text);
    for (HeaderItem& item : made) items_.push_back(std::move(item));
    return true;
  }

  /// Fits an int whatever stands beside it.
  static bool is_small(const std::string& number) {
    if (number.size() > 9) return false;
    return std::all_of(number.begin(), number.end(), [](char c) { return (c >= '0' && c <= '9'); });
  }

  /// Where a name is defined more than once in a header, a piece counts with the definition that holds there.
  void fold_macros() {
    std::unordered_map<std::uint64_t, std::uint64_t> now;
    std::unordered_set<std::uint64_t> again;
    for (const auto& [name, count] : macro_count_)
      if (count > 1) again.insert(word_hash(name));
    if (again.empty()) return;
    for (HeaderItem& item : items_) {
      if (item.kind == Kind::kMacro) {
        const std::uint64_t name = word_hash(item.names[0].text);
        if (again.contains(name)) now[name] = item.digest;
        continue;
      }
      std::string more;
      for (const std::uint64_t word : item.mentions)
        if (const auto found = now.find(word); found != now.end()) more += fmt::format("{:x} ", found->second);
      if (!more.empty()) item.digest = short_digest(fmt::format("{:x} with {}", item.digest, more));
    }
  }

  const std::vector<Token>& tokens_;
  const Branches branches_;
  std::size_t at_ = 0;
  bool good_ = true;
  std::vector<Frame> frames_;
  std::vector<Scope> scopes_;
  std::string pragmas_, carried_;
  int brace_ = 0, paren_ = 0;
  Code piece_;  ///< All tokens of the piece that is being read.
  Code code_;   ///< Those that are not of directives.
  std::string piece_context_;
  std::vector<std::uint64_t> piece_words_;
  std::size_t piece_frames_ = 0;
  bool has_directives_ = false, body_seen_ = false, body_ends_ = false, unclear_ = false, ended_ = false;
  std::unordered_map<std::uint64_t, std::size_t> first_ops_;  ///< Of a name: the place of its first #define or #undef.
  std::map<std::string, std::uint64_t> macro_ops_;
  std::map<std::string, std::size_t> macro_count_;
  std::vector<std::size_t> ops_;
  std::vector<HeaderItem> items_;
};

/// A header that cannot be cut: one piece with all its words.
HeaderItems whole_header(std::string_view text, const std::vector<Token>& tokens) {
  HeaderItems out;
  out.understood = false;
  HeaderItem item;
  item.loose = item.code = true;
  item.digest = short_digest(text);
  std::set<std::string> words;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool of_directive = i > 0 && tokens[i - 1].first && tokens[i - 1].is("#");
    if (is_name(tokens[i]) && !of_directive) words.insert(tokens[i].text);
  }
  for (const std::string& word : words) {
    DeclaredName name;
    name.text = word;
    name.sure = true;
    item.names.push_back(std::move(name));
    item.mentions.push_back(word_hash(word));
  }
  sort_unique(item.mentions);
  out.items.push_back(std::move(item));
  for (const SourceInclude& include : read_source("x.h", text).includes) {
    HeaderItem& its = out.items.emplace_back();
    its.kind = Kind::kInclude;
    its.loose = include.path.empty();
    its.digest = short_digest("include " + include.path);
    its.included_path = include.path;
    its.included = include.path.substr(include.path.rfind('/') + 1);
    if (!its.loose) its.mentions.push_back(word_hash(its.included));
  }
  return out;
}

/// Without what stands in branches that no compiler for this system reads.
std::vector<Token> read_here(const std::vector<Token>& tokens) {
  std::vector<Token> out;
  DeadBranches branches;
  for (std::size_t at = 0; at < tokens.size();) {
    std::size_t end = at + 1;
    while (end < tokens.size() && !tokens[end].first) ++end;
    bool keep = !branches.dead();
    if (tokens[at].is("#") && end > at + 1) {
      const std::string& what = tokens[at + 1].text;
      std::string rest;
      for (std::size_t i = at + 2; i < end; ++i) add_joined(rest, tokens[i]);
      // The directives themselves tell where what is left stands.
      if (what == "endif" || what.starts_with("el")) keep = !branches.dead_above();
      branches.directive(what, rest);
    }
    for (; at < end; ++at)
      if (keep) out.push_back(tokens[at]);
  }
  return out;
}

HeaderItems cut(std::string_view text, Branches branches) {
  if (text.size() > kMostBytes) {
    HeaderItem item;
    item.loose = item.code = true;
    item.digest = short_digest(text);
    DeclaredName all;
    all.text = kEveryName;
    all.sure = true;
    item.names.push_back(std::move(all));
    HeaderItems out;
    out.understood = false;
    out.items.push_back(std::move(item));
    return out;
  }
  HeaderTokens lexed = lex_header(text);
  if (lexed.whole && branches == Branches::kOfThisSystem) lexed.tokens = read_here(lexed.tokens);
  if (lexed.whole)
    if (auto items = Cutter(lexed.tokens, branches).run()) {
      HeaderItems out;
      out.items = *std::move(items);
      return out;
    }
  return whole_header(text, lexed.tokens);
}

}  // namespace

std::uint64_t word_hash(std::string_view word) {
  std::uint64_t x = 0xcbf29ce484222325u;  // FNV-1a, and a mixing of the end
  for (const char c : word) x = (x ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  x ^= x >> 32;
  x *= 0x9e3779b97f4a7c15u;
  return x ^ (x >> 29);
}

std::uint64_t short_digest(std::string_view text) {
  const Sha256 digest = codec::sha256(text);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out = out << 8 | digest.bytes[i];
  return out;
}

namespace {

const std::unordered_set<std::string_view>& language_words() {
  static const std::unordered_set<std::string_view> kWords = {"alignas",
                                                              "alignof",
                                                              "and",
                                                              "asm",
                                                              "auto",
                                                              "bool",
                                                              "break",
                                                              "case",
                                                              "catch",
                                                              "char",
                                                              "char16_t",
                                                              "char32_t",
                                                              "char8_t",
                                                              "class",
                                                              "co_await",
                                                              "co_return",
                                                              "co_yield",
                                                              "concept",
                                                              "const",
                                                              "const_cast",
                                                              "consteval",
                                                              "constexpr",
                                                              "constinit",
                                                              "continue",
                                                              "decltype",
                                                              "default",
                                                              "defined",
                                                              "delete",
                                                              "do",
                                                              "double",
                                                              "dynamic_cast",
                                                              "else",
                                                              "enum",
                                                              "explicit",
                                                              "export",
                                                              "extern",
                                                              "false",
                                                              "final",
                                                              "float",
                                                              "for",
                                                              "friend",
                                                              "goto",
                                                              "if",
                                                              "inline",
                                                              "int",
                                                              "long",
                                                              "mutable",
                                                              "namespace",
                                                              "new",
                                                              "noexcept",
                                                              "nullptr",
                                                              "operator",
                                                              "override",
                                                              "private",
                                                              "protected",
                                                              "public",
                                                              "register",
                                                              "reinterpret_cast",
                                                              "requires",
                                                              "restrict",
                                                              "return",
                                                              "short",
                                                              "signed",
                                                              "sizeof",
                                                              "static",
                                                              "static_assert",
                                                              "static_cast",
                                                              "struct",
                                                              "switch",
                                                              "template",
                                                              "this",
                                                              "thread_local",
                                                              "throw",
                                                              "true",
                                                              "try",
                                                              "typedef",
                                                              "typeid",
                                                              "typename",
                                                              "typeof",
                                                              "union",
                                                              "unsigned",
                                                              "using",
                                                              "virtual",
                                                              "void",
                                                              "volatile",
                                                              "wchar_t",
                                                              "while",
                                                              "_Alignas",
                                                              "_Alignof",
                                                              "_Atomic",
                                                              "_Bool",
                                                              "_Complex",
                                                              "_Generic",
                                                              "_Noreturn",
                                                              "_Static_assert",
                                                              "_Thread_local",
                                                              "__alignof__",
                                                              "__asm",
                                                              "__asm__",
                                                              "__attribute",
                                                              "__attribute__",
                                                              "__const",
                                                              "__const__",
                                                              "__cplusplus",
                                                              "__declspec",
                                                              "__extension__",
                                                              "__inline",
                                                              "__inline__",
                                                              "__int128",
                                                              "__interface",
                                                              "__restrict",
                                                              "__restrict__",
                                                              "__signed__",
                                                              "__thread",
                                                              "__typeof__",
                                                              "__volatile__"};
  return kWords;
}

}  // namespace

bool is_language_word(std::string_view word) { return language_words().contains(word); }

bool is_language_word(std::uint64_t hash) {
  static const std::unordered_set<std::uint64_t> kHashes = [] {
    std::unordered_set<std::uint64_t> out;
    for (const std::string_view word : language_words()) out.insert(word_hash(word));
    return out;
  }();
  return kHashes.contains(hash);
}

HeaderItems cut_header(std::string_view text, Branches branches) {
  HeaderItems out = cut(text, branches);
  const Guard guard = guard_of(text);
  out.guarded = guard.guarded;
  if (!guard.name.empty()) out.guard = word_hash(guard.name);
  out.text = short_digest(text);
  return out;
}

void KnownNames::add(const HeaderItem& item) {
  for (const DeclaredName& name : item.names) {
    const std::uint64_t hash = word_hash(name.text);
    if (item.kind == Kind::kMacro) {
      (item.function_like ? function_macros : macros).insert(hash);
      continue;
    }
    if (item.numbers && name.sure) numbers.insert(hash);
    if (item.type && (name.sure || name.last || name.before_group)) types.insert(hash);
  }
}

std::vector<std::string_view> declared_names(const HeaderItem& item, const KnownNames& known) {
  std::vector<std::string_view> out;
  std::vector<const DeclaredName*> heads;
  const auto is_function_macro = [&](const DeclaredName& name) {
    return known.function_macros.contains(word_hash(name.text));
  };
  const auto is_known = [&](const DeclaredName& name) {
    const std::uint64_t hash = word_hash(name.text);
    return known.function_macros.contains(hash) || known.macros.contains(hash) || known.types.contains(hash);
  };
  const auto put = [&](std::string_view name) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  for (const DeclaredName& name : item.names) {
    if (name.sure) put(name.text);
    else if (!name.inner) heads.push_back(&name);
  }
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const DeclaredName& name = *heads[i];
    if (name.last || !is_known(name) || (name.before_group && !is_function_macro(name))) {
      put(name.text);
    } else if (name.before_group) {  // "deflate OF((int x))": the name stands before the macro
      std::size_t left = i;
      while (left > 0 && is_function_macro(*heads[left - 1])) --left;
      if (left > 0 && !known.types.contains(word_hash(heads[left - 1]->text))) put(heads[left - 1]->text);
    }
  }
  if (!out.empty()) return out;
  // A function that a macro has the name of, with its type before it.
  if (!item.call && !item.code)
    for (const DeclaredName* name : heads)
      if (name->before_group && is_function_macro(*name)) put(name->text);
  if (!out.empty()) return out;
  for (const DeclaredName& name : item.names)
    if (name.inner && !name.deep && !is_known(name)) put(name.text);
  if (out.empty())
    for (const DeclaredName& name : item.names)
      if (!is_known(name)) put(name.text);
  if (out.empty())
    for (const DeclaredName& name : item.names) put(name.text);
  return out;
}

}  // namespace nacre::package
