#pragma once

#include "base/env.h"
#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace nacre::cli {

/// First word of what is remembered of an answer of the solver; digests of the indexes that it was chosen from follow.
constexpr std::string_view kAnswerIndexes = "indexes";

/// Forgets, after a collection, what the state database remembers of blobs and trees that are gone: what was made of
/// them and how they were found. All of it is made again when it is asked for. Returns how many records went.
/// Not while anything else builds or composes here.
Result<std::uint64_t> forget_gone(Env& env);

}  // namespace nacre::cli
