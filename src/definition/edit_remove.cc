#include "base/text.h"
#include "definition/edit.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace nacre::definition {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr int kMaxRemovals = 1000;
constexpr std::string_view kBlanks = " \t\r\n";

/// A range of the text, whole lines unless said otherwise.
struct Cut {
  std::size_t begin = 0, end = 0;
};

std::size_t line_begin(std::string_view text, std::size_t at) {
  const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

std::size_t line_end(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}

/// Where the last line with content of a node ends, with a comment that stands beside it.
std::size_t content_end(std::string_view text, const codec::YamlSpan& span) {
  const std::size_t last = text.substr(0, span.end).find_last_not_of(kBlanks);
  return line_end(text, last == std::string_view::npos || last < span.begin ? span.begin : last);
}

bool is_blank_line(std::string_view text, std::size_t begin) {
  return begin < text.size() && trim(text.substr(begin, line_end(text, begin) - begin)).empty();
}

/// Of two blank lines that would meet, one goes.
Cut without_double_blank(std::string_view text, Cut cut) {
  const bool before = cut.begin == 0 || is_blank_line(text, line_begin(text, cut.begin - 1));
  while (before && is_blank_line(text, cut.end)) cut.end = line_end(text, cut.end);
  return cut;
}

/// The lines of one item of a block list.
Result<Cut> cut_item(const YamlTree& tree, const YamlNode& list, const YamlNode& item) {
  const std::string_view text = tree.source;
  const std::size_t begin = line_begin(text, item.span.begin);
  const std::string_view lead = trim(text.substr(begin, item.span.begin - begin));
  if (list.items.size() == 1)
    return Error::make(ErrorKind::kInvalid, "it is the only step of its pipeline").at(tree.place(item.span));
  if (lead != "-")
    return Error::make(ErrorKind::kInvalid, "the step does not stand on lines of its own").at(tree.place(item.span));
  return without_double_blank(text, {begin, content_end(text, item.span)});
}

/// The lines of one field of a block mapping; the mapping keeps others.
Result<Cut> cut_entry(const YamlTree& tree, const YamlNode& mapping, const YamlNode::Entry& entry) {
  const std::string_view text = tree.source;
  const std::size_t begin = line_begin(text, entry.key_span.begin);
  if (mapping.entries.size() < 2 || !trim(text.substr(begin, entry.key_span.begin - begin)).empty())
    return Error::make(ErrorKind::kInvalid, "'{}' does not stand on lines of its own", entry.key)
        .at(tree.place(entry.key_span));
  return Cut{begin, content_end(text, entry.value.span)};
}

/// The word in the source of a scalar, with the blanks that parted it, or its line when it stands there alone.
std::optional<Cut> cut_word(std::string_view text, const codec::YamlSpan& span, std::string_view word) {
  const auto parts = [](char c) { return kBlanks.find(c) != std::string_view::npos || c == '"' || c == '\''; };
  const std::size_t stop = std::min(span.end, text.size());
  for (std::size_t at = text.find(word, span.begin); at != std::string_view::npos && at + word.size() <= stop;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at > span.begin && !parts(text[at - 1])) || (end < stop && !parts(text[end]))) continue;
    const std::size_t line = line_begin(text, at);
    if (line > span.begin && trim(text.substr(line, line_end(text, at) - line)) == word)
      return Cut{line, line_end(text, at)};
    Cut cut{at, end};
    while (cut.begin > span.begin && (text[cut.begin - 1] == ' ' || text[cut.begin - 1] == '\t')) --cut.begin;
    if (cut.begin == at)
      while (cut.end < stop && (text[cut.end] == ' ' || text[cut.end] == '\t')) ++cut.end;
    return cut;
  }
  return std::nullopt;
}

/// Looks at each step of the lists under `pipeline`; the first answer ends it.
using LookAt = std::function<Result<std::optional<Cut>>(const YamlNode& list, const YamlNode& step)>;
Result<std::optional<Cut>> find_step(const YamlNode& node, const LookAt& look) {
  for (const YamlNode::Entry& entry : node.entries) {
    if (entry.key == "pipeline")
      for (const YamlNode& step : entry.value.items)
        if (const auto cut = TRY(look(entry.value, step))) return cut;
    if (const auto cut = TRY(find_step(entry.value, look))) return cut;
  }
  for (const YamlNode& item : node.items)
    if (const auto cut = TRY(find_step(item, look))) return cut;
  return std::optional<Cut>();
}

std::string uses_of(const YamlNode& step) {
  const YamlNode* uses = step.find("uses");
  return uses != nullptr ? uses->text : std::string();
}

/// Cuts what `look` finds until it finds nothing.
Result<std::string> cut_all(const YamlTree& tree, const std::function<LookAt(const YamlTree&)>& look_in, Error none) {
  std::string text = tree.source;
  bool found = false;
  for (int i = 0; i < kMaxRemovals; ++i) {
    const YamlTree now = TRY(codec::parse_yaml(text, tree.file));
    const auto cut = TRY(find_step(now.root, look_in(now)));
    if (!cut) break;
    found = true;
    text.erase(cut->begin, cut->end - cut->begin);
  }
  if (!found) return std::move(none).at(Place{tree.file, 0, 0});
  return text;
}

/// "[BRANCH/]COMMIT: why # remark" -> COMMIT; empty for a line without one.
std::string_view commit_of_line(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view what = trim(line.substr(0, colon));
  return what.substr(what.rfind('/') + 1);
}

}  // namespace

Result<std::string> remove_patch(const YamlTree& tree, std::string_view name) {
  const auto look_in = [name](const YamlTree& now) -> LookAt {
    return [&now, name](const YamlNode& list, const YamlNode& step) -> Result<std::optional<Cut>> {
      const std::string uses = uses_of(step);
      const YamlNode* with = step.find("with");
      const YamlNode* patches =
          with != nullptr && (uses == "patch" || uses == "git-am") ? with->find("patches") : nullptr;
      if (patches == nullptr) return std::optional<Cut>();
      const std::vector<std::string> words = split_words(patches->text);
      if (std::find(words.begin(), words.end(), name) == words.end()) return std::optional<Cut>();
      const YamlNode* series = with->find("series");
      if (words.size() == 1 && series == nullptr) {
        const Cut cut = TRY(cut_item(now, list, step), "taking out the step that applies '{}'", name);
        return std::optional(cut);
      }
      if (const auto cut = cut_word(now.source, patches->span, name); cut && words.size() > 1) return cut;
      return Error::make(ErrorKind::kInvalid, "'{}' cannot be taken out of 'patches'", name)
          .at(now.place(patches->span));
    };
  };
  return cut_all(tree, look_in, Error::make(ErrorKind::kNotFound, "no step names the patch '{}' in plain sight", name));
}

Result<std::string> remove_pick(const YamlTree& tree, std::string_view commit) {
  const auto look_in = [commit](const YamlTree& now) -> LookAt {
    return [&now, commit](const YamlNode&, const YamlNode& step) -> Result<std::optional<Cut>> {
      const YamlNode* with = step.find("with");
      if (with == nullptr || uses_of(step) != "git-checkout") return std::optional<Cut>();
      const auto entry = std::find_if(with->entries.begin(), with->entries.end(),
                                      [](const YamlNode::Entry& field) { return field.key == "cherry-picks"; });
      if (entry == with->entries.end()) return std::optional<Cut>();
      std::size_t others = 0;
      bool there = false;
      for (const std::string& line : split(entry->value.text, '\n')) {
        const std::string_view found = commit_of_line(line);
        if (found == commit) there = true;
        else if (!found.empty()) ++others;
      }
      if (!there) return std::optional<Cut>();
      if (others == 0) {
        const Cut cut = TRY(cut_entry(now, *with, *entry), "taking out the pick of {}", commit);
        return std::optional(cut);
      }
      const std::string_view text = now.source;
      for (std::size_t at = line_end(text, entry->value.span.begin); at < entry->value.span.end;
           at = line_end(text, at))
        if (commit_of_line(trim(text.substr(at, line_end(text, at) - at))) == commit)
          return std::optional(Cut{at, line_end(text, at)});
      return Error::make(ErrorKind::kInvalid, "the pick of {} does not stand on a line of its own", commit)
          .at(now.place(entry->value.span));
    };
  };
  return cut_all(tree, look_in, Error::make(ErrorKind::kNotFound, "no cherry-picks name {} in plain sight", commit));
}

}  // namespace nacre::definition
