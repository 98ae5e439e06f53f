#pragma once

#include "cli/workshop.h"
#include "watch/watch.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// What the feeds say of one definition, and what follows from it.
struct Watched {
  const definition::Definition* definition = nullptr;
  std::optional<watch::Observation> seen;
  std::optional<watch::Proposal> proposal;
  std::string note;   ///< Why there is no proposal, or what went wrong.
};

/// The definitions of these names, all when there are none. kNotFound with a near name.
Result<std::vector<const definition::Definition*>> chosen_definitions(const Workshop& shop,
                                                                      const std::vector<std::string>& names);

/// Asks the feeds for each; one that fails does not stop the others.
enum class Propose { kNo, kYes };
Result<std::vector<Watched>> look(Workshop& shop, const std::vector<std::string>& names, Propose propose);

}  // namespace nacre::cli
