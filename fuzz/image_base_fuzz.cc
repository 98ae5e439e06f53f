#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "image/base.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto packages = nacre::image::parse_database(text, "APKINDEX");
  if (!packages) return 0;
  for (const nacre::image::PackageContents& package : *packages)
    for (const nacre::image::ContentEntry& entry : package.entries)
      if (entry.path.empty() || entry.path.starts_with('/') || entry.path.find("..") == 0) std::abort();
  return 0;
}
