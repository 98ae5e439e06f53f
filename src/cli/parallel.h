#pragma once

#include "base/result.h"
#include "plan/plan.h"

#include <functional>
#include <map>
#include <set>
#include <string>

namespace nacre::cli {

/// How many builds may run at once on this machine: one for each core, and for each 2 GiB of free memory; at least one.
unsigned default_jobs();

/// Does `work` for each step of a plan, in threads, at most `jobs` at once, each step after all that it comes after.
/// Begins nothing more once one failed; the error of the first in the plan's order is the answer.
Result<> run_planned(const plan::Plan& plan, unsigned jobs,
                     const std::function<Result<>(const plan::PlannedStep& step, std::size_t index)>& work);

/// The definitions that each comes after, directly or not: all whose packages its root may hold, so that a root does
/// not depend on what else happens to be done.
std::map<std::string, std::set<std::string>> seen_by_each(const plan::Plan& plan);

}  // namespace nacre::cli
