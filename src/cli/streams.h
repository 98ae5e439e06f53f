#pragma once

#include "cli/workshop.h"
#include "index/notices.h"

#include <map>
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

/// Words for each definition of a published serial that streams.yaml in `os_dir` says is past its end and its grace
/// today. Clients are told (index/notices.h) of each package that they were not told of.
Result<std::vector<std::string>> gone_in(const index::Serial& serial, const Path& os_dir, Env& env);

/// Packages of a serial whose definitions are past their end and their grace today: package -> definition.
Result<std::map<std::string, std::string>> ended_in(const index::Serial& serial, const Path& os_dir, os::Clock& clock);

}  // namespace nacre::cli
