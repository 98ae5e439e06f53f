#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// Looks for values that must not reach a package (secrets of a build), in one pass for all of them: as they are, in
/// base64 at any alignment (both alphabets), and percent-encoded. What is compressed or encrypted hides from it.
class ForbiddenValues {
 public:
  ForbiddenValues() = default;
  /// kInvalid for a value of fewer than 4 bytes, which would be found everywhere. Empty values are left out.
  static Result<ForbiddenValues> of(const std::vector<std::string>& values);

  bool empty() const { return patterns_.empty(); }
  bool found_in(std::string_view bytes) const;

  /// For content that comes in pieces.
  class Stream {
   public:
    explicit Stream(const ForbiddenValues& values) : values_(&values) {}
    void restart() { tail_.clear(); }
    bool found_in(std::string_view piece);

   private:
    const ForbiddenValues* values_;
    std::string tail_;  ///< The end of what came before, one byte shorter than the longest pattern.
  };

 private:
  bool matches_at(std::string_view bytes, std::size_t last) const;

  // Wu and Manber, "A fast algorithm for multi-pattern searching" (1994), with blocks of two bytes.
  std::vector<std::string> patterns_;
  std::size_t shortest_ = 0, longest_ = 0;
  std::vector<std::uint16_t> shifts_;                 ///< By block: how far the window may move.
  std::vector<std::vector<std::uint32_t>> by_block_;  ///< By a hash of the block at the window's end: patterns.
};

}  // namespace nacre::package
