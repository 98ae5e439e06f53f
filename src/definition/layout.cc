#include "definition/layout.h"

#include "base/text.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace nacre::definition {
namespace {

using codec::ScalarStyle;
using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::size_t kStep = 2;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }
std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }
bool is_comment(std::string_view line) { return line.substr(indent_of(line)).starts_with('#'); }

bool is_block(const YamlNode& node) {
  return node.style == ScalarStyle::kLiteral || node.style == ScalarStyle::kFolded;
}

/// Whether two trees say the same; places aside.
bool same(const YamlNode& a, const YamlNode& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size())
    return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!same(a.items[i], b.items[i])) return false;
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (a.entries[i].key != b.entries[i].key || !same(a.entries[i].value, b.entries[i].value)) return false;
  return true;
}

class Layout {
 public:
  explicit Layout(const YamlTree& tree) : tree_(tree), lines_(split(tree.source, '\n')), starts_(lines_.size() + 1) {
    inside_.resize(lines_.size() + 1);
  }

  std::string text(bool indent) {
    mark_blocks(tree_.root);
    if (indent) walk(tree_.root, 0);
    if (!followed_) indent = false;
    std::vector<std::string> out;
    for (std::size_t i = 0; i < lines_.size(); ++i) add_line(i, indent, out);
    while (!out.empty() && out.back().empty() && !inside_[lines_.size() - 1]) out.pop_back();
    return out.empty() ? std::string() : join(out, "\n") + (out.back().empty() ? "" : "\n");
  }

 private:
  /// A line that begins one or more nodes: its dashes, and where what follows them stood and shall stand.
  struct Start {
    std::size_t dashes = 0, old_base = 0, indent = 0;
    std::size_t new_base() const { return indent + kStep * dashes; }
  };

  /// Lines of block scalars are content, whatever they look like.
  void mark_blocks(const YamlNode& node) {
    if (node.kind == YamlKind::kScalar && node.span.end > node.span.begin) {
      const std::string_view all = tree_.source;
      const std::string_view text = all.substr(node.span.begin, node.span.end - node.span.begin);
      std::size_t count = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
      if (is_block(node) && text.ends_with('\n')) --count;
      const auto first = static_cast<std::size_t>(node.span.line);  // The line behind the first.
      for (std::size_t i = first; i < std::min(first + count, lines_.size()); ++i) inside_[i] = is_block(node) ? 1 : 2;
    }
    for (const YamlNode& item : node.items) mark_blocks(item);
    for (const auto& entry : node.entries) mark_blocks(entry.value);
  }

  void walk(const YamlNode& node, std::size_t indent) {
    const char first = node.span.begin < tree_.source.size() ? tree_.source[node.span.begin] : '\0';
    if (node.kind == YamlKind::kMapping && first != '{') {
      for (const auto& entry : node.entries) {
        const auto line = static_cast<std::size_t>(entry.key_span.line) - 1;
        auto& start = starts_[line];
        if (!start) start = Start{0, indent_of(lines_[line]), indent};
        walk(entry.value, indent + kStep);
      }
    } else if (node.kind == YamlKind::kSequence && first != '[') {
      for (const YamlNode& item : node.items) walk_item(item, indent);
    }
  }

  void walk_item(const YamlNode& item, std::size_t indent) {
    const auto line = static_cast<std::size_t>(item.span.line) - 1;
    const auto column = static_cast<std::size_t>(item.span.column) - 1;
    if (line >= lines_.size() || column > lines_[line].size()) return void(followed_ = false);
    const std::string_view before = std::string_view(lines_[line]).substr(0, column);
    const std::size_t dash = before.find_last_not_of(' ');
    if (dash == std::string_view::npos || before[dash] != '-') return void(followed_ = false);
    auto& start = starts_[line];
    if (!start) start = Start{0, 0, indent};
    ++start->dashes;
    start->old_base = column;
    walk(item, indent + kStep);
  }

  const Start* start_before(std::size_t line) const {
    for (std::size_t i = line; i-- > 0;)
      if (starts_[i]) return &*starts_[i];
    return nullptr;
  }
  const Start* start_behind(std::size_t line) const {
    for (std::size_t i = line + 1; i < lines_.size(); ++i)
      if (starts_[i]) return &*starts_[i];
    return nullptr;
  }

  static std::string moved(std::string_view line, std::size_t old_base, std::size_t new_base) {
    const std::size_t indent = indent_of(line);
    const std::size_t wanted = indent + new_base < old_base ? 0 : indent + new_base - old_base;
    return std::string(wanted, ' ').append(line.substr(indent));
  }

  std::string laid(std::size_t i) const {
    const std::string& line = lines_[i];
    if (const auto& start = starts_[i]; start) {
      std::string out(start->indent, ' ');
      for (std::size_t k = 0; k < start->dashes; ++k) out += "- ";
      return out.append(std::string_view(line).substr(std::min(start->old_base, line.size())));
    }
    const Start* before = start_before(i);
    if (inside_[i] == 0 && is_comment(line)) {
      const Start* behind = start_behind(i);
      const std::size_t indent = indent_of(line);
      // A comment stands with what follows it, or, further in, with what it follows.
      if (behind && indent <= behind->old_base)
        return std::string(behind->indent, ' ').append(std::string_view(line).substr(indent));
      // At the column of a dash it follows the list, not the item.
      if (!before) return line;
      const std::size_t column = indent == 0 ? 0 : indent < before->old_base ? before->indent : before->new_base();
      return std::string(column, ' ').append(std::string_view(line).substr(indent));
    }
    return before ? moved(line, before->old_base, before->new_base()) : line;
  }

  void add_line(std::size_t i, bool indent, std::vector<std::string>& out) {
    const std::string& line = lines_[i];
    if (inside_[i] != 0) {
      out.push_back(is_blank(line) && line.size() <= kStep * 2 ? "" : indent ? laid(i) : line);
      return;
    }
    if (is_blank(line)) {
      if (!out.empty() && !out.back().empty()) out.emplace_back();
      return;
    }
    std::string made = indent ? laid(i) : line;
    made.erase(made.find_last_not_of(" \t\r") + 1);
    if (begins_field(i) && !out.empty()) {
      // Above the comments that stand with the field.
      std::size_t at = out.size();
      while (at > 0 && out[at - 1].starts_with('#')) --at;
      if (at > 0 && !out[at - 1].empty()) out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), "");
    }
    out.push_back(std::move(made));
  }

  bool begins_field(std::size_t i) const {
    return tree_.root.kind == YamlKind::kMapping &&
           std::any_of(tree_.root.entries.begin(), tree_.root.entries.end(), [&](const auto& entry) {
             return entry.key_span.line == static_cast<int>(i) + 1 && entry.key_span.column == 1;
           });
  }

  const YamlTree& tree_;
  std::vector<std::string> lines_;
  std::vector<std::optional<Start>> starts_;
  std::vector<int> inside_;  // 1: in a block scalar, 2: in another scalar of several lines.
  bool followed_ = true;
};

}  // namespace

Result<std::string> lay_out(const YamlTree& tree) {
  for (const bool indent : {true, false}) {
    std::string text = Layout(tree).text(indent);
    const auto again = codec::parse_yaml(text, tree.file);
    if (!again || !same(again->root, tree.root)) continue;
    if (Layout(*again).text(indent) == text) return text;
  }
  return tree.source;  // Better as it was than with another meaning.
}

}  // namespace nacre::definition
