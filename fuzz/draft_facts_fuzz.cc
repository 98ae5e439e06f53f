#include "draft/draft.h"

#include <cstddef>
#include <cstdint>
#include <string>

// A source tree: files parted by lines of %, the first line of each its name. What is found becomes a definition.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  nacre::draft::SourceTree tree;
  tree.folder = "fuzz-1.0";
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find("\n%\n"));
    text.remove_prefix(std::min(part.size() + 3, text.size()));
    const std::string_view name = part.substr(0, part.find('\n'));
    tree.files.emplace(name);
    if (name.size() < part.size()) tree.texts.emplace(name, part.substr(name.size() + 1));
  }
  const nacre::draft::Origin origin{"https://host.example/fuzz-1.0.tar.gz", std::string(64, '0'), {}, {}, {}, {}, {}};
  for (const std::string& system : nacre::draft::build_systems()) {
    const auto facts = nacre::draft::find_facts(tree, origin, {{}, {}, system});
    if (!facts) continue;
    (void)nacre::draft::write_definition(*facts, origin);
    (void)nacre::draft::facts_json(*facts, origin);
  }
  return 0;
}
