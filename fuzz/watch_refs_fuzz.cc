#include "watch/feeds.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tags = nacre::watch::parse_ref_advertisement(bytes);
  if (tags)
    for (const std::string& tag : *tags)
      if (tag.ends_with("^{}") || tag.size() > size) std::abort();
  for (const std::string& version : nacre::watch::parse_maven_versions(bytes))
    if (version.size() > size) std::abort();
  (void)nacre::watch::package_of_uri(bytes);
  return 0;
}
