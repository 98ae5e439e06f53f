// Patches are other people's bytes: reading one, and trying it both ways on a text, must not crash.
#include "watch/patch_text.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\0');
  const std::string_view body = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
  (void)nacre::watch::count_patch(text);
  const auto patch = nacre::watch::parse_patch(text.substr(0, cut), "x.patch");
  if (!patch) return 0;
  (void)patch->header.status();
  const nacre::watch::FileReader reader = [&](const std::string&) -> nacre::Result<std::optional<std::string>> {
    return std::optional(std::string(body));
  };
  (void)nacre::watch::try_patch(*patch, 1, nacre::watch::Direction::kReverse, reader);
  (void)nacre::watch::try_patch(*patch, 1, nacre::watch::Direction::kForward, reader, {.fuzz = 2, .anywhere = true});
  return 0;
}
