#include "os/rfc3339.h"

#include "base/number.h"

#include <ctime>
#include <string>

namespace nacre::os {

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  constexpr std::size_t kWithoutZone = 19;
  if (text.size() <= kWithoutZone) return std::nullopt;
  std::tm time{};
  const std::string head(text.substr(0, kWithoutZone));
  const char* end = ::strptime(head.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  std::string_view rest = text.substr(kWithoutZone);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') rest.remove_prefix(1);
  }
  const std::int64_t seconds = ::timegm(&time);
  if (rest == "Z" || rest == "z") return seconds;
  if (rest.size() != 6 || rest[3] != ':' || (rest[0] != '+' && rest[0] != '-')) return std::nullopt;
  const auto hours = whole_number<unsigned>(rest.substr(1, 2)), minutes = whole_number<unsigned>(rest.substr(4));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::int64_t offset = std::int64_t{*hours} * 3600 + std::int64_t{*minutes} * 60;
  return rest[0] == '+' ? seconds - offset : seconds + offset;
}

}  // namespace nacre::os
