#pragma once

#include "cli/workshop.h"
#include "watch/watch.h"

namespace nacre::cli {

/// Whether a person said of this very definition that it is to be updated.
enum class ByHand { kNo, kYes };

/// Brings the new sources into the store, then writes the proposal into lock, side files and definition: one that
/// cannot be fetched changes nothing. kUnavailable for a proposal that cannot be applied by itself, with what is in the
/// way; kDenied for one that wants a person (`manual: true`) when there is none.
Result<> apply_proposal(const watch::Proposal& proposal, ByHand by_hand, Workshop& shop);

}  // namespace nacre::cli
