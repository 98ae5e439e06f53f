#include "codec/archive.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// The bytes as an archive, and as one compressed file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  nacre::codec::TarLimits limits;
  limits.max_entries = 1000;
  limits.max_total_bytes = 1u << 20;
  (void)nacre::codec::read_archive_bytes(bytes, "fuzz", {}, limits);
  const auto text = nacre::codec::plain_text(std::string(bytes), "fuzz", 1u << 20);
  if (text && text->size() > (1u << 20)) std::abort();
  return 0;
}
