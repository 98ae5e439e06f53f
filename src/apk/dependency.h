#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre::apk {

/// Bits of the operator, as apk-tools has them.
enum VersionOp : unsigned { kAny = 0, kLess = 1, kGreater = 2, kEqual = 4, kFuzzy = 8 };

/// `name><Q1…`: the package with this checksum, whatever its version.
constexpr unsigned kByContent = kLess | kGreater;
/// An operator with all three of these accepts every version.
constexpr unsigned kEveryVersion = kLess | kGreater | kEqual;

/// One atom of the dependency language: `[!]name[@tag][op version]` (spec 3.1). Parts of the text that it was read
/// from.
struct DependencyView {
  std::string_view name, tag, version;
  unsigned op = kAny;
  bool conflict = false;
  bool odd =
      false;  ///< Written with an operator that apko does not know and takes for "any version": `==`, `~=`, `<~` …
};

/// kInvalid with the fault for a text that is no atom.
Result<DependencyView> read_dependency(std::string_view text);

/// The same, with texts of its own.
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
Result<Dependency> parse_dependency(std::string_view text);

/// How apk-tools writes an operator: "<=", "~", "><"; "" for any.
std::string op_text(unsigned op);

/// Whether `found` stands in the relation `op` to `wanted`, by apk-tools' order. Both are versions.
bool version_matches(std::string_view found, unsigned op, std::string_view wanted);

/// A provide: `name` or `name=version`.
struct Provide {
  std::string name, version;
};
Provide parse_provide(std::string_view text);

/// The version by which things called `name` are ordered: that of a "so:" name that is no package version (no -rN) gets
/// "0." in front, so that library versions sort below package versions.
std::string comparable_version(std::string_view name, std::string_view version);

}  // namespace nacre::apk
