#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// What a configure that autoconf made lets a compiler read.
struct ConfigurePrograms {
  /// A here-document, which is a source, or some lines that a variable holds and sources begin with or consist of.
  struct Text {
    std::string_view text;
    std::vector<std::string_view> brings;  ///< Variables in it that hold such lines.
    bool takes_values = false;             ///< Has other variables.
  };
  std::vector<Text> programs;
  std::map<std::string_view, std::vector<Text>> held;  ///< By the variable: what it is given here and there.
  /// What else the variables and functions of its programs are given, and which lines of `held` that brings.
  std::string values;
  std::vector<std::string_view> values_bring;
};

/// Whether autoconf made it.
bool is_from_autoconf(std::string_view text);

/// Never fails: lines that are not understood count as values.
ConfigurePrograms programs_of(std::string_view text);

}  // namespace nacre::package
