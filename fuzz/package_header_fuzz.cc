#include "package/header_items.h"
#include "package/touch.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre::package;

/// Two headers, parted by a byte 1. A header that stayed as it was touches nobody, whatever is in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t middle = text.find('\x01');
  const std::string_view one = text.substr(0, middle);
  const std::string_view other = middle == std::string_view::npos ? std::string_view() : text.substr(middle + 1);
  Offer before, after;
  before.headers["usr/include/z.h"] = cut_header(one);
  after.headers["usr/include/z.h"] = cut_header(other);
  KnownNames known;
  for (const HeaderItem& item : before.headers["usr/include/z.h"].items) known.add(item);
  for (const HeaderItem& item : before.headers["usr/include/z.h"].items) (void)declared_names(item, known);
  UseReader reader;
  reader.add("u.c", one);
  const auto use = reader.finish();
  if (!use) return 0;
  const Offer* was[] = {&before};
  const Offer* is[] = {&after};
  const OfferChanges same(was, was, {});
  if (same.touches(*use).has_value()) std::abort();
  const OfferChanges changes(was, is, {});
  (void)changes.touches(*use);
  const auto again = use_from_bytes(use_to_bytes(*use));
  if (!again || again->words != use->words) std::abort();
  (void)use_from_bytes(text);
  return 0;
}
