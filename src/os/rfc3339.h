#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nacre::os {

/// Seconds since 1970 of "2026-11-24T05:03:00Z": parts of a second are dropped, "+02:00" is taken for the offset that
/// it is. Nothing for anything else. `rfc3339` in os/clock.h writes it.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace nacre::os
