#include "net/ranges.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

using namespace nacre;

// Headers of a client, against content whose size is the first eight bytes: a part is never empty or past the end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t total = 0;
  if (size < sizeof total) return 0;
  std::memcpy(&total, data, sizeof total);
  const std::string_view header(reinterpret_cast<const char*>(data) + sizeof total, size - sizeof total);
  const net::ByteRange range = net::parse_range(header, total);
  if (range.kind == net::RangeKind::kPart &&
      (range.size == 0 || range.offset >= total || range.size > total - range.offset))
    std::abort();
  (void)net::etag_matches(header, "\"x\"");
  (void)net::range_applies(header, "\"x\"");
  return 0;
}
