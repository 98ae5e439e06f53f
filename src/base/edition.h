#pragma once

#include "base/result.h"

#include <string_view>

namespace nacre {

/// A trust domain (design, decision 10): own keys, repository, serials, log. Content of two never mixes.
enum class Edition {
  kStage0,      ///< Debian's compiler and tools; builds, never ships.
  kCommunity,   ///< The free edition.
  kProduction,  ///< The same definitions through more gates.
};

/// "stage0", "community", "production".
std::string_view name_of(Edition edition);

/// kInvalid, with the known names, for anything else.
Result<Edition> parse_edition(std::string_view text);

}  // namespace nacre
