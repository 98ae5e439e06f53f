#include "package/elf.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)nacre::package::read_elf({reinterpret_cast<const char*>(data), size});
  return 0;
}
