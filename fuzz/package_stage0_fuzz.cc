#include "codec/yaml.h"
#include "package/stage0.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>

// The table of stage0: names are single parts of a path, and no two are the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto yaml = nacre::codec::parse_yaml(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!yaml) return 0;
  const auto entries = nacre::package::parse_stage0(*yaml);
  if (!entries) return 0;
  std::set<std::string> names;
  for (const nacre::package::Stage0Entry& entry : *entries) {
    const bool plain = !entry.name.empty() && entry.name.find('/') == std::string::npos;
    if (!plain || !names.insert(entry.name).second) std::abort();
    for (const auto& [path, target] : entry.links)
      if (target.empty()) std::abort();
  }
  return 0;
}
