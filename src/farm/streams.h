#pragma once

#include "codec/yaml.h"
#include "farm/waiver.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// End of life of version streams: data beside the definitions, docs/formats/streams.md.
namespace nacre::farm {

/// A stream of versions whose end is known: one entry of streams.yaml.
struct Stream {
  std::string definitions;  ///< A name, or a pattern with '*' and '?': "nodejs-18", "postgresql-1?".
  Day end = 0;              ///< The last day on which upstream mends it.
  int grace_days = 90;      ///< For so long after that it is still published.
  std::string note;         ///< What to take instead; may be empty.
  /// Somebody's word that it is published beyond its grace.
  struct Waived {
    std::string who, reason;
    Day until = 0;  ///< That day counts.
  };
  std::optional<Waived> waived;
  Place place;

  Day last_day() const { return end + grace_days; }
};

enum class Support {
  kSupported,
  kEnded,  ///< Past its end; published, with a notice.
  kGone,   ///< Past its grace, and not waived: no new serial holds it.
};

/// Reads streams.yaml. kInvalid with its place for unknown keys (with the nearest), days that are none, grace that is
/// negative or over ten years, a waiver without who, why and until.
Result<std::vector<Stream>> read_streams(const codec::YamlTree& tree);

/// The first whose pattern the name fits; nullptr: nothing is known of it.
const Stream* stream_of(std::span<const Stream> streams, std::string_view definition);
Support support_at(const Stream& stream, Day today);
/// "upstream mends it no longer since 2025-04-30, take nodejs-22"
std::string reason_of(const Stream& stream);

/// Whether `name` fits `pattern`: '*' for any letters, '?' for one.
bool fits_pattern(std::string_view pattern, std::string_view name);

}  // namespace nacre::farm
