#include "apk/version.h"
#include "base/tree_path.h"
#include "package/deb.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// Fields of Debian's packages: versions become valid ones, names are never empty, a path stays below the root.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!nacre::apk::is_valid_version(nacre::package::apk_version_of(text))) std::abort();
  for (const auto& group : nacre::package::parse_debian_depends(text)) {
    if (group.empty()) std::abort();
    for (const std::string& name : group)
      if (name.empty() || name.find_first_of(" (:|,") != std::string::npos) std::abort();
  }
  const auto path = nacre::TreePath::parse(text);
  if (!path) return 0;
  const std::string merged = nacre::package::merged_path(path->str());
  if (!merged.empty() && nacre::package::merged_path(merged) != merged) std::abort();
  return 0;
}
