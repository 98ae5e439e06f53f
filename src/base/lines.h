#pragma once

#include <string>
#include <string_view>

namespace nacre {

/// What stands before the first line end, or all of `text`: an error's own words without its steps and hint.
inline std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace nacre
