#include "codec/gzip.h"
#include "codec/gzip_cut.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

using namespace nacre;

// Two bytes say how much is kept, then comes the member: cut there, it inflates to the beginning of what it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::uint64_t keep = data[0] | std::uint64_t{data[1]} << 8;
  std::string text;
  codec::GzipCutter cutter(
      [&](std::string_view made) -> Result<> {
        text += made;
        return {};
      },
      [&] { return keep; }, 1u << 20);
  for (std::size_t at = 0; at < bytes.size(); at += 1000)
    if (!cutter.push(bytes.substr(at, 1000))) return 0;
  const auto cut = cutter.finish(keep);
  if (!cut || !*cut) return 0;
  if ((*cut)->offset > bytes.size() || (*cut)->size != keep || keep > text.size()) std::abort();
  const auto again = codec::gunzip(std::string(bytes.substr(0, (*cut)->offset)) + (*cut)->ending, 1u << 20);
  if (!again || *again != text.substr(0, keep)) std::abort();
  return 0;
}
