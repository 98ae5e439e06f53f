#include "image/lock_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto lock = nacre::image::parse_lock_file(text, "x.lock.json");
  if (!lock) return 0;
  const std::string written = nacre::image::write_lock_file(*lock);
  const auto again = nacre::image::parse_lock_file(written, "x.lock.json");
  if (!again || nacre::image::write_lock_file(*again) != written) std::abort();
  return 0;
}
