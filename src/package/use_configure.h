#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// What a configure that autoconf made lets a compiler read.
struct ConfigurePrograms {
  std::vector<std::string_view> programs;  ///< Its here-documents: each a source, but for what variables bring.
  std::string values;                      ///< What the variables and functions of its programs are given.
};

/// Whether autoconf made it.
bool is_from_autoconf(std::string_view text);

/// Never fails: lines that are not understood count as values.
ConfigurePrograms programs_of(std::string_view text);

}  // namespace nacre::package
