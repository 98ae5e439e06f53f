#include "image/library.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// The first byte is the size of the pieces: what is seen of a library while it goes by is what the whole file says.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = data[0] * std::size_t{37} + 1;
  image::LibraryProbe probe;
  probe.begin(bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += piece) probe.push(bytes.substr(at, piece));
  const auto seen = probe.finish();
  const image::LibraryName whole = image::library_name(bytes);
  if (!seen || seen->machine != whole.machine || seen->soname != whole.soname) std::abort();
  (void)image::library_stem(bytes);
  return 0;
}
