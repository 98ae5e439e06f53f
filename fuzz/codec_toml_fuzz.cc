#include "codec/toml.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// What is read can be written as JSON, and reads back as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;
  const auto read = codec::parse_toml(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!read) return 0;
  const auto again = codec::parse_json(codec::to_json(*read), "again");
  if (!again || codec::to_json(*again) != codec::to_json(*read)) std::abort();
  return 0;
}
