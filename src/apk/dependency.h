#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre::apk {

/// Bits of the operator, as apk-tools has them.
enum VersionOp : unsigned { kAny = 0, kLess = 1, kGreater = 2, kEqual = 4, kFuzzy = 8 };

/// One atom of the dependency language: `[!]name[@tag][op version]` (spec 3.1).
struct Dependency {
  std::string name;      ///< Package, or provided name such as "so:libz.so.1", "cmd:jq", "pc:zlib".
  bool conflict = false; ///< Written with '!': must not be there.
  std::string tag;       ///< Repository pin without '@'.
  unsigned op = kAny;    ///< VersionOp bits.
  std::string version;   ///< Empty when op is kAny.

  std::string str() const;
  /// Whether a thing called `name` in `version` (empty: an unversioned provide) satisfies this. Whether it was
  /// written with '!' plays no part, and the content constraint `name><Q1…` is met by no version.
  bool accepts(std::string_view version) const;
};

/// kInvalid with the fault for a text that is no atom.
Result<Dependency> parse_dependency(std::string_view text);

/// A provide: `name` or `name=version`.
struct Provide {
  std::string name, version;
};
Provide parse_provide(std::string_view text);

/// The version by which things called `name` are ordered: that of a "so:" name that is no package version (no -rN) gets
/// "0." in front, so that library versions sort below package versions.
std::string comparable_version(std::string_view name, std::string_view version);

}  // namespace nacre::apk
