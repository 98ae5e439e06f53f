#pragma once

#include "base/result.h"
#include "build/secrets.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// Looks for secrets that must not reach a package, in one pass for all of them and all that build::forms_of() gives of
/// each. What is compressed or encrypted hides from it.
class ForbiddenValues {
 public:
  ForbiddenValues() = default;
  /// kInvalid for a value of fewer than 8 bytes, which would be found everywhere.
  static Result<ForbiddenValues> of(std::span<const build::Secret> secrets);

  bool empty() const { return patterns_.empty(); }
  /// The name of a secret that the bytes hold; nullptr: none.
  const std::string* found_in(std::string_view bytes) const;
  /// Text for a message or a log, with *** for each.
  std::string masked(std::string_view text) const { return build::masked(text, by_size_); }

  /// For content that comes in pieces.
  class Stream {
   public:
    explicit Stream(const ForbiddenValues& values) : values_(&values) {}
    void restart() { tail_.clear(); }
    const std::string* found_in(std::string_view piece);

   private:
    const ForbiddenValues* values_;
    std::string tail_;  ///< The end of what came before, one byte shorter than the longest pattern.
  };

 private:
  const std::string* match_at(std::string_view bytes, std::size_t last) const;

  // Wu and Manber, "A fast algorithm for multi-pattern searching" (1994), with blocks of two bytes.
  std::vector<std::string> patterns_, names_;  ///< names_[i]: whose form patterns_[i] is.
  std::vector<std::string> by_size_;           ///< The patterns, longest first.
  std::size_t shortest_ = 0, longest_ = 0;
  std::vector<std::uint16_t> shifts_;                 ///< By block: how far the window may move.
  std::vector<std::vector<std::uint32_t>> by_block_;  ///< By a hash of the block at the window's end: patterns.
};

}  // namespace nacre::package
