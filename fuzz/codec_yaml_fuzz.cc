#include "codec/yaml_aliases.h"

#include <cstddef>
#include <cstdint>

/// Reads the bytes, shows the error, replaces the first scalar.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)codec::parse_yaml_with_aliases(text, "fuzz", {.max_nodes = 20'000});
  const auto tree = codec::parse_yaml(text, "fuzz");
  if (!tree) {
    (void)codec::render_with_source(tree.error(), text);
    return 0;
  }
  const codec::YamlNode* node = &tree->root;
  while (!node->items.empty() || !node->entries.empty())
    node = node->items.empty() ? &node->entries.front().value : &node->items.front();
  if (node->kind == codec::YamlKind::kScalar && node->span.end > node->span.begin)
    (void)codec::replace_scalar(*tree, *node, "other text");
  return 0;
}
