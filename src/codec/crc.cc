#include "codec/crc.h"

namespace nacre::codec {

// Bit by bit: what is summed here is a few kilobytes of headers.
std::uint32_t crc32(Crc polynomial, std::string_view bytes, std::uint32_t seed) {
  std::uint32_t crc = seed;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? static_cast<std::uint32_t>(polynomial) : 0);
  }
  return crc;
}

}  // namespace nacre::codec
