#pragma once

#include "base/result.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nacre {

/// A SHA-256 digest: the name of everything in the store (design, decision 2).
///
/// The value only; codec/digest.h computes it.
struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};

  std::string hex() const;                            ///< 64 lower-case digits.
  std::string oci() const { return "sha256:" + hex(); }  ///< As OCI descriptors write it.
  std::string_view view() const;                      ///< The 32 raw bytes.

  auto operator<=>(const Sha256&) const = default;
};

/// Reads 64 hexadecimal digits, with or without a leading "sha256:". kInvalid otherwise.
Result<Sha256> parse_sha256(std::string_view text);

}  // namespace nacre

template <>
struct std::hash<nacre::Sha256> {
  std::size_t operator()(const nacre::Sha256& digest) const noexcept;
};
