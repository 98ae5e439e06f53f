#pragma once

#include "cli/watching.h"
#include "watch/budget.h"
#include "watch/delta.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// The directory beside a definition that bears its name; it need not be there.
Path side_dir_of(const definition::Definition& definition);

/// Deltas of the distribution's definitions (all when `names` is empty), in its order: with ages from git, and with
/// upstream's own defaults where the sources are in the store. What a source says is kept in the state database.
Result<std::vector<watch::Delta>> measure_distribution(Workshop& shop, const std::vector<std::string>& names);

/// Deltas of all definitions in these directories, compiled on all cores; sources are not opened. Definitions that do
/// not compile are an error that names each.
Result<std::vector<watch::Delta>> measure_folders(const std::vector<std::string>& folders,
                                                  const std::vector<Path>& pipelines,
                                                  const definition::CompileOptions& options, Env& env);

/// os/delta.yaml; no limits when there is none.
Result<watch::Budgets> read_budgets(const Path& os_dir);

}  // namespace nacre::cli
