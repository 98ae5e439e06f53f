#include "base/text.h"
#include "codec/digest.h"
#include "fuzz/world.h"
#include "image/read.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// A manifest, a configuration and a layer of a stranger's image, parted by lines of '%'; "@1" and "@2" in what stands
// before are their digests, "#1" and "#2" their sizes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::World<fuzz::NoHttp> world;
  world.begin();
  std::string parts[3];
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (std::string& part : parts) {
    const std::size_t cut = std::min(rest.find("\n%\n"), rest.size());
    part = rest.substr(0, cut);
    rest.remove_prefix(std::min(cut + 3, rest.size()));
  }
  Sha256 manifest;
  for (int i = 2; i >= 0; --i) {
    for (int j = 2; j > i; --j) {
      parts[i] = replace_all(std::move(parts[i]), fmt::format("@{}", j), codec::sha256(parts[j]).oci());
      parts[i] = replace_all(std::move(parts[i]), fmt::format("#{}", j), std::to_string(parts[j].size()));
    }
    const auto digest = world.store().put_bytes(parts[i], store::Store::Durability::kLater);
    if (!digest) std::abort();
    manifest = *digest;
  }
  if (const auto image = image::read_parts(manifest, world.env())) {
    const auto files = image::read_file_map(*image, world.env());
    if (files) (void)image::read_image_file(*image, *files, "etc/passwd", world.env());
  }
  return 0;
}
