#pragma once

#include "cli/workshop.h"
#include "watch/watch.h"

namespace nacre::cli {

/// Brings the new source into the store, then writes the proposal into lock, side files and definition: one that cannot
/// be fetched changes nothing. kUnavailable for a proposal that cannot be applied by itself, with what is in the way.
Result<> apply_proposal(const watch::Proposal& proposal, Workshop& shop);

}  // namespace nacre::cli
