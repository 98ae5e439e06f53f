#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "package/use.h"

// Who may ask for a version that is another one now.
namespace nacre::package {

/// The version of a module or package that went from one to another.
struct VersionStep {
  std::string what;                ///< "zlib" of pkg-config, "ZLIBConfig.cmake".
  std::string from, to;            ///< Empty: not said.
  std::vector<std::string> stems;  ///< stem_of what a user may call it.

  /// Why a build that uses this must be made again: "it says 1.2, which may be compared with the version of z, …".
  std::optional<std::string> touches(const Use& use) const;
};

/// "libxml-2.0" -> "xml", "gtk+-3.0" -> "gtk", "libpng16" -> "png": what names of its version begin with.
std::string stem_of(std::string_view module);

}  // namespace nacre::package
