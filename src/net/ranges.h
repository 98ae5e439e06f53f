#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// The parts of RFC 9110 that a server of files needs: Range, If-Range and If-None-Match. Pure.
namespace nacre::net {

enum class RangeKind {
  kWhole,          ///< No range, one that we may ignore (several, another unit, not well formed).
  kPart,           ///< One range within the content.
  kUnsatisfiable,  ///< One range wholly past its end: 416.
};

struct ByteRange {
  RangeKind kind = RangeKind::kWhole;
  std::uint64_t offset = 0, size = 0;  ///< Of a part; never empty, never past the end.

  bool operator==(const ByteRange&) const = default;
};

/// Reads a Range header ("bytes=5-", "bytes=-3", "bytes=0-99") against content of `total` bytes.
ByteRange parse_range(std::string_view header, std::uint64_t total);

/// Whether an If-None-Match header names `etag` (quotes included; weak comparison) or is "*".
bool etag_matches(std::string_view header, std::string_view etag);

/// Whether a range counts under this If-Range header: none, or exactly the strong `etag`.
bool range_applies(std::string_view if_range, std::string_view etag);

}  // namespace nacre::net
