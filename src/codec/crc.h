#pragma once

#include <cstdint>
#include <string_view>

namespace nacre::codec {

/// Reflected polynomials of 32 bits.
enum class Crc : std::uint32_t {
  kIeee = 0xedb88320,         ///< gzip, GPT.
  kCastagnoli = 0x82f63b78,   ///< EROFS.
};

/// The register after `bytes`, from all ones and without the final inversion that most formats add (~crc32(…)).
std::uint32_t crc32(Crc polynomial, std::string_view bytes, std::uint32_t seed = 0xffffffff);

}  // namespace nacre::codec
