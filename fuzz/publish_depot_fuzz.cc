#include "publish/registry_depot.h"

#include <cstddef>
#include <cstdint>

// Manifests of a repository that keeps blobs: what a registry may answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)nacre::publish::read_kept_blob(text);
  (void)nacre::publish::read_kept_text(text);
  return 0;
}
