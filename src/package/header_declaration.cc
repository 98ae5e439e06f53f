#include "package/header_declaration.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace nacre::package {
namespace {

using Token = HeaderToken;
using Code = HeaderCode;

bool one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_class_key(const Token& token) {
  static constexpr std::array<std::string_view, 5> kKeys = {"struct", "union", "enum", "class", "__interface"};
  return token.kind == Token::Kind::kWord && one_of(token.text, kKeys);
}

/// Words with a '(…)' of their own that say nothing of names.
bool takes_group(const Token& token) {
  static constexpr std::array<std::string_view, 15> kWords = {
      "__attribute__", "__attribute", "__declspec", "alignas", "_Alignas",   "__asm__",  "__asm",   "asm",
      "noexcept",      "throw",       "decltype",   "typeof",  "__typeof__", "explicit", "requires"};
  return token.kind == Token::Kind::kWord && one_of(token.text, kWords);
}

bool says_inline(const Token& token) {
  if (token.kind != Token::Kind::kWord) return false;
  std::string lower;
  for (const char c : token.text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower.find("inline") != std::string::npos || lower == "constexpr" || lower == "consteval";
}

/// Behind `<…>` that begins at `open`; `open` itself when it does not end.
std::size_t behind_angles(const Code& code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i]->is("(") || code[i]->is("[") || code[i]->is("{")) {
      i = behind_group(code, i) - 1;
      continue;
    }
    if (code[i]->is(";")) return open;
    if (code[i]->is("<")) ++depth;
    if (code[i]->is(">") && --depth == 0) return i + 1;
  }
  return open;
}

/// One part of a declaration outside of all brackets.
struct Part {
  enum class Is { kName, kKeyword, kKey, kGroup, kBody, kAssign, kComma, kColon, kMark } is = Is::kMark;
  const Token* token = nullptr;
  std::size_t from = 0, to = 0;  ///< Of a group or body, in the code, with its brackets.
};

/// What a declaration says of names, and of its own nature.
class Reader {
 public:
  Reader(const Code& code, HeaderItem& out) : code_(code), out_(out) { split(); }

  void run() {
    if (code_.empty()) return;
    const Token& first = *code_.front();
    if (first.is("static_assert") || first.is("_Static_assert")) return;
    if (first.is("asm") || first.is("__asm__") || first.is("__asm")) out_.loose = true;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (parts_[i].is == Part::Is::kKey) tag(i);
    heads();
    nature();
  }

  /// The body of the enumeration that this declares; nothing when there is none.
  const Part* enum_body() const { return enum_body_; }

 private:
  using Is = Part::Is;

  void split() {
    for (std::size_t i = 0; i < code_.size();) {
      const Token& token = *code_[i];
      if (token.is("template") && i + 1 < code_.size() && code_[i + 1]->is("<")) {
        template_ = true;
        const std::size_t end = behind_angles(code_, i + 1);
        for (std::size_t k = i + 2; k < end; ++k)
          if (is_name(*code_[k]) &&
              (code_[k - 1]->is("class") || code_[k - 1]->is("typename") || code_[k - 1]->is(".")))
            parameters_.insert(code_[k]->text);
        i = end == i + 1 ? i + 2 : end;
        continue;
      }
      if (takes_group(token) && i + 1 < code_.size() && code_[i + 1]->is("(")) {
        i = behind_group(code_, i + 1);
        continue;
      }
      if (token.is("[")) {
        i = behind_group(code_, i);
        continue;
      }
      Part part;
      part.token = &token;
      part.from = i;
      part.to = i + 1;
      if (token.is("(")) part.is = Is::kGroup;
      else if (token.is("{")) part.is = Is::kBody;
      else if (token.is("=")) part.is = Is::kAssign;
      else if (token.is(",")) part.is = Is::kComma;
      else if (token.is(":")) part.is = Is::kColon;
      else if (is_class_key(token)) part.is = Is::kKey;
      else if (is_name(token)) part.is = Is::kName;
      else if (token.kind == Token::Kind::kWord) part.is = Is::kKeyword;
      if (part.is == Is::kGroup || part.is == Is::kBody) part.to = behind_group(code_, i);
      if (part.is == Is::kKeyword) keywords_.insert(token.text);
      if (says_inline(token)) inline_ = true;
      i = part.to;
      parts_.push_back(part);
    }
    while (!parts_.empty() && parts_.back().token->is(";")) parts_.pop_back();
  }

  void name(const Token& token, bool sure, bool before_group, bool last, bool inner) {
    DeclaredName out;
    out.text = token.text;
    out.sure = sure;
    out.before_group = before_group;
    out.last = last;
    out.inner = inner;
    out_.names.push_back(std::move(out));
  }

  /// struct NAME {…}, struct NAME;, and the mention `struct NAME *x`.
  void tag(std::size_t key) {
    std::size_t end = key + 1;
    std::vector<std::size_t> names;
    for (; end < parts_.size(); ++end) {
      const Is is = parts_[end].is;
      if (is == Is::kName) names.push_back(end);
      else if (is == Is::kKey || is == Is::kKeyword || (is == Is::kColon && is_scope(end))) continue;
      else if (is == Is::kMark && template_ && parts_[end].token->is("<")) end = specialized(end, names);
      else if (is == Is::kGroup && !names.empty() && names.back() + 1 == end && has_body_behind(end))
        continue;  // API(x)
      else break;
    }
    const std::size_t body = body_behind(end);
    if (body < parts_.size()) {
      for (std::size_t i = key; i < body; ++i) taken_.insert(i);
      for (std::size_t i = 0; i < names.size(); ++i)
        name(*parts_[names[i]].token, template_ || i + 1 == names.size(), false, false, false);
      bodies_.insert(body);
      if (parts_[key].token->is("enum")) {
        enum_body_ = &parts_[body];
        enumerators(parts_[body]);
      }
      return;
    }
    if (names.empty()) return;
    if (end < parts_.size() || keywords_.contains("typedef")) {
      taken_.insert(names.front());
      return;
    }
    taken_.insert(names.back());
    name(*parts_[names.back()].token, true, false, false, false);
    forward_ = names.size() == 1;
  }

  /// Of `hash<Foo *>` the names in <…>; gives the last part.
  std::size_t specialized(std::size_t open, std::vector<std::size_t>& names) const {
    int depth = 0;
    for (std::size_t i = open; i < parts_.size(); ++i) {
      if (parts_[i].token->is("<")) ++depth;
      if (parts_[i].token->is(">") && --depth == 0) return i;
      if (parts_[i].is == Is::kName) names.push_back(i);
      if (parts_[i].is == Is::kBody) break;
    }
    return open;
  }

  bool is_scope(std::size_t at) const {
    return (at + 1 < parts_.size() && parts_[at + 1].token->is(":")) || (at > 0 && parts_[at - 1].token->is(":"));
  }
  /// Whether nothing but base classes stands between `at` and a body.
  std::size_t body_behind(std::size_t at) const {
    if (at < parts_.size() && parts_[at].is == Is::kBody) return at;
    if (at >= parts_.size() || parts_[at].is != Is::kColon) return parts_.size();
    for (std::size_t i = at; i < parts_.size(); ++i)
      if (parts_[i].is == Is::kBody) return i;
    return parts_.size();
  }
  bool has_body_behind(std::size_t group) const {
    for (std::size_t i = group + 1; i < parts_.size(); ++i) {
      if (parts_[i].is == Is::kBody) return true;
      if (parts_[i].is != Is::kName && parts_[i].is != Is::kColon) return false;
    }
    return false;
  }

  /// All that an enumeration declares, for one that is not taken apart.
  void enumerators(const Part& body) {
    bool begins = true;
    for (std::size_t i = body.from + 1; i + 1 < body.to; ++i) {
      const Token& token = *code_[i];
      if (token.is(",")) begins = true;
      else if (is_name(token)) {
        const bool call = i + 1 < body.to && code_[i + 1]->is("(");
        if (begins || in_call_) name(token, begins && !call, false, false, false);
        if (begins) in_call_ = call;
        begins = false;
      }
    }
  }

  void heads() {
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= parts_.size(); ++i) {
      if (i < parts_.size() && parts_[i].is != Is::kComma) continue;
      segment(begin, i);
      begin = i + 1;
    }
  }

  /// One declarator: parts from `begin` to `end`.
  void segment(std::size_t begin, std::size_t end) {
    std::size_t stop = begin;
    while (stop < end && parts_[stop].is != Is::kAssign && !(parts_[stop].is == Is::kColon && !is_scope(stop))) ++stop;
    bool named = false;
    std::optional<std::size_t> last;
    std::vector<std::size_t> plain;
    for (std::size_t i = begin; i < stop; ++i) {
      const bool group_next = i + 1 < stop && parts_[i + 1].is == Is::kGroup;
      if (parts_[i].is == Is::kName && !taken_.contains(i) && !parameters_.contains(parts_[i].token->text)) {
        const bool two = group_next && i + 2 < stop && parts_[i + 2].is == Is::kGroup;
        const bool before = group_next && !two;
        name(*parts_[i].token, false, before, false, false);
        if (before) named = true;
        else if (!two) last = out_.names.size() - 1;
        // Of Foo::bar() also Foo: a table of virtual functions may hold it without anybody naming it.
        if (before && i >= begin + 3 && parts_[i - 1].is == Is::kColon && parts_[i - 2].is == Is::kColon &&
            parts_[i - 3].is == Is::kName)
          name(*parts_[i - 3].token, true, false, false, false);
        if (group_next) arguments(parts_[i + 1]);
      }
      if (parts_[i].is != Is::kGroup) continue;
      const bool two = i + 1 < stop && parts_[i + 1].is == Is::kGroup;
      const bool after_name = i > begin && parts_[i - 1].is == Is::kName;
      const bool after_group = i > begin && parts_[i - 1].is == Is::kGroup;
      if (two || (!after_name && !after_group)) named = pointer_name(parts_[i]) || named;
    }
    if (last && !named) out_.names[*last].last = true;
  }

  /// The name in "(*name)", "(CALL *name)", "(*name(int))", "(name)".
  bool pointer_name(const Part& group) {
    bool found = false;
    const Token* last = nullptr;
    for (std::size_t i = group.from + 1; i + 1 < group.to;) {
      if (code_[i]->is("(") || code_[i]->is("[")) {
        if (last != nullptr) break;
        if (code_[i]->is("(")) {
          Part inside;
          inside.from = i;
          inside.to = behind_group(code_, i);
          found = pointer_name(inside) || found;
        }
        i = behind_group(code_, i);
        continue;
      }
      if (is_name(*code_[i])) last = code_[i];
      ++i;
    }
    if (last != nullptr) name(*last, false, false, true, false);
    return found || last != nullptr;
  }

  void arguments(const Part& group) {
    int depth = 0;
    for (std::size_t i = group.from + 1; i + 1 < group.to; ++i) {
      if (code_[i]->is("(")) ++depth;
      if (code_[i]->is(")")) --depth;
      if (!is_name(*code_[i])) continue;
      name(*code_[i], false, false, false, true);
      out_.names.back().deep = depth > 0;
    }
  }

  void nature() {
    const bool is_typedef = keywords_.contains("typedef"), is_using = keywords_.contains("using");
    const bool body = std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.is == Is::kBody; });
    const bool group = std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.is == Is::kGroup; });
    const bool assign = std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.is == Is::kAssign; });
    if (keywords_.contains("operator")) out_.loose = true;
    if (is_using && keywords_.contains("namespace")) out_.loose = true;
    std::size_t words = 0;  // outside of type bodies and what names them
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if ((parts_[i].is == Is::kName || parts_[i].is == Is::kKeyword) && !taken_.contains(i)) ++words;
    const bool types_alone = is_typedef || is_using || forward_ ||
                             (!bodies_.empty() && words == 0 && !assign && !group) || keywords_.contains("namespace") ||
                             keywords_.contains("concept");
    out_.type = types_alone;
    if (types_alone) return;
    if (!bodies_.empty() && template_ && !assign) {
      out_.type = true;
      return;
    }
    const bool function_body = body && bodies_.empty() && group && !assign;
    if (function_body) {
      if (!inline_ && !template_ && !keywords_.contains("static")) out_.loose = true;
      return;
    }
    if (template_ || keywords_.contains("friend") || (keywords_.contains("extern") && !assign)) return;
    const bool key = std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.is == Is::kKey; });
    if (assign || body || (!group && (words > 1 || (key && words > 0)))) out_.loose = true;  // a variable
    if (!group && words == 1 && !key) out_.loose = out_.loose || assign;                     // FOO_DECLS_END
  }

  const Code& code_;
  HeaderItem& out_;
  std::vector<Part> parts_;
  std::set<std::string> keywords_, parameters_;  ///< parameters_: of a template, that are types.
  std::set<std::size_t> taken_;                  ///< Parts that name a tag.
  std::set<std::size_t> bodies_;                 ///< Of types.
  const Part* enum_body_ = nullptr;
  bool template_ = false, inline_ = false, forward_ = false, in_call_ = false;
};

}  // namespace

BodyEnds body_ends(const HeaderCode& code) {
  bool assign = false, key = false, group = false, function = false;
  std::size_t i = 0;
  while (i < code.size()) {
    const Token& token = *code[i];
    if (token.is("template") && i + 1 < code.size() && code[i + 1]->is("<")) {
      const std::size_t end = behind_angles(code, i + 1);
      i = end == i + 1 ? i + 2 : end;
      continue;
    }
    if (takes_group(token) && i + 1 < code.size() && code[i + 1]->is("(")) {
      i = behind_group(code, i + 1);
      continue;
    }
    if (token.is("operator")) function = true;
    if (is_class_key(token)) key = true;
    if (token.is("=")) assign = true;
    if (token.is("(")) {
      group = true;
      i = behind_group(code, i);
      if (i == code.size() && !assign) function = true;
      continue;
    }
    ++i;
  }
  if (function) return BodyEnds::kYes;
  if (assign || key) return BodyEnds::kNo;
  return group ? BodyEnds::kYes : BodyEnds::kUnclear;  // a body of K&R, or what a macro begins
}

std::optional<EnumBody> read_declaration(const HeaderCode& code, HeaderItem& out) {
  Reader reader(code, out);
  reader.run();
  if (reader.enum_body() == nullptr) return std::nullopt;
  return EnumBody{reader.enum_body()->from, reader.enum_body()->to};
}

bool is_name(const HeaderToken& token) {
  return token.kind == HeaderToken::Kind::kWord && !is_language_word(token.text);
}

std::size_t behind_group(const HeaderCode& code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i]->kind != Token::Kind::kMark) continue;
    const char c = code[i]->text[0];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if ((c == ')' || c == ']' || c == '}') && --depth == 0) return i + 1;
  }
  return code.size();
}

}  // namespace nacre::package
