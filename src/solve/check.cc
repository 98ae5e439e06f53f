#include "solve/check.h"

#include <algorithm>
#include <utility>

namespace nacre::solve {
std::string fault_in(const Problem& problem, const std::vector<PackageId>& chosen) {
  std::vector<char> in(problem.package_count());
  for (const PackageId id : chosen) {
    in[id] = 1;
    if (!problem.package(id).fault.empty()) return problem.text(id) + " cannot be chosen";
  }
  for (const PackageId id : chosen) {
    const auto rivals = [&](NameId name, bool versioned) {
      const std::span<const Offer> offers = problem.offers(name);
      return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
        return offer.package != id && in[offer.package] && (versioned || offer.versioned);
      });
    };
    const Package& package = problem.package(id);
    if (rivals(package.name, true)) return fmt::format("{} has two owners", problem.name(package.name));
    for (const Provide& provide : package.provides)
      if (rivals(provide.name, !provide.version.empty()))
        return fmt::format("{} has two owners", problem.name(provide.name));
  }
  const auto met = [&](const Atom& atom, PackageId asker) {
    const std::span<const Offer> offers = problem.offers(atom.name);
    return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
      return in[offer.package] && (!atom.conflict || offer.package != asker) && problem.matches(atom, offer);
    });
  };
  for (const Atom& atom : problem.world)
    if (!atom.broken && met(atom, kNone) == atom.conflict) return problem.text(atom) + " is not met";
  for (const PackageId id : chosen)
    for (const Atom& atom : problem.package(id).depends)
      if (met(atom, id) == atom.conflict) return fmt::format("{}: {} is not met", problem.text(id), problem.text(atom));

  // Nothing is there unasked, and what is tagged was pinned.
  const auto reached = [&](std::string_view tag, bool companions) {
    std::vector<char> out(problem.package_count());
    std::vector<PackageId> open;
    const auto reach = [&](PackageId id) {
      if (std::exchange(out[id], 1) == 0) open.push_back(id);
    };
    const auto follow = [&](const Atom& atom) {
      for (const Offer& offer : problem.offers(atom.name))
        if (in[offer.package] && !atom.conflict && problem.matches(atom, offer)) reach(offer.package);
    };
    for (const Atom& atom : problem.world)
      if (companions || atom.tag == tag) follow(atom);
    if (companions)
      for (const PackageId id : chosen)
        if (!problem.package(id).install_if.empty()) reach(id);
    while (!open.empty()) {
      const PackageId id = open.back();
      open.pop_back();
      for (const Atom& atom : problem.package(id).depends) follow(atom);
    }
    return out;
  };
  const std::vector<char> asked = reached({}, true);
  for (const PackageId id : chosen) {
    if (!asked[id]) return problem.text(id) + " is there, and nothing asks for it";
    const std::vector<std::string_view> tags = problem.tags(id);
    const bool pinned = std::any_of(tags.begin(), tags.end(), [&](auto tag) { return reached(tag, false)[id] != 0; });
    if (!tags.empty() && !pinned)
      return problem.text(id) + " is tagged, and nothing is pinned to it";
  }
  return {};
}

}  // namespace nacre::solve
