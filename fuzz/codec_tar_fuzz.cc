#include "codec/tar.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  nacre::codec::TarReader reader({}, {});
  if (reader.push(bytes)) (void)reader.finish();
  return 0;
}
