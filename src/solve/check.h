#pragma once

#include "solve/problem.h"

#include <string>
#include <vector>

namespace nacre::solve {

/// What must hold of any answer, looked at one by one without the solvers' means. Empty when all is well, else what is
/// not: "zlib has two owners".
std::string fault_in(const Problem& problem, const std::vector<PackageId>& chosen);

}  // namespace nacre::solve
