#pragma once

#include "watch/delta.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::watch {

/// How much a package may differ from upstream. What is not set has no limit.
struct Budget {
  std::optional<std::uint64_t> patches, hunks, patch_lines, patch_age_days;
  std::optional<std::uint64_t> picks, edits, bump_entries, switches, dead_patches, repacked_sources;
  std::optional<std::uint64_t> tree_files, tree_lines;
  std::string reason;  ///< Why it has limits of its own.
};

/// os/delta.yaml: `defaults` for all, `packages` for some, whose limits stand in the place of the defaults'.
struct Budgets {
  Budget defaults;
  std::map<std::string, Budget, std::less<>> packages;

  /// What holds for one package.
  Budget of(std::string_view package) const;
};

/// Reads the file. kInvalid with its place for unknown fields and what is no whole number; a package without a
/// `reason` is refused: who allows more says why.
Result<Budgets> parse_budgets(std::string_view text, std::string_view file);

/// One limit that is passed, in words: "3 patches, at most 2". Empty: within the budget. `now` is for the ages of
/// patches, in seconds since 1970. Limits of what was not measured (trees, ages outside git) pass.
std::vector<std::string> judge_delta(const Delta& measured, const Budget& budget, std::int64_t now);

}  // namespace nacre::watch
