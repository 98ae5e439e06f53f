#include "plan/edges.h"

namespace nacre::plan {

std::string_view name_of(EdgeKind kind) {
  constexpr std::array<std::string_view, kEdgeKinds> names = {"runtime", "test", "tool", "link", "data", "embed"};
  return names[static_cast<std::size_t>(kind)];
}

bool fits(std::string_view pattern, std::string_view text) {
  // Nearly all patterns are of these forms.
  const std::size_t first = pattern.find('*');
  if (first == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, first))) return false;
  if (first + 1 == pattern.size()) return true;
  if (first == 0 && pattern.find('*', 1) == std::string_view::npos) return text.ends_with(pattern.substr(1));
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

EdgePolicy EdgePolicy::usual() {
  using enum EdgeKind;
  EdgePolicy out;
  const auto all = [&](EdgeKind kind, std::initializer_list<std::string_view> globs) {
    for (const std::string_view glob : globs) out.patterns.emplace_back(glob, kind);
  };
  all(kEmbed, {"*-static", "*-headers", "linux-headers*", "wayland-protocols*", "xorgproto*"});
  // Compilers whose runtime goes into every output.
  all(kEmbed, {"go", "go-1*", "go-fips*", "go-msft*", "rust", "rust-1*", "ghc", "ghc-9*", "zig", "zig-0*", "ocaml",
               "dotnet-*-sdk", "dotnet-sdk*", "tinygo*", "crystal", "nim", "ldc", "swift*"});
  all(kLink, {"*-dev"});
  all(kData, {"*-doc", "*-data", "tzdata*", "unicode-*", "iso-codes*", "mailcap*", "mime-types*", "*-dict*", "font-*"});
  return out;
}

EdgeKind EdgePolicy::kind_of(std::string_view package) const {
  for (const auto& [pattern, kind] : patterns)
    if (fits(pattern, package)) return kind;
  return EdgeKind::kTool;
}

}  // namespace nacre::plan
