#include "codec/yaml.h"
#include "definition/layout.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

/// What is laid out is YAML still, and laying it out again changes nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;
  const auto tree = codec::parse_yaml(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!tree) return 0;
  const auto once = definition::lay_out(*tree);
  if (!once) return 0;
  const auto again = codec::parse_yaml(*once, "laid out");
  if (!again) std::abort();
  const auto twice = definition::lay_out(*again);
  if (!twice || *twice != *once) std::abort();
  return 0;
}
