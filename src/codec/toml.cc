#include "codec/toml.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace nacre::codec {
namespace {

/// A value on its way: tables can be added to until the text ends.
struct Node {
  enum class Kind { kValue, kTable, kList } kind = Kind::kTable;
  Json value;
  std::map<std::string, Node, std::less<>> table;
  std::vector<Node> list;
  bool closed = false;  ///< Written inline: nothing can be added.
  bool header = false;  ///< Its [header] was there.

  Json json() && {
    if (kind == Kind::kValue) return std::move(value);
    if (kind == Kind::kList) {
      Json::Array out;
      for (Node& item : list) out.push_back(std::move(item).json());
      return Json::array(std::move(out));
    }
    Json::Object out;
    for (auto& [key, node] : table) out.emplace_back(key, std::move(node).json());
    return Json::object(std::move(out));
  }
};

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// Where `text` is not UTF-8 (RFC 3629: no overlong forms, no surrogates); npos: nowhere.
std::size_t first_not_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
    };
    const unsigned first = byte(0), second = byte(1);
    const std::size_t length =
        first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0) return at;
    for (std::size_t i = 1; i < length; ++i)
      if ((byte(i) & 0xC0) != 0x80) return at;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F))
      return at;
    at += length;
  }
  return std::string_view::npos;
}

void add_utf8(std::uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[more] | (code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view source, const TomlLimits& limits)
      : text_(text), source_(source), limits_(limits) {}

  Result<Json> document() {
    if (text_.size() > limits_.max_bytes) return fault("more than {} bytes", limits_.max_bytes);
    if (at_ = first_not_utf8(text_); at_ != text_.npos) return fault("expected UTF-8");
    at_ = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    Node* current = &root_;
    while (true) {
      skip_lines();
      if (at_end()) break;
      if (peek() == '[') {
        current = TRY(header());
      } else {
        TRY(assignment(*current, 0));
      }
      TRY(line_end());
    }
    return std::move(root_).json();
  }

 private:
  template <class... A>
  Error fault(fmt::format_string<A...> text, A&&... args) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t start = before.rfind('\n');
    const std::size_t column = at_ - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return Error::make(ErrorKind::kInvalid, text, std::forward<A>(args)...)
        .at({std::string(source_), static_cast<int>(line), static_cast<int>(column)});
  }

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void skip_comment() {
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  /// Blanks, line ends and comments.
  void skip_lines() {
    for (std::size_t before = at_ + 1; before != at_;) {
      before = at_;
      at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
      skip_comment();
    }
  }
  Result<> line_end() {
    skip_blanks();
    skip_comment();
    take('\r');
    if (!at_end() && !take('\n')) return fault("expected the end of the line");
    return {};
  }
  Result<> count() {
    if (++values_ > limits_.max_values) return fault("more than {} values", limits_.max_values);
    return {};
  }

  Result<std::string> key_part() {
    skip_blanks();
    if (peek() == '"' || peek() == '\'') {
      std::string out = TRY(text_value());
      return out;
    }
    const std::size_t start = at_;
    while (is_bare(peek())) ++at_;
    if (at_ == start) return fault("expected a key");
    return std::string(text_.substr(start, at_ - start));
  }

  Result<std::vector<std::string>> key() {
    std::vector<std::string> out;
    do {
      std::string part = TRY(key_part());
      out.push_back(std::move(part));
      if (out.size() > static_cast<std::size_t>(limits_.max_depth))
        return fault("keys deeper than {}", limits_.max_depth);
      skip_blanks();
    } while (take('.'));
    return out;
  }

  /// The table of that name in `from`, made where there is none; of a list of tables its last.
  Result<Node*> step(Node& from, const std::string& name) {
    const auto [found, added] = from.table.try_emplace(name);
    if (added) TRY(count());
    Node* node = &found->second;
    if (node->kind == Node::Kind::kList && !node->closed && !node->list.empty()) node = &node->list.back();
    if (node->kind != Node::Kind::kTable || node->closed) return fault("'{}' is no table that can grow", name);
    return node;
  }

  Result<Node*> header() {
    ++at_;
    const bool list = take('[');
    const std::vector<std::string> names = TRY(key());
    if (!take(']') || (list && !take(']'))) return fault("expected ']'");
    Node* at = &root_;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) at = TRY(step(*at, names[i]));
    if (!list) {
      Node* table = TRY(step(*at, names.back()));
      const auto found = at->table.find(names.back());
      if (table->header || found->second.kind == Node::Kind::kList)
        return fault("table '{}' is there twice", names.back());
      table->header = true;
      return table;
    }
    const auto [found, added] = at->table.try_emplace(names.back());
    Node& node = found->second;
    if (added) node.kind = Node::Kind::kList;
    if (node.kind != Node::Kind::kList || node.closed) return fault("'{}' is no list of tables", names.back());
    TRY(count());
    return &node.list.emplace_back();
  }

  Result<> assignment(Node& into, int depth) {
    const std::vector<std::string> names = TRY(key());
    if (!take('=')) return fault("expected '='");
    Node* at = &into;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) at = TRY(step(*at, names[i]));
    if (at->table.contains(names.back())) return fault("'{}' is there twice", names.back());
    Node node = TRY(value(depth));
    at->table.emplace(names.back(), std::move(node));
    return {};
  }

  Result<Node> value(int depth) {
    TRY(count());
    if (depth > limits_.max_depth) return fault("values deeper than {}", limits_.max_depth);
    skip_blanks();
    Node out;
    out.closed = true;
    if (take('[')) {
      out.kind = Node::Kind::kList;
      for (skip_lines(); !take(']'); skip_lines()) {
        Node item = TRY(value(depth + 1));
        out.list.push_back(std::move(item));
        skip_lines();
        if (peek() != ']' && !take(',')) return fault("expected ',' or ']'");
      }
      return out;
    }
    if (take('{')) {
      out.closed = false;  // Dotted keys inside may share a table.
      for (skip_lines(); !take('}'); skip_lines()) {
        TRY(assignment(out, depth + 1));
        skip_lines();
        if (peek() != '}' && !take(',')) return fault("expected ',' or '}}'");
      }
      out.closed = true;
      return out;
    }
    out.kind = Node::Kind::kValue;
    if (peek() == '"' || peek() == '\'') {
      out.value = TRY(text_value());
      return out;
    }
    out.value = TRY(bare_value());
    return out;
  }

  Result<Json> bare_value() {
    const std::size_t start = at_;
    at_ = std::min(text_.find_first_of(",]}#\r\n", at_), text_.size());
    std::string word(trim(text_.substr(start, at_ - start)));
    if (word.empty()) return fault("expected a value");
    if (word == "true" || word == "false") return Json(word == "true");
    const std::string digits = replace_all(word, "_", "");
    std::int64_t number = 0;
    const char* first = digits.data() + (digits.starts_with('+') ? 1 : 0);
    const auto [stop, status] = std::from_chars(first, digits.data() + digits.size(), number);
    if (status == std::errc{} && stop == digits.data() + digits.size()) return Json(number);
    const char c = word[0];
    const bool numeric = (c >= '0' && c <= '9') || c == '+' || c == '-' || word == "inf" || word == "nan";
    const bool date = word.size() > 10 && word[4] == '-' && word[10] == ' ';
    if (!numeric || (word.find_first_of(" \t") != std::string::npos && !date))
      return fault("'{}' is no value; texts stand in quotes", word.substr(0, 40));
    return Json(std::move(word));
  }

  Result<std::string> text_value() {
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool lines = take(three);
    if (!lines) ++at_;
    if (lines && !take("\r\n")) take("\n");
    std::string out;
    while (true) {
      if (at_end()) return fault("a text without its end");
      if (lines ? take(three) : take(quote)) break;
      const char c = text_[at_];
      if (!lines && c == '\n') return fault("a text without its end");
      ++at_;
      if (c == '\\' && quote == '"') TRY(escape(out));
      else out += c;
    }
    while (lines && take(quote)) out += quote;  // Quotes at the very end belong to the text.
    return out;
  }

  Result<> escape(std::string& out) {
    static constexpr std::pair<char, char> kKnown[] = {{'b', '\b'}, {'t', '\t'},   {'n', '\n'}, {'f', '\f'},
                                                       {'r', '\r'}, {'e', '\x1b'}, {'"', '"'},  {'\\', '\\'}};
    const char c = peek();
    ++at_;
    for (const auto& [letter, meant] : kKnown)
      if (c == letter) return out += meant, Result<>();
    if (c == 'u' || c == 'U') {
      const std::size_t digits = c == 'u' ? 4 : 8;
      std::uint32_t code = 0;
      const std::string_view hex = text_.substr(std::min(at_, text_.size()), digits);
      const auto [stop, status] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
      if (status != std::errc{} || stop != hex.data() + digits || code > 0x10FFFF) return fault("no such character");
      at_ += digits;
      add_utf8(code, out);
      return {};
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {  // A line that goes on.
      at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
      return {};
    }
    return fault("'\\{}' means nothing", c);
  }

  std::string_view text_, source_;
  const TomlLimits& limits_;
  std::size_t at_ = 0, values_ = 0;
  Node root_;
};

}  // namespace

Result<Json> parse_toml(std::string_view text, std::string_view source, const TomlLimits& limits) {
  return Reader(text, source, limits).document();
}

}  // namespace nacre::codec
