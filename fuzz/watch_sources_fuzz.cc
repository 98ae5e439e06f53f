#include "watch/debian.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  nacre::watch::DebianIndex index;
  nacre::watch::parse_sources(bytes, "fuzz", index);
  for (const auto& [name, sources] : index.sources)
    for (const nacre::watch::DebianSource& source : sources)
      if (name.empty() || source.file.empty() || source.version.size() > source.debian_version.size()) std::abort();
  bool repacked = false;
  if (nacre::watch::upstream_version(bytes, &repacked).size() > size) std::abort();
  return 0;
}
