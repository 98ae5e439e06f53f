#include "solve/solver.h"

#include "apk/version.h"

#include <algorithm>

namespace nacre::solve {
namespace {

constexpr int kMaxDepth = 2000;

/// The version under which a package goes by `name`; empty for an unversioned provide.
std::string version_as(const Package& package, std::string_view name) {
  for (const apk::Provide& offer : package.offers)
    if (offer.name == name && !offer.version.empty()) return apk::comparable_version(name, offer.version);
  return {};
}

}  // namespace

Solver::Solver(const Pool& pool, std::vector<Wish> world)
    : pool_(pool), world_(std::move(world)), excluded_(pool.size()), chosen_(pool.size()), visited_(pool.size()) {
  std::stable_sort(world_.begin(), world_.end(),
                   [](const Wish& a, const Wish& b) { return a.atom.str() < b.atom.str(); });
  for (PackageId id = 0; id < pool_.size(); ++id)
    if (!pool_[id].fault.empty()) exclude(id, pool_[id].fault, std::nullopt);
}

Result<> Solver::run() {
  for (const Wish& wish : world_) TRY(exclude_by(wish.atom, std::nullopt));
  TRY(choose_world());
  for (const Wish& wish : world_) {
    if (!wish.chosen) continue;
    TRY(visit(*wish.chosen, wish.atom.tag, 0));
    TRY(add_companions());
  }
  return {};
}

/// The wish that leaves least choice comes first; of equals the one that sorts first.
Result<> Solver::choose_world() {
  std::vector<Wish*> open;
  for (Wish& wish : world_)
    if (!wish.atom.conflict) open.push_back(&wish);
  while (!open.empty()) {
    std::vector<PackageId> fewest;
    std::size_t at = open.size();
    for (std::size_t i = 0; i < open.size(); ++i) {
      std::vector<PackageId> fit = candidates(open[i]->atom, open[i]->atom.tag);
      if (at < open.size() && fit.size() >= fewest.size()) continue;
      fewest = std::move(fit);
      at = i;
    }
    Wish& wish = *open[at];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    if (fewest.empty()) return nothing_fits(wish.atom, std::nullopt, wish.atom.tag).at(wish.place);
    wish.chosen = best(fewest, wish.atom.name, wish.atom.tag);
    TRY(select(*wish.chosen));
  }
  return {};
}

/// Depth first: what a package needs stands before it in the order. A cycle ends at the package that is under way.
Result<> Solver::visit(PackageId id, const std::string& tag, int depth) {
  if (visited_[id]) return {};
  visited_[id] = 1;
  if (depth > kMaxDepth)
    return Error::make(ErrorKind::kInvalid, "dependencies are nested deeper than {} at '{}'", kMaxDepth,
                       pool_[id].text());
  std::vector<const apk::Dependency*> open;
  for (const apk::Dependency& atom : pool_[id].depends)
    if (!atom.conflict && !pool_.accepts(atom, id)) open.push_back(&atom);
  std::sort(open.begin(), open.end(),
            [](const apk::Dependency* a, const apk::Dependency* b) { return a->str() < b->str(); });

  while (!open.empty()) {
    std::vector<PackageId> fewest;
    std::size_t at = open.size();
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (const auto have = chosen_for(*open[i])) {  // nothing to choose: follow it
        at = i;
        fewest = {*have};
        break;
      }
      std::vector<PackageId> fit = candidates(*open[i], open[i]->tag.empty() ? tag : open[i]->tag);
      if (at < open.size() && fit.size() >= fewest.size()) continue;
      fewest = std::move(fit);
      at = i;
    }
    const apk::Dependency& atom = *open[at];
    const std::string& pin = atom.tag.empty() ? tag : atom.tag;
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    if (fewest.empty()) return nothing_fits(atom, id, pin);
    const PackageId next = best(fewest, atom.name, pin);
    TRY(select(next));
    TRY(visit(next, pin, depth + 1));
  }
  order_.push_back(id);
  return {};
}

/// A package that no one asked for, but whose install_if is met.
std::optional<PackageId> Solver::next_companion() const {
  std::optional<PackageId> found;
  for (const PackageId id : pool_.with_install_if()) {
    if (chosen_[id] || excluded_[id] || !pool_[id].tag().empty()) continue;
    const auto& terms = pool_[id].install_if;
    const bool met = std::all_of(terms.begin(), terms.end(), [&](const apk::Dependency& atom) {
      return atom.conflict ? !chosen_for(atom) : installed(atom);
    });
    if (!met) continue;
    const bool rival = found && pool_[*found].record().name == pool_[id].record().name;
    if (!found || (rival && better(id, *found, pool_[id].record().name, {}))) found = id;
  }
  return found;
}

Result<> Solver::add_companions() {
  while (const auto id = next_companion()) {
    TRY(select(*id));
    TRY(visit(*id, {}, 0));
  }
  return {};
}

Result<> Solver::select(PackageId id) {
  if (chosen_[id]) return {};
  chosen_[id] = 1;
  origins_.emplace(pool_[id].origin(), pool_[id].record().version);
  exclude_rivals(id);
  for (const apk::Dependency& atom : pool_[id].depends) TRY(exclude_by(atom, id));
  return {};
}

/// What `atom`, asked for by the user or by a chosen package, leaves no room for.
Result<> Solver::exclude_by(const apk::Dependency& atom, std::optional<PackageId> asker) {
  if (!atom.conflict && atom.op == apk::kAny) return {};
  for (const Offer& offer : pool_.offers(atom.name)) {
    if (offer.package == asker) continue;
    const bool out = atom.conflict ? pool_.accepts(atom, offer.package) : pool_.mismatches(atom, offer.package);
    if (!out) continue;
    if (chosen_[offer.package] && atom.conflict) return excluded(atom, asker, offer.package);
    const std::string who = asker ? pool_[*asker].text() + (atom.conflict ? " excludes it with '" : " needs ")
                                  : atom.conflict ? "you excluded it with '" : "you asked for ";
    exclude(offer.package, who + atom.str() + (atom.conflict ? "'" : ""), asker);
  }
  return {};
}

/// A name in a version has one owner; without one, it can be shared with those who have none either.
void Solver::exclude_rivals(PackageId id) {
  for (const apk::Provide& mine : pool_[id].offers)
    for (const Offer& other : pool_.offers(mine.name)) {
      if (other.package == id || (mine.version.empty() && other.version.empty())) continue;
      exclude(other.package, fmt::format("'{}' is given by {}", mine.name, pool_[id].text()), id);
    }
}

/// The first reason is kept: it is the one that others follow from.
void Solver::exclude(PackageId id, std::string text, std::optional<PackageId> because) {
  if (!excluded_[id] && !chosen_[id]) excluded_[id] = Exclusion{std::move(text), because};
}

std::optional<PackageId> Solver::chosen_for(const apk::Dependency& atom) const {
  for (const Offer& offer : pool_.offers(atom.name))
    if (chosen_[offer.package] && pool_.accepts(atom, offer.package)) return offer.package;
  return std::nullopt;
}

bool Solver::installed(const apk::Dependency& atom) const {
  const auto offers = pool_.offers(atom.name);
  return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
    return visited_[offer.package] && pool_.accepts(atom, offer.package);
  });
}

std::vector<PackageId> Solver::candidates(const apk::Dependency& atom, const std::string& tag) const {
  std::vector<PackageId> out;
  for (const Offer& offer : pool_.offers(atom.name)) {
    const PackageId id = offer.package;
    const bool open = !excluded_[id] && (pool_[id].tag().empty() || pool_[id].tag() == tag);
    if (open && pool_.accepts(atom, id) && (out.empty() || out.back() != id)) out.push_back(id);
  }
  return out;
}

PackageId Solver::best(const std::vector<PackageId>& from, const std::string& name, const std::string& tag) const {
  PackageId out = from.front();
  for (const PackageId id : from)
    if (id != out && better(id, out, name, tag)) out = id;
  return out;
}

/// The first difference decides (spec 3.4, and our preference).
bool Solver::better(PackageId a, PackageId b, const std::string& name, const std::string& tag) const {
  const Package &x = pool_[a], &y = pool_[b];
  const apk::IndexRecord &left = x.record(), &right = y.record();
  if (chosen_[a] != chosen_[b]) return chosen_[a] != 0;
  if (x.candidate->preference != y.candidate->preference) return x.candidate->preference < y.candidate->preference;
  const auto sibling = [&](const Package& package) {
    return origins_.contains({std::string(package.origin()), package.record().version});
  };
  if (sibling(x) != sibling(y)) return sibling(x);
  if (!tag.empty() && (x.tag() == tag) != (y.tag() == tag)) return x.tag() == tag;
  const std::string as_a = version_as(x, name), as_b = version_as(y, name);
  if (!as_a.empty() && !as_b.empty()) {
    const auto order = apk::compare_versions(as_a, as_b);
    if (order != 0) return order > 0;
  }
  const auto order = apk::compare_versions(left.version, right.version);
  if (left.name == right.name && order != 0) return order > 0;
  if (left.provider_priority != right.provider_priority) return left.provider_priority > right.provider_priority;
  if (order != 0) return order > 0;
  if ((left.name == name) != (right.name == name)) return left.name == name;  // vim itself, not gvim that gives vim
  return left.name < right.name;
}

}  // namespace nacre::solve
