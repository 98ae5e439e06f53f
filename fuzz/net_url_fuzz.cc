#include "net/ranges.h"
#include "net/url.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// What parses has one form, which parses to itself; a range never leaves the content.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre::net;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto url = parse_url(bytes)) {
    const auto again = parse_url(url->str());
    if (!again || again->str() != url->str() || again->host != url->host) std::abort();
    if (!parse_url(url->safe())) std::abort();
  }
  const ByteRange range = parse_range(bytes, size);
  if (range.offset > size || range.size > size - range.offset) std::abort();
  if ((range.kind == RangeKind::kPart) != (range.size > 0)) std::abort();
  (void)etag_matches(bytes, "\"a\"");
  if (parse_url("http://a/" + url_encode(bytes)).has_value() != (url_encode(bytes).size() <= 8183))
    std::abort();
  return 0;
}
