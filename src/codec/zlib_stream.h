#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nacre::codec {

/// A whole zlib stream (RFC 1950) in memory, inflated. kInvalid when it is malformed, stops early or inflates to more
/// than `max_bytes`.
Result<std::string> inflate_zlib(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace nacre::codec
