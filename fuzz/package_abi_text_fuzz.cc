#include "package/abi_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// What is left of a header has as many lines as before.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = [](std::string_view of) { return std::count(of.begin(), of.end(), '\n'); };
  const std::string header = nacre::package::without_comments(text);
  if (lines(header) != lines(text)) std::abort();
  const std::string facts = nacre::package::pkg_config_facts(text);
  if (nacre::package::pkg_config_facts(facts).size() > facts.size()) std::abort();
  return 0;
}
