#include "net/ranges.h"

#include "base/number.h"
#include "base/text.h"

#include <algorithm>

namespace nacre::net {
namespace {

std::string_view opaque(std::string_view etag) {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

}  // namespace

ByteRange parse_range(std::string_view header, std::uint64_t total) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return {};
  const std::string_view spec = trim(header.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == spec.npos) return {};
  const auto first = whole_number<std::uint64_t>(spec.substr(0, dash));
  const auto last = whole_number<std::uint64_t>(spec.substr(dash + 1));
  if (dash == 0) {  // the last N bytes
    if (!last) return {};
    if (*last == 0 || total == 0) return {RangeKind::kUnsatisfiable, 0, 0};
    const std::uint64_t size = std::min(*last, total);
    return {RangeKind::kPart, total - size, size};
  }
  const bool open = dash + 1 == spec.size();
  if (!first || (!open && (!last || *last < *first))) return {};
  if (*first >= total) return {RangeKind::kUnsatisfiable, 0, 0};
  const std::uint64_t end = open ? total : std::min(*last, total - 1) + 1;
  return {RangeKind::kPart, *first, end - *first};
}

bool etag_matches(std::string_view header, std::string_view etag) {
  header = trim(header);
  if (header == "*") return true;
  while (!header.empty()) {
    // A tag is W/? and a quoted text, which may hold commas.
    const std::size_t open = header.find('"');
    const std::size_t close = open == header.npos ? open : header.find('"', open + 1);
    if (close == header.npos) return false;
    if (header.substr(open, close + 1 - open) == opaque(etag)) return true;
    header.remove_prefix(close + 1);
  }
  return false;
}

bool range_applies(std::string_view if_range, std::string_view etag) {
  if_range = trim(if_range);
  return if_range.empty() || (if_range == etag && !etag.starts_with("W/"));
}

}  // namespace nacre::net
