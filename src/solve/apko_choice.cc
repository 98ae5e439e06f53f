#include "solve/apko_choice.h"

#include "apk/version.h"

#include <algorithm>
#include <set>
#include <utility>

namespace nacre::solve {
namespace {

constexpr int kMaxDepth = 2000;

/// Order of two versions by the rules of the problem; equal when one cannot be read.
std::partial_ordering order_of(const Problem& problem, std::string_view a, std::string_view b) {
  return problem.rules.apko_language ? apk::compare_versions_apko(a, b) : apk::compare_versions(a, b);
}

/// The version under which a package goes by `name`; empty for an unversioned provide.
std::string version_as(const Problem& problem, PackageId id, NameId name) {
  const Package& package = problem.package(id);
  if (package.name == name) return apk::comparable_version(problem.name(name), package.version);
  for (const Provide& provide : package.provides)
    if (provide.name == name && !provide.version.empty())
      return apk::comparable_version(problem.name(name), provide.version);
  return {};
}

template <class Sibling>
bool better(const Problem& problem, PackageId a, PackageId b, NameId name, std::string_view tag,
            const std::vector<char>& chosen, const Sibling& sibling) {
  const Package &x = problem.package(a), &y = problem.package(b);
  if (chosen[a] != chosen[b]) return chosen[a] != 0;
  const int left = problem.sources[x.source].preference, right = problem.sources[y.source].preference;
  if (left != right) return left < right;
  const bool akin_a = sibling(x), akin_b = sibling(y);
  if (akin_a != akin_b) return akin_a;
  const auto preferred = [&](PackageId id) { return tag.empty() ? !problem.is_tagged(id) : problem.has_tag(id, tag); };
  if (preferred(a) != preferred(b)) return preferred(a);
  const std::string as_a = version_as(problem, a, name), as_b = version_as(problem, b, name);
  if (!as_a.empty() && !as_b.empty()) {
    const auto order = order_of(problem, as_a, as_b);
    if (order < 0 || order > 0) return order > 0;
  }
  const auto order = order_of(problem, x.version, y.version);
  const bool differ = order < 0 || order > 0;
  if (x.name == y.name && differ) return order > 0;
  if (x.priority != y.priority) return x.priority > y.priority;
  if (differ) return order > 0;
  if ((x.name == name) != (y.name == name)) return x.name == name;  // vim itself, not gvim that gives vim
  return problem.name(x.name) < problem.name(y.name);
}

class Chooser {
 public:
  explicit Chooser(const Problem& problem)
      : problem_(problem), excluded_(problem.package_count()), chosen_(problem.package_count()),
        visited_(problem.package_count()) {
    for (PackageId id = 0; id < problem.package_count(); ++id) {
      excluded_[id] = problem.package(id).fault.empty() ? 0 : 1;
      if (!problem.package(id).install_if.empty()) companions_.push_back(id);
    }
  }

  std::optional<std::vector<PackageId>> run() {
    std::vector<Wish> wishes;
    for (const Atom& atom : problem_.world) wishes.push_back({&atom, problem_.text(atom), kNone});
    std::stable_sort(wishes.begin(), wishes.end(), [](const Wish& a, const Wish& b) { return a.text < b.text; });
    for (const Wish& wish : wishes)
      if (!exclude_by(*wish.atom, kNone)) return std::nullopt;
    if (!choose_world(wishes)) return std::nullopt;
    for (const Wish& wish : wishes)
      if (wish.chosen != kNone && (!visit(wish.chosen, wish.atom->tag, 0) || !add_companions())) return std::nullopt;
    return order_;
  }

 private:
  struct Wish {
    const Atom* atom;
    std::string text;
    PackageId chosen;
    std::vector<PackageId> fit = {};  ///< Who could still be chosen for it.
  };

  /// The wish that leaves least choice comes first; of equals the one that sorts first.
  bool choose_world(std::vector<Wish>& wishes) {
    std::vector<Wish*> open;
    for (Wish& wish : wishes) {
      if (wish.atom->conflict) continue;
      wish.fit = candidates(*wish.atom, wish.atom->tag);
      open.push_back(&wish);
    }
    while (!open.empty()) {
      std::size_t at = 0;
      for (std::size_t i = 0; i < open.size(); ++i) {
        std::erase_if(open[i]->fit, [&](PackageId id) { return excluded_[id] != 0; });
        if (open[i]->fit.size() < open[at]->fit.size()) at = i;
      }
      Wish& wish = *open[at];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      if (wish.fit.empty()) return false;
      wish.chosen = best(wish.fit, wish.atom->name, wish.atom->tag);
      if (!select(wish.chosen)) return false;
    }
    return true;
  }

  /// Depth first: what a package needs stands before it in the order. A cycle ends at the package that is under way.
  bool visit(PackageId id, std::string_view tag, int depth) {
    if (std::exchange(visited_[id], 1) != 0) return true;
    if (depth > kMaxDepth) return false;
    struct Need {
      const Atom* atom;
      std::string text;
    };
    std::vector<Need> open;
    for (const Atom& atom : problem_.package(id).depends)
      if (!atom.conflict && !problem_.accepts(atom, id)) open.push_back({&atom, problem_.text(atom)});
    std::sort(open.begin(), open.end(), [](const Need& a, const Need& b) { return a.text < b.text; });
    while (!open.empty()) {
      std::vector<PackageId> fewest;
      std::size_t at = open.size();
      for (std::size_t i = 0; i < open.size(); ++i) {
        const Atom& atom = *open[i].atom;
        if (const PackageId have = chosen_for(atom); have != kNone) {  // nothing to choose: follow it
          at = i;
          fewest = {have};
          break;
        }
        std::vector<PackageId> fit = candidates(atom, atom.tag.empty() ? tag : atom.tag);
        if (at < open.size() && fit.size() >= fewest.size()) continue;
        fewest = std::move(fit);
        at = i;
      }
      const Atom& atom = *open[at].atom;
      const std::string_view pin = atom.tag.empty() ? tag : atom.tag;
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      if (fewest.empty()) return false;
      const PackageId next = best(fewest, atom.name, atom.tag);  // a tag above it allows, it does not prefer
      if (!select(next) || !visit(next, pin, depth + 1)) return false;
    }
    order_.push_back(id);
    return true;
  }

  /// A package that no one asked for, but whose install_if is met.
  PackageId next_companion() const {
    PackageId found = kNone;
    for (const PackageId id : companions_) {
      if (chosen_[id] || excluded_[id] || problem_.is_tagged(id)) continue;
      const std::span<const Atom> terms = problem_.package(id).install_if;
      const bool met = std::all_of(terms.begin(), terms.end(), [&](const Atom& atom) {
        return atom.conflict ? chosen_for(atom) == kNone : installed(atom);
      });
      if (!met) continue;
      const NameId name = problem_.package(id).name;
      if (found == kNone || (problem_.package(found).name == name && prefers(id, found, name, {}))) found = id;
    }
    return found;
  }

  bool add_companions() {
    for (PackageId id = next_companion(); id != kNone; id = next_companion())
      if (!select(id) || !visit(id, {}, 0)) return false;
    return true;
  }

  bool select(PackageId id) {
    if (std::exchange(chosen_[id], 1) != 0) return true;
    const Package& package = problem_.package(id);
    origins_.emplace(package.origin, package.version);
    exclude_rivals(package.name, true, id);
    for (const Provide& provide : package.provides) exclude_rivals(provide.name, !provide.version.empty(), id);
    return std::all_of(package.depends.begin(), package.depends.end(),
                       [&](const Atom& atom) { return exclude_by(atom, id); });
  }

  /// What `atom`, asked for by the user (kNone) or by a chosen package, leaves no room for.
  bool exclude_by(const Atom& atom, PackageId asker) {
    if (!atom.conflict && atom.op == apk::kAny) return true;
    for (const Offer& offer : problem_.offers(atom.name)) {
      if (offer.package == asker || !problem_.rules_out(atom, offer)) continue;
      if (chosen_[offer.package] && atom.conflict) return false;
      exclude(offer.package);
    }
    return true;
  }

  /// A name in a version has one owner; without one, it can be shared with those who have none either.
  void exclude_rivals(NameId name, bool versioned, PackageId id) {
    for (const Offer& other : problem_.offers(name))
      if (other.package != id && (versioned || other.versioned)) exclude(other.package);
  }
  void exclude(PackageId id) {
    if (!chosen_[id]) excluded_[id] = 1;
  }

  PackageId chosen_for(const Atom& atom) const {
    for (const Offer& offer : problem_.offers(atom.name))
      if (chosen_[offer.package] && problem_.accepts(atom, offer.package)) return offer.package;
    return kNone;
  }
  bool installed(const Atom& atom) const {
    const std::span<const Offer> offers = problem_.offers(atom.name);
    return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
      return visited_[offer.package] && problem_.accepts(atom, offer.package);
    });
  }

  std::vector<PackageId> candidates(const Atom& atom, std::string_view tag) const {
    std::vector<PackageId> out;
    for (const Offer& offer : problem_.offers(atom.name)) {
      const PackageId id = offer.package;
      const bool open = !excluded_[id] && (!problem_.is_tagged(id) || problem_.has_tag(id, tag));
      if (open && problem_.accepts(atom, id) && (out.empty() || out.back() != id)) out.push_back(id);
    }
    return out;
  }
  bool prefers(PackageId a, PackageId b, NameId name, std::string_view tag) const {
    return better(problem_, a, b, name, tag, chosen_,
                  [&](const Package& package) { return origins_.contains({package.origin, package.version}); });
  }
  PackageId best(const std::vector<PackageId>& from, NameId name, std::string_view tag) const {
    PackageId out = from.front();
    for (const PackageId id : from)
      if (id != out && prefers(id, out, name, tag)) out = id;
    return out;
  }

  const Problem& problem_;
  std::vector<char> excluded_, chosen_, visited_;
  std::set<std::pair<std::string_view, std::string_view>> origins_;  ///< Origin and version of what is chosen.
  std::vector<PackageId> companions_, order_;
};

}  // namespace

std::optional<std::vector<PackageId>> apko_choose(const Problem& problem) { return Chooser(problem).run(); }

bool apko_prefers(const Problem& problem, const Atom& atom, PackageId a, PackageId b, const std::vector<char>& chosen) {
  return better(problem, a, b, atom.name, atom.tag, chosen, [](const Package&) { return false; });
}

}  // namespace nacre::solve
