#include "apk/dependency.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)nacre::apk::parse_provide(text);
  const auto atom = nacre::apk::parse_dependency(text);
  if (!atom || atom->op == (nacre::apk::kLess | nacre::apk::kGreater)) return 0;
  (void)atom->accepts("1.2.3_rc1-r0");
  const auto again = nacre::apk::parse_dependency(atom->str());  // what we write, we read
  if (!again || again->str() != atom->str() || again->op != atom->op) std::abort();
  return 0;
}
