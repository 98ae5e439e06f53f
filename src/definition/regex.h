#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre::definition {

/// `text` with every match of `pattern` (RE2 syntax, linear time) replaced, as var-transforms and
/// version-transform do: `$1`, `${1}` and `${name}` stand for groups, `$$` for a dollar sign. `$1t`
/// means a group called "1t", hence nothing. kInvalid for a pattern that is not one.
Result<std::string> replace_matches(std::string_view text, const std::string& pattern,
                                    std::string_view replacement);

/// Whether `pattern` matches anywhere in `text`. kInvalid for a pattern that is not one.
Result<bool> matches(std::string_view text, const std::string& pattern);

}  // namespace nacre::definition
