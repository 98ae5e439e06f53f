#include "codec/yaml_aliases.h"
#include "image/image.h"
#include "image/oci.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto yaml = nacre::codec::parse_yaml_with_aliases(text, "image.yaml");
  if (!yaml) return 0;
  const auto spec = nacre::image::read_image_spec(*yaml);
  if (!spec) return 0;
  (void)nacre::image::shell_words(spec->entrypoint.command);
  (void)nacre::image::spec_to_yaml(*spec);
  (void)nacre::codec::to_canonical_json(nacre::image::spec_to_json(*spec));
  return 0;
}
