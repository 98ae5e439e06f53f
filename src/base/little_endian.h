#pragma once

#include <cstdint>
#include <string>

namespace nacre {

/// Appends the `bytes` (1 to 8) lowest bytes of a number, the lowest first.
inline void append_little_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

}  // namespace nacre
