#pragma once

#include "cli/watching.h"
#include "watch/budget.h"
#include "watch/delta.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// Deltas of the distribution's definitions (all when `names` is empty), in its order: with ages from git, and with
/// upstream's own defaults where the sources are in the store (what a source says is kept in the state database), and
/// with trees that were taken for the same inputs.
Result<std::vector<watch::Delta>> measure_distribution(Workshop& shop, const std::vector<std::string>& names);

/// Deltas of all definitions in these directories, compiled on all cores; sources are not opened. Definitions that do
/// not compile are an error that names each.
Result<std::vector<watch::Delta>> measure_folders(const std::vector<std::string>& folders,
                                                  const std::vector<Path>& pipelines,
                                                  const definition::CompileOptions& options, Env& env);

/// Runs the definition's steps before the first build step and compares the source before and after (build/prepared.h).
/// The root has those packages of the definition's environment that stage 0 gives: what edits and unpacks is there, and
/// nothing is built for it. Kept in the state database (kind "delta-tree") by recipe, sources and side files.
Result<watch::TreeDelta> take_tree(Workshop& shop, const definition::Definition& definition);

/// Lines "PACKAGE: words" for what these definitions (all when there are none) are over. Nothing: no budget is set.
Result<std::optional<std::vector<std::string>>> over_budget(Workshop& shop, const Path& rules,
                                                            const std::vector<std::string>& names);

/// os/delta.yaml; no limits when there is none.
Result<watch::Budgets> read_budgets(const Path& os_dir);

}  // namespace nacre::cli
