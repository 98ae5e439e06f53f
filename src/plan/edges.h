#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::plan {

/// What a build takes from a package that stands in its root: what decides whether it must be built again when that
/// package changes. Ordered: of two ways in which one maker is used, the greater one counts.
enum class EdgeKind : std::uint8_t {
  kRuntime,  ///< Needed by what is made, not by the build: images, not builds, follow it.
  kTest,     ///< In the root of tests alone.
  kTool,     ///< Runs during the build; what it does is not expected to differ between its releases.
  kLink,     ///< A library that is linked with: its ABI is what the output depends on.
  kData,     ///< Read, and likely copied into the output.
  kEmbed,    ///< Becomes part of the output: static libraries, headers alone, standard libraries of toolchains.
};
constexpr std::size_t kEdgeKinds = 6;

std::string_view name_of(EdgeKind kind);

/// Which names are what, where nothing better is known. Patterns may hold '*'; the first that fits decides, and what
/// fits none is a tool.
struct EdgePolicy {
  std::vector<std::pair<std::string, EdgeKind>> patterns;

  /// Names as the field uses them: `*-static` and toolchains with a standard library of their own (go, rust, …) are
  /// embedded, `*-dev` linked with, `*-doc` and data packages read.
  static EdgePolicy usual();

  EdgeKind kind_of(std::string_view package) const;
};

/// Whether `text` fits a pattern in which '*' stands for any text, also none.
bool fits(std::string_view pattern, std::string_view text);

}  // namespace nacre::plan
