#include "image/kept_contents.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// What the composer keeps of a package, as another program may have left it: read and written again, it is the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto contents = image::unpack_contents({reinterpret_cast<const char*>(data), size});
  if (!contents) return 0;
  const std::string written = image::pack_contents(*contents);
  const auto again = image::unpack_contents(written);
  if (!again || image::pack_contents(*again) != written) std::abort();
  return 0;
}
