#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::definition {

/// Why no shell can read a script, and where.
struct ShellFault {
  std::string text;
  std::size_t at = 0;  ///< Byte of the script.
};

/// Looks at the grammar of a script for bash (or sh): quotes, expansions, here-documents, reserved words, operators.
/// One pass, no process, nothing is run. What it does not know it lets through; nullopt: no fault was found.
std::optional<ShellFault> check_shell(std::string_view script);

}  // namespace nacre::definition
