#pragma once

#include "cli/command.h"
#include "index/index.h"

#include <cstdint>
#include <optional>

namespace nacre::cli {

/// Completes `next` with its signed index, that index's SBOM and provenance, and publishes it (design, decision 9),
/// then its freshness metadata. One publisher at a time. `after`: number of the serial that `next` was made from, 0 for
/// none; kConflict when that is no longer the newest.
Result<index::Serial> publish_with_index(Session& session, index::Serial next,
                                         std::optional<std::uint64_t> after = std::nullopt);

/// kDenied when the state is shared and `edition` was published from it with other keys than this machine's signer has:
/// clients would refuse what it signs. The first who publishes says which they are.
enum class Claim { kNo, kYes };
Result<> check_edition_keys(Session& session, Edition edition, Claim claim = Claim::kNo);

}  // namespace nacre::cli
