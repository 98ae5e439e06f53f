#include "build/fetch.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto sources = nacre::build::parse_sources_lock(bytes, "fuzz");
  if (!sources) return 0;
  // What was read must be written so that it is read again as the same.
  const std::string text = nacre::build::write_sources_lock(*sources);
  const auto again = nacre::build::parse_sources_lock(text, "again");
  if (!again || nacre::build::write_sources_lock(*again) != text) std::abort();
  return 0;
}
