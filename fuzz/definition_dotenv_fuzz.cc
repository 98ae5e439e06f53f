#include "definition/dotenv.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)nacre::definition::parse_dotenv(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  return 0;
}
