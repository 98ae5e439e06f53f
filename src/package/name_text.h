#pragma once

#include "base/ascii.h"

#include <algorithm>
#include <string_view>

// What can be told of a name by its letters.
namespace nacre::package {

/// Of a path, the name of the file: "usr/include/zlib.h" -> "zlib.h".
inline std::string_view base_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Whether nothing but letters of ASCII, digits and '_' is in it.
inline bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), is_word_character);
}

}  // namespace nacre::package
