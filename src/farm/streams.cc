#include "farm/streams.h"

#include "base/number.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace nacre::farm {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr int kMostGrace = 3650;

/// The text of a key; empty when it is not there.
Result<std::string> text_of(const YamlTree& tree, const YamlNode& node, std::string_view key) {
  const YamlNode* value = node.find(key);
  if (value == nullptr || value->kind == YamlKind::kNull) return std::string();
  if (value->kind != YamlKind::kScalar)
    return Error::make(ErrorKind::kInvalid, "expected a text for '{}'", key).at(tree.place(value->span));
  if (value->text.find('\n') != std::string::npos)
    return Error::make(ErrorKind::kInvalid, "expected one line for '{}'", key).at(tree.place(value->span));
  return value->text;
}

Result<std::string> needed(const YamlTree& tree, const YamlNode& node, std::string_view key) {
  std::string text = TRY(text_of(tree, node, key));
  if (text.empty()) return Error::make(ErrorKind::kInvalid, "'{}' is missing", key).at(tree.place(node.span));
  return text;
}

Result<> only_keys(const YamlTree& tree, const YamlNode& node, std::string_view what,
                   const std::vector<std::string>& known) {
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected {} as keys and values", what).at(tree.place(node.span));
  for (const YamlNode::Entry& entry : node.entries)
    if (std::find(known.begin(), known.end(), entry.key) == known.end())
      return Error::make(ErrorKind::kInvalid, "unknown key '{}' in {}; there are {}", entry.key, what,
                         join(known, ", "))
          .at(tree.place(entry.key_span))
          .hint(nearest_hint(entry.key, known));
  return {};
}

Result<Day> day_at(const YamlTree& tree, const YamlNode& node, std::string_view key) {
  const std::string text = TRY(needed(tree, node, key));
  Result<Day> day = parse_day(text);
  if (!day) return std::move(day).error().at(tree.place(node.find(key)->span));
  return *day;
}

Result<Stream> read_stream(const YamlTree& tree, const YamlNode& node) {
  TRY(only_keys(tree, node, "a stream", {"definitions", "end", "grace", "note", "waived"}));
  Stream out;
  out.place = tree.place(node.span);
  out.definitions = TRY(needed(tree, node, "definitions"));
  out.end = TRY(day_at(tree, node, "end"));
  out.note = TRY(text_of(tree, node, "note"));
  if (const std::string grace = TRY(text_of(tree, node, "grace")); !grace.empty()) {
    const auto days = grace.ends_with('d') ? whole_number<int>(std::string_view(grace).substr(0, grace.size() - 1))
                                           : std::optional<int>();
    if (!days || *days < 0 || *days > kMostGrace)
      return Error::make(ErrorKind::kInvalid, "expected days such as 90d, at most {}d, got '{}'", kMostGrace, grace)
          .at(tree.place(node.find("grace")->span));
    out.grace_days = *days;
  }
  const YamlNode* waived = node.find("waived");
  if (waived == nullptr) return out;
  TRY(only_keys(tree, *waived, "waived", {"who", "reason", "until"}));
  Stream::Waived word;
  word.who = TRY(needed(tree, *waived, "who"));
  word.reason = TRY(needed(tree, *waived, "reason"));
  word.until = TRY(day_at(tree, *waived, "until"));
  out.waived = std::move(word);
  return out;
}

}  // namespace

Result<std::vector<Stream>> read_streams(const YamlTree& tree) {
  std::vector<Stream> out;
  if (tree.root.kind == YamlKind::kNull) return out;
  TRY(only_keys(tree, tree.root, "streams.yaml", {"streams"}));
  const YamlNode* list = tree.root.find("streams");
  if (list == nullptr || list->kind == YamlKind::kNull) return out;
  if (list->kind != YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "expected a list of streams").at(tree.place(list->span));
  for (const YamlNode& item : list->items) out.push_back(TRY(read_stream(tree, item)));
  return out;
}

bool fits_pattern(std::string_view pattern, std::string_view name) {
  std::size_t at = 0, in = 0, star = std::string_view::npos, after = 0;
  while (in < name.size()) {
    if (at < pattern.size() && (pattern[at] == '?' || (pattern[at] != '*' && pattern[at] == name[in]))) {
      ++at, ++in;
    } else if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after = in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++after;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

const Stream* stream_of(std::span<const Stream> streams, std::string_view definition) {
  for (const Stream& stream : streams)
    if (fits_pattern(stream.definitions, definition)) return &stream;
  return nullptr;
}

Support support_at(const Stream& stream, Day today) {
  if (today <= stream.end) return Support::kSupported;
  if (today <= stream.last_day()) return Support::kEnded;
  return stream.waived && today <= stream.waived->until ? Support::kEnded : Support::kGone;
}

std::string reason_of(const Stream& stream) {
  std::string out = "upstream mends it no longer since " + day_text(stream.end);
  if (!stream.note.empty()) out += ", " + stream.note;
  if (stream.waived)
    out += fmt::format(" (kept by {} until {}: {})", stream.waived->who, day_text(stream.waived->until),
                       stream.waived->reason);
  return out;
}

}  // namespace nacre::farm
