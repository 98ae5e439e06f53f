#pragma once

#include "solve/search.h"
#include "solve/solve.h"

#include <functional>

// The words for "no". Inside this room only.
namespace nacre::solve {

/// Whether another world can be satisfied.
using Try = std::function<bool(const std::vector<std::string>& atoms)>;
/// A core among the facts of another world; numbers of its atoms. Empty when it can be satisfied.
using Blame = std::function<std::vector<std::size_t>(const std::vector<std::string>& atoms)>;

/// `core` are the fewest facts that exclude each other; `names` are all names of the pool, sorted.
Refusal explain(const Problem& problem, const World& world, const std::vector<Fact>& core,
                const std::vector<std::string>& names, const Try& can, const Blame& blame);

}  // namespace nacre::solve
