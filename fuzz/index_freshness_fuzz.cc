#include "index/freshness.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// Metadata of strangers, and what is signed of it: read again it must be the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const nacre::index::Role role : nacre::index::kRoles) {
    const auto metadata = nacre::index::parse_metadata(bytes, role, "fuzz");
    if (!metadata) continue;
    const auto again = nacre::index::canonical_json(metadata->body);
    if (!again || *again != metadata->signed_bytes) std::abort();
    if (role != nacre::index::Role::kRoot) continue;
    if (const auto root = nacre::index::parse_root(*metadata))
      (void)nacre::index::check_signatures(*metadata, *root, "fuzz").has_value();
  }
  return 0;
}
