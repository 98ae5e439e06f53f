#pragma once

#include "base/result.h"

#include <string_view>

namespace nacre::definition {

/// Evaluates an `if` whose variables were replaced by quoted values. Empty is true.
///
/// `value == value` and `value != value` joined by && and ||, which bind alike and are read from
/// left to right; parentheses group. Values are texts in single or double quotes with the escapes
/// \\ \' \" \n \t. kInvalid for everything else, saying what was expected where.
Result<bool> evaluate_condition(std::string_view text);

}  // namespace nacre::definition
