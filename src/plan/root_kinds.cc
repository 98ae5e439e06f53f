#include "plan/root_kinds.h"

#include "apk/dependency.h"

#include <algorithm>

namespace nacre::plan {

std::map<std::string, EdgeKind> kinds_in_root(std::span<const std::string> atoms, std::span<const RootMember> root,
                                              const EdgePolicy& policy) {
  std::multimap<std::string, std::size_t, std::less<>> givers;
  for (std::size_t i = 0; i < root.size(); ++i) {
    givers.emplace(root[i].name, i);
    for (const std::string& text : root[i].provides) givers.emplace(apk::parse_provide(text).name, i);
  }
  std::map<std::string, EdgeKind> out;
  std::vector<std::size_t> open;
  const auto follow = [&](const std::string& text, EdgeKind least) {
    const auto atom = apk::read_dependency(text);
    if (!atom || atom->conflict) return;
    const auto [first, last] = givers.equal_range(atom->name);
    for (auto giver = first; giver != last; ++giver) {
      const std::string& name = root[giver->second].name;
      const EdgeKind kind = std::max(least, policy.kind_of(name));
      const auto [entry, fresh] = out.emplace(name, kind);
      if (!fresh && entry->second >= kind) continue;
      entry->second = kind;
      open.push_back(giver->second);
    }
  };
  for (const std::string& atom : atoms) follow(atom, EdgeKind::kTool);
  while (!open.empty()) {
    const std::size_t member = open.back();
    open.pop_back();
    const EdgeKind kind = out.at(root[member].name);
    for (const std::string& atom : root[member].depends)
      follow(atom, kind == EdgeKind::kEmbed ? EdgeKind::kTool : kind);
  }
  return out;
}

}  // namespace nacre::plan
