#include "farm/waiver.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto waivers = nacre::farm::parse_waivers(text, "waivers.yaml");
  if (!waivers) return 0;
  for (const nacre::farm::Waiver& waiver : *waivers) {
    // What is signed has eight lines and an end, whatever the values: none poses as another.
    const std::string lines = nacre::farm::waiver_text(waiver);
    std::size_t count = 0;
    for (const char c : lines) count += c == '\n' ? 1 : 0;
    if (count != 8) std::abort();
    // What was read can be written, and is read as the same.
    const auto file = nacre::farm::with_waiver("", "waivers.yaml", waiver);
    if (!file) std::abort();
    const auto again = nacre::farm::parse_waivers(*file, "waivers.yaml");
    if (!again || again->size() != 1 || nacre::farm::waiver_text(again->front()) != lines) std::abort();
    (void)nacre::farm::why_void(waiver, {}, waiver.from, 90);
  }
  return 0;
}
