#include "definition/shell.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view script(reinterpret_cast<const char*>(data), size);
  const auto fault = nacre::definition::check_shell(script);
  if (fault && (fault->at > size || fault->text.empty())) std::abort();
  return 0;
}
