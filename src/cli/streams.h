#pragma once

#include "cli/workshop.h"
#include "index/notices.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// What streams.yaml of a distribution says today (farm/streams.h).
struct StreamState {
  std::vector<index::Notice> notices;  ///< Of every package whose stream ended.
  std::vector<std::string> gone;  ///< Definitions past their grace: "node18: upstream mends it no longer since …".
};

/// Takes definitions whose grace is over out of `os`: no new serial holds what they make. kInvalid with its place for a
/// faulty streams.yaml; kDenied when one of `only` is such a definition.
Result<StreamState> apply_streams(Distribution& os, const std::vector<std::string>& only, os::Clock& clock);

}  // namespace nacre::cli
