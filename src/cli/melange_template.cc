#include "cli/melange_template.h"
#include "cli/melange_template_fields.h"

#include "base/text.h"

#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

namespace nacre::cli {
namespace {

using codec::YamlKind;
using codec::YamlNode;

/// A place in the definition with its type; or a text or number that the template made.
struct Value {
  const YamlNode* node = nullptr;  ///< nullptr: unset.
  std::string type = "text";
  std::optional<std::string> made;

  bool is_list() const { return type.starts_with("[]"); }
  bool is_plain() const { return made || type == "text" || type == "number" || type == "bool"; }
  std::string text() const {
    if (made) return *made;
    if (node != nullptr && node->kind == YamlKind::kScalar) return node->text;
    return type == "number" ? "0" : type == "bool" ? "false" : "";
  }
  std::size_t size() const {
    if (is_plain()) return text().size();
    if (node == nullptr) return 0;
    return is_list() ? node->items.size() : node->entries.size();
  }
  bool holds() const {
    if (type == "number") return text() != "0";
    if (type == "bool") return text() == "true";
    return is_plain() || is_list() || type == "map" ? size() > 0 : node != nullptr;
  }
};

Error wrong(std::string_view what) {
  return Error::make(ErrorKind::kInvalid, "this template cannot be filled: {}", what)
      .hint("fields, range, if, with, else, end, len, not, eq, ne and index are known; docs/melange.md");
}

Result<Value> field(const Value& of, const std::string& name) {
  if (of.type == "map") {
    const YamlNode* found = of.node == nullptr ? nullptr : of.node->find(name);
    return Value{found, "text", {}};
  }
  const auto type = template_types().find(of.type);
  if (type == template_types().end()) return wrong(fmt::format("'.{}' is asked of a {}", name, of.type));
  std::vector<std::string> names;
  for (const TemplateField& row : type->second) {
    if (row.name == name) return Value{of.node == nullptr ? nullptr : of.node->find(row.key), row.type, {}};
    names.emplace_back(row.name);
  }
  return Error::make(ErrorKind::kInvalid, "a {} has no field '{}'", of.type, name)
      .hint(names.empty() ? "" : nearest_hint(name, names));
}

std::vector<Value> items_of(const Value& list) {
  std::vector<Value> out;
  if (list.node == nullptr) return out;
  if (list.is_list())
    for (const YamlNode& item : list.node->items) out.push_back({&item, list.type.substr(2), {}});
  if (list.type == "map")
    for (const YamlNode::Entry& entry : list.node->entries) out.push_back({&entry.value, "text", {}});
  return out;
}

/// As Go prints it: "[a b]" for a list of texts.
Result<std::string> printed(const Value& value) {
  if (value.is_plain()) return value.text();
  std::string out;
  if (value.is_list() && value.type == "[]text") {
    for (const Value& item : items_of(value)) out += (out.empty() ? "" : " ") + item.text();
    return "[" + out + "]";
  }
  if (value.type == "map") {
    std::map<std::string, std::string> sorted;
    if (value.node != nullptr)
      for (const YamlNode::Entry& entry : value.node->entries) sorted[entry.key] = entry.value.text;
    for (const auto& [key, text] : sorted) out += (out.empty() ? "" : " ") + key + ":" + text;
    return "map[" + out + "]";
  }
  return wrong(fmt::format("a whole {} would be printed; name a field of it", value.type));
}

struct Piece {
  bool action = false;
  std::string text;
};

Result<std::vector<Piece>> cut(std::string_view text) {
  std::vector<Piece> out;
  bool trim_next = false;
  while (!text.empty()) {
    const std::size_t open = text.find("{{");
    std::string plain(text.substr(0, open));
    if (trim_next) plain.erase(0, std::min(plain.find_first_not_of(" \t\r\n"), plain.size()));
    trim_next = false;
    if (open == std::string_view::npos) {
      out.push_back({false, plain});
      break;
    }
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) return wrong("a '{{' is never closed");
    std::string_view action = text.substr(open + 2, close - open - 2);
    if (action.starts_with("- ")) {
      plain.erase(plain.find_last_not_of(" \t\r\n") + 1);
      action.remove_prefix(1);
    }
    if (action.ends_with(" -")) {
      trim_next = true;
      action.remove_suffix(1);
    }
    out.push_back({false, plain});
    if (!trim(action).starts_with("/*")) out.push_back({true, std::string(trim(action))});
    text.remove_prefix(close + 2);
  }
  return out;
}

class Filler {
 public:
  Filler(std::vector<Piece> pieces, const YamlNode& root)
      : pieces_(std::move(pieces)), root_{&root, "Configuration", {}} {}

  Result<std::string> run() {
    std::size_t at = 0;
    std::string out;
    const std::string end = TRY(block(at, root_, true, out));
    if (!end.empty()) return wrong(fmt::format("'{}' without a beginning", end));
    return out;
  }

 private:
  /// Fills from `at` to the `end` or `else` of this block, which it returns; `live` false: only walks over it.
  Result<std::string> block(std::size_t& at, const Value& dot, bool live, std::string& out) {
    while (at < pieces_.size()) {
      const Piece& piece = pieces_[at++];
      if (!piece.action) {
        if (live) out += piece.text;
        continue;
      }
      const std::string word = piece.text.substr(0, piece.text.find_first_of(" \t(\""));
      if (word == "end" || word == "else") return piece.text;
      if (word == "range" || word == "if" || word == "with") {
        TRY(branch(at, word, piece.text.substr(word.size()), dot, live, out));
      } else if (live) {
        const Value value = TRY(evaluate(piece.text, dot));
        out += TRY(printed(value));
      }
    }
    return std::string();
  }

  Result<> branch(std::size_t& at, const std::string& word, const std::string& what, const Value& dot, bool live,
                  std::string& out) {
    const Value value = live ? TRY(evaluate(what, dot)) : Value{};
    const bool yes = live && value.holds();
    std::string end;
    const std::size_t begin = at;
    if (word == "range" && yes) {
      if (!value.is_list() && value.type != "map") return wrong("range needs a list or a mapping");
      for (const Value& item : items_of(value)) {
        at = begin;
        end = TRY(block(at, item, true, out));
      }
    } else {
      end = TRY(block(at, word == "with" ? value : dot, yes && word != "range", out));
    }
    if (end.empty()) return wrong(fmt::format("'{}' has no end", word));
    if (end == "end") return {};
    const std::string_view rest = trim(std::string_view(end).substr(4));
    if (rest.starts_with("if ")) return branch(at, "if", std::string(rest.substr(3)), dot, live && !yes, out);
    if (!rest.empty()) return wrong(fmt::format("'{}'", end));
    const std::string last = TRY(block(at, dot, live && !yes, out));
    if (last != "end") return wrong("'else' has no end");
    return {};
  }

  static Result<std::vector<std::string>> words_of(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < text.size();) {
      const char c = text[i];
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++i;
      } else if (c == '(' || c == ')') {
        out.emplace_back(1, c);
        ++i;
      } else if (c == '"' || c == '`') {
        const std::size_t close = text.find(c, i + 1);
        if (close == std::string_view::npos || text.substr(i, close - i).find('\\') != std::string_view::npos)
          return wrong("a text in quotes with a backslash, or without its end");
        out.emplace_back(text.substr(i, close - i));
        i = close + 1;
      } else {
        const std::size_t end = std::min(text.find_first_of(" \t\n()", i), text.size());
        out.emplace_back(text.substr(i, end - i));
        i = end;
      }
    }
    return out;
  }

  Result<Value> evaluate(std::string_view text, const Value& dot) {
    const std::vector<std::string> words = TRY(words_of(text));
    std::size_t at = 0;
    Value out = TRY(call(words, at, dot));
    if (at != words.size()) return wrong(fmt::format("'{}'", trim(text)));
    return out;
  }

  Result<Value> call(const std::vector<std::string>& words, std::size_t& at, const Value& dot) {
    if (at >= words.size()) return wrong("an empty expression");
    const std::string& word = words[at];
    if (word == "len") {
      const Value value = TRY(term(words, ++at, dot));
      return Value{nullptr, "number", std::to_string(value.size())};
    }
    if (word == "not") {
      const Value value = TRY(term(words, ++at, dot));
      return Value{nullptr, "bool", value.holds() ? "false" : "true"};
    }
    if (word == "eq" || word == "ne") {
      const Value left = TRY(term(words, ++at, dot));
      const Value right = TRY(term(words, at, dot));
      if (!left.is_plain() || !right.is_plain()) return wrong(fmt::format("'{}' compares texts and numbers", word));
      return Value{nullptr, "bool", (left.text() == right.text()) == (word == "eq") ? "true" : "false"};
    }
    if (word == "index") {
      const Value list = TRY(term(words, ++at, dot));
      const Value key = TRY(term(words, at, dot));
      if (list.type == "map") return field(list, key.text());
      const std::vector<Value> items = items_of(list);
      std::size_t number = 0;
      const std::string text = key.text();
      const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (!list.is_list() || status != std::errc{} || stop != text.data() + text.size() || number >= items.size())
        return wrong(fmt::format("there is no item {} in a list of {}", text, items.size()));
      return items[number];
    }
    return term(words, at, dot);
  }

  Result<Value> term(const std::vector<std::string>& words, std::size_t& at, const Value& dot) {
    if (at >= words.size()) return wrong("an argument is missing");
    const std::string word = words[at++];
    if (word == "(") {
      Value inner = TRY(call(words, at, dot));
      if (at >= words.size() || words[at] != ")") return wrong("a '(' is never closed");
      ++at;
      if (at < words.size() && words[at].starts_with(".") && words[at].size() > 1) return path(words[at++], inner);
      return inner;
    }
    if (word[0] == '"' || word[0] == '`') return Value{nullptr, "text", word.substr(1)};
    if (word.find_first_not_of("0123456789") == std::string::npos) return Value{nullptr, "number", word};
    if (word.starts_with("$")) return path(word.substr(1), root_);
    if (word.starts_with(".")) return path(word, dot);
    return wrong(fmt::format("'{}'", word));
  }

  static Result<Value> path(const std::string& text, const Value& from) {
    Value at = from;
    if (text.empty() || text == ".") return at;
    for (const std::string& name : split(std::string_view(text).substr(1), '.')) at = TRY(field(at, name));
    return at;
  }

  std::vector<Piece> pieces_;
  Value root_;
};

}  // namespace

Result<std::string> fill_template(std::string_view text, const codec::YamlNode& definition) {
  std::vector<Piece> pieces = TRY(cut(text));
  return Filler(std::move(pieces), definition).run();
}

}  // namespace nacre::cli
