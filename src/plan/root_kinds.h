#pragma once

#include "plan/edges.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace nacre::plan {

/// One package of a build root, as its index record has it.
struct RootMember {
  std::string name;
  std::vector<std::string> depends, provides;  ///< Atoms; with what scanning found.
};

/// How a build takes each package of its root: those that `atoms` ask for by the policy, what these need by what
/// brought it. A library that a linked one needs is linked with; what a tool needs belongs to the tool; what nothing
/// leads to is missing in the answer.
std::map<std::string, EdgeKind> kinds_in_root(std::span<const std::string> atoms, std::span<const RootMember> root,
                                              const EdgePolicy& policy);

}  // namespace nacre::plan
