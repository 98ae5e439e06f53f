#pragma once

#include "solve/problem.h"

#include <optional>
#include <vector>

// The choice as apko makes it (spec 3.4): the atom with the fewest candidates first, depth first through what it needs,
// and never back. A "no" of it proves nothing (search.h asks again). Inside this room only.
namespace nacre::solve {

/// The packages in install order, dependencies first; nothing when a choice led nowhere.
std::optional<std::vector<PackageId>> apko_choose(const Problem& problem);

/// The same comparison for the complete search, which knows only what is chosen.
bool apko_prefers(const Problem& problem, const Atom& atom, PackageId a, PackageId b, const std::vector<char>& chosen);

}  // namespace nacre::solve
