#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::advisory {

/// How an ecosystem orders its versions.
enum class VersionOrder {
  kUnknown,   ///< Not known here: nothing is compared, and whoever asks says so.
  kSemver,    ///< Semantic Versioning 2.0: Go, npm, Rust's crates, Hex, Pub, SwiftURL, and ranges of type SEMVER.
  kPyPI,      ///< PEP 440.
  kMaven,     ///< Maven's ComparableVersion.
  kRubyGems,  ///< Gem::Version.
  kDebian,    ///< deb-version(7): Debian and Ubuntu.
  kApk,       ///< apk-tools: Alpine, Wolfi, Chainguard, and packages of ours.
};

/// OSV's name for the ecosystem of Rust's crates; in two parts, since it is a host's name, too.
inline constexpr std::string_view kCratesEcosystem =
    "crates"
    ".io";

/// By OSV's name, release suffix aside ("Debian:12", "Alpine:v3.20").
VersionOrder order_of_ecosystem(std::string_view ecosystem);

/// "semver", "PEP 440", …
std::string_view name_of(VersionOrder order);

/// Nothing when one of the two is no version of that order, or the order is not known.
std::optional<std::weak_ordering> compare(VersionOrder order, std::string_view a, std::string_view b);

/// A PyPI name as indexes compare it (PEP 503): lower case, runs of "-_." as one "-".
std::string normal_python_name(std::string_view name);

}  // namespace nacre::advisory
