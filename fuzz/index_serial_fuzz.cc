#include "codec/json.h"
#include "index/index.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// What is read as a serial must be written as the same serial: equal manifests are equal digests.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)nacre::index::parse_index_description(bytes);
  const auto json = nacre::codec::parse_json(bytes, "fuzz");
  if (!json) return 0;
  const auto serial = nacre::index::serial_from_json(*json);
  if (!serial) return 0;
  (void)nacre::index::blobs_of(*serial);
  const std::string first = nacre::codec::to_canonical_json(nacre::index::serial_to_json(*serial));
  const auto again = nacre::codec::parse_json(first, "again");
  if (!again) std::abort();
  const auto same = nacre::index::serial_from_json(*again);
  if (!same || nacre::codec::to_canonical_json(nacre::index::serial_to_json(*same)) != first) std::abort();
  return 0;
}
