#pragma once

#include "codec/yaml.h"

#include <cstdint>
#include <map>
#include <string>

namespace nacre::farm {

/// How a green change comes into the main branch.
enum class Merge {
  kAutomatic,
  kApprove,  ///< After a person's `nacre farm approve`.
};

/// How often a definition's upstream is asked, and how old a release must be.
struct WatchRule {
  std::int64_t every_seconds = 3600;
  std::int64_t cooldown_seconds = 0;  ///< Between a release and its proposal; releases that mend a hole do not wait.
};

/// What a distribution wants of its farm: `farm.yaml` beside its packages/. Everything has a default.
struct Policy {
  WatchRule watch;
  std::map<std::string, WatchRule, std::less<>> watch_of;  ///< By definition.
  Merge merge = Merge::kAutomatic;
  std::map<std::string, Merge, std::less<>> merge_of;
  /// How long users of a library wait that took nothing urgent of what changed (cli/cut_off.h), unless they change
  /// themselves.
  std::int64_t postpone_seconds = 0;
  std::int64_t stable_soak_seconds = 3 * 86400;  ///< On `edge`, before `stable` follows.
  std::int64_t keep_logs_seconds = 90 * 86400;   ///< Of changes that came to their end.
  std::string registry;                          ///< HOST[:PORT][/PREFIX] that images are pushed to; empty: none.

  const WatchRule& watch_for(std::string_view definition) const;
  Merge merge_for(std::string_view definition) const;
};

/// Reads farm.yaml. kInvalid with the place of an unknown key, a value of another form, a duration without a unit. The
/// blocks `gates:`, here and of a channel, are read by others (farm/gate_policy.h).
Result<Policy> read_policy(const codec::YamlTree& tree);

/// "90s", "30m", "1h", "3d", "2w" in seconds. kInvalid otherwise, and over ten years.
Result<std::int64_t> parse_duration(std::string_view text);

}  // namespace nacre::farm
