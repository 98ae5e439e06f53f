#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::codec {

/// Where a gzip member can be cut, and what follows there: the compressed bytes up to `offset` stay as they are, then
/// comes `ending`. The result is a member of the first `size` uncompressed bytes.
struct GzipCut {
  std::uint64_t offset = 0;
  std::string ending;
  std::uint64_t size = 0;
};

/// Looks for the last place at which one gzip member can be cut without compressing again what stands before: a
/// boundary of deflate blocks. Bytes are pushed in pieces; `on_data` sees what they inflate to, and after each call
/// `safe` says up to which uncompressed offset a boundary may lie.
class GzipCutter {
 public:
  GzipCutter(std::function<Result<>(std::string_view)> on_data, std::function<std::uint64_t()> safe,
             std::uint64_t max_bytes);
  ~GzipCutter();
  GzipCutter(const GzipCutter&) = delete;

  /// kInvalid for what is no gzip, and for more than `max_bytes`.
  Result<> push(std::string_view bytes);
  /// The member with its first `keep` uncompressed bytes; nothing when it cannot be cut there (several members, or too
  /// much after the last boundary).
  Result<std::optional<GzipCut>> finish(std::uint64_t keep);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nacre::codec
