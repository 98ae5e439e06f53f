#include "apk/package_info.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto info = nacre::apk::parse_package_info(text, "fuzz");
  if (!info) return 0;
  const std::string written = nacre::apk::write_package_info(*info);
  const auto again = nacre::apk::parse_package_info(written, "fuzz");
  if (!again || nacre::apk::write_package_info(*again) != written) std::abort();
  return 0;
}
