#include "definition/edit.h"

#include <algorithm>
#include <vector>

namespace nacre::definition {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

Result<const YamlNode*> package_field(const YamlTree& tree, std::string_view key) {
  const YamlNode* package = tree.root.find("package");
  const YamlNode* node = package ? package->find(key) : nullptr;
  if (!node)
    return Error::make(ErrorKind::kInvalid, "no 'package.{}' to change", key)
        .at(Place{tree.file, 0, 0});
  if (node->kind == YamlKind::kMapping || node->kind == YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "'package.{}' is not a single value", key)
        .at(tree.place(node->span));
  return node;
}

struct Change {
  const YamlNode* node;
  std::string text;
};

/// Applies changes from the end of the text, so that the spans before stay true.
std::string apply(YamlTree tree, std::vector<Change> changes) {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return a.node->span.begin > b.node->span.begin;
  });
  for (const Change& change : changes)
    tree.source = codec::replace_scalar(tree, *change.node, change.text);
  return std::move(tree.source);
}

/// The tree's text and name without its nodes, which changes point into.
YamlTree text_of(const YamlTree& tree) { return {tree.file, tree.source, {}}; }

/// Scalars under the key `key` anywhere that are `text`, case aside. The tree's depth is bounded by
/// its reader.
void find_values(const YamlNode& node, std::string_view key, std::string_view text,
                 std::vector<const YamlNode*>& out) {
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  for (const auto& entry : node.entries) {
    const YamlNode& value = entry.value;
    if (entry.key == key && value.kind == YamlKind::kScalar &&
        std::equal(value.text.begin(), value.text.end(), text.begin(), text.end(), same))
      out.push_back(&value);
    find_values(value, key, text, out);
  }
  for (const YamlNode& item : node.items) find_values(item, key, text, out);
}

Result<std::string> replace_values(const YamlTree& tree, std::string_view key,
                                   std::string_view old_text, std::string_view new_text) {
  std::vector<const YamlNode*> found;
  find_values(tree.root, key, old_text, found);
  if (found.empty())
    return Error::make(ErrorKind::kNotFound, "no '{}' is {}", key, old_text)
        .at(Place{tree.file, 0, 0})
        .hint("it may be made from a variable; change that by hand");
  std::vector<Change> changes;
  for (const YamlNode* node : found) changes.push_back({node, std::string(new_text)});
  return apply(text_of(tree), std::move(changes));
}

}  // namespace

Result<std::string> bump_version(const YamlTree& tree, std::string_view version,
                                 std::uint64_t epoch) {
  const YamlNode* version_node = TRY(package_field(tree, "version"));
  const YamlNode* epoch_node = TRY(package_field(tree, "epoch"));
  return apply(text_of(tree),
               {{version_node, std::string(version)}, {epoch_node, std::to_string(epoch)}});
}

Result<std::string> set_epoch(const YamlTree& tree, std::uint64_t epoch) {
  const YamlNode* node = TRY(package_field(tree, "epoch"));
  return apply(text_of(tree), {{node, std::to_string(epoch)}});
}

Result<std::string> replace_digest(const YamlTree& tree, std::string_view old_sha256,
                                   std::string_view new_sha256) {
  return replace_values(tree, "expected-sha256", old_sha256, new_sha256);
}

Result<std::string> replace_commit(const YamlTree& tree, std::string_view old_commit,
                                   std::string_view new_commit) {
  return replace_values(tree, "expected-commit", old_commit, new_commit);
}

}  // namespace nacre::definition
