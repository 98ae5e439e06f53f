#include "solve/problem.h"

#include "apk/version.h"

#include <algorithm>

namespace nacre::solve {

bool display_less(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i)
    if (lower(a[i]) != lower(b[i])) return lower(a[i]) < lower(b[i]);
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

Problem::Problem(const Pool& pool, std::span<const apk::Dependency> atoms, std::vector<Source> where, Rules how)
    : rules(how), sources(std::move(where)), name_at_(pool.names().size(), kNone),
      package_at_(pool.packages().size(), kNone), pool_(&pool) {
  own_.reserve(atoms.size() * 3);
  for (const apk::Dependency& atom : atoms) {
    const std::uint32_t known = pool.find(atom.name);
    NameId id = kNone;
    if (known != kNone) {
      id = reach(known);
    } else if (const auto strange = find(atom.name)) {
      id = *strange;
    } else {
      id = static_cast<NameId>(names_.size());
      names_.push_back({own_.emplace_back(atom.name), {}, {}, {}});
      pool_names_.push_back(kNone);
    }
    const std::string_view version = own_.emplace_back(atom.version);
    const std::string_view tag = own_.emplace_back(atom.tag);
    world.push_back({id, version, tag, atom.op, atom.conflict, false});
  }
  spread(pool);
  fill(pool);
}

NameId Problem::reach(std::uint32_t pool_name) {
  std::uint32_t& id = name_at_[pool_name];
  if (id == kNone) {
    id = static_cast<NameId>(names_.size());
    names_.push_back({pool_->text(pool_->names()[pool_name].text), {}, {}, {}});
    pool_names_.push_back(pool_name);
  }
  return id;
}

/// Everything that can come into play: providers, what they need and give, and who comes along with them.
void Problem::spread(const Pool& pool) {
  const auto take = [&](std::uint32_t pool_package) {
    std::uint32_t& id = package_at_[pool_package];
    if (id != kNone) return;
    id = static_cast<PackageId>(pool_packages_.size());
    pool_packages_.push_back(pool_package);
    const PoolPackage& package = pool.packages()[pool_package];
    reach(package.name);
    for (const PoolAtom& atom : pool.atoms(package.depends)) reach(atom.name);
    for (const PoolAtom& atom : pool.atoms(package.install_if)) reach(atom.name);
    for (const PoolProvide& provide : pool.provides(package.provides)) reach(provide.name);
  };
  for (std::size_t at = 0; at < names_.size(); ++at) {
    if (pool_names_[at] == kNone) continue;
    const PoolName& name = pool.names()[pool_names_[at]];
    for (const PoolOffer& offer : pool.offers(name)) take(offer.package);
    for (const std::uint32_t package : pool.companions(name)) take(package);
  }
}

void Problem::fill(const Pool& pool) {
  // Packages keep the pool's order among each other, so that "the first" means the same in both.
  std::sort(pool_packages_.begin(), pool_packages_.end());
  for (PackageId id = 0; id < pool_packages_.size(); ++id) package_at_[pool_packages_[id]] = id;
  std::size_t atoms = 0, provides = 0, offers = 0;
  for (const std::uint32_t id : pool_packages_) {
    const PoolPackage& package = pool.packages()[id];
    atoms += package.depends.count + package.install_if.count;
    provides += package.provides.count;
  }
  for (const std::uint32_t id : pool_names_) offers += id == kNone ? 0 : pool.names()[id].offers.count;
  atoms_.reserve(atoms);
  provides_.reserve(provides);
  offers_.reserve(offers);
  packages_.resize(pool_packages_.size());
  std::vector<std::uint32_t> depended(names_.size()), last(names_.size(), kNone);
  for (PackageId id = 0; id < packages_.size(); ++id) {
    const PoolPackage& row = pool.packages()[pool_packages_[id]];
    Package& package = packages_[id];
    package.name = name_at_[row.name];
    package.record = row.record;
    package.version = pool.text(row.version);
    package.checksum = pool.text(row.checksum);
    package.origin = pool.text(row.origin);
    package.arch = pool.text(row.arch);
    package.fault = pool.text(row.fault);
    package.priority = row.priority;
    package.source = row.source;
    package.sources = row.sources;
    package.empty = row.empty != 0;
    const auto copy = [&](Range range) {
      const std::size_t first = atoms_.size();
      for (const PoolAtom& atom : pool.atoms(range)) {
        const bool any = rules.apko_language && atom.odd != 0;
        atoms_.push_back({name_at_[atom.name], any ? std::string_view() : pool.text(atom.version), pool.text(atom.tag),
                          any ? unsigned{apk::kAny} : atom.op, atom.conflict != 0, false});
      }
      return std::span<const Atom>(atoms_).subspan(first);
    };
    package.depends = copy(row.depends);
    package.install_if = copy(row.install_if);
    for (const Atom& atom : package.depends)
      if (!rules.apko && !atom.tag.empty() && package.fault.empty())
        package.fault = fmt::format("its dependency '{}' names a repository tag, which only a world may", text(atom));
    for (const Atom& atom : package.depends)
      if (std::exchange(last[atom.name], id) != id) ++depended[atom.name];
    const std::size_t first = provides_.size();
    for (const PoolProvide& provide : pool.provides(row.provides))
      provides_.push_back({name_at_[provide.name], pool.text(provide.version)});
    package.provides = std::span<const Provide>(provides_).subspan(first);
  }
  std::uint32_t dependents = 0;
  for (NameId id = 0; id < names_.size(); ++id) {
    names_[id].offers.first = static_cast<std::uint32_t>(offers_.size());
    names_[id].companions.first = static_cast<std::uint32_t>(companions_.size());
    names_[id].dependents = {dependents, 0};
    dependents += depended[id];
    if (pool_names_[id] == kNone) continue;
    const PoolName& name = pool.names()[pool_names_[id]];
    for (const PoolOffer& offer : pool.offers(name))
      offers_.push_back({package_at_[offer.package], pool.text(offer.version), offer.versioned != 0, offer.own != 0});
    for (const std::uint32_t package : pool.companions(name)) companions_.push_back(package_at_[package]);
    names_[id].offers.count = static_cast<std::uint32_t>(offers_.size()) - names_[id].offers.first;
    names_[id].companions.count = static_cast<std::uint32_t>(companions_.size()) - names_[id].companions.first;
  }
  dependents_.resize(dependents);
  std::fill(last.begin(), last.end(), kNone);
  for (PackageId id = 0; id < packages_.size(); ++id)
    for (const Atom& atom : packages_[id].depends) {
      Range& range = names_[atom.name].dependents;
      if (std::exchange(last[atom.name], id) != id) dependents_[range.first + range.count++] = id;
    }
}

std::optional<NameId> Problem::find(std::string_view name) const {
  const std::uint32_t known = pool_->find(name);
  if (known != kNone && name_at_[known] != kNone) return name_at_[known];
  if (known == kNone)
    for (NameId id = 0; id < names_.size(); ++id)
      if (pool_names_[id] == kNone && names_[id].text == name) return id;
  return std::nullopt;
}

bool Problem::matches(const Atom& atom, const Offer& offer) const {
  if (atom.op == apk::kAny) return true;
  if (atom.op == apk::kByContent)
    return packages_[offer.package].checksum == atom.version && (!rules.apko || offer.own);
  if (!offer.versioned && rules.apko) return false;
  if (!rules.apko) return apk::version_matches(offer.version, atom.op, atom.version);
  const std::string_view of = name(atom.name);
  if (rules.apko_language) return apk::apko_version_matches(offer.version, atom.op, atom.version);
  if (!of.starts_with("so:")) return apk::version_matches(offer.version, atom.op, atom.version);
  return apk::version_matches(apk::comparable_version(of, offer.version), atom.op,
                              apk::comparable_version(of, atom.version));
}

bool Problem::accepts(const Atom& atom, PackageId id) const {
  const Package& package = packages_[id];
  if (package.name == atom.name && matches(atom, {id, package.version, true, true})) return true;
  return std::any_of(package.provides.begin(), package.provides.end(), [&](const Provide& provide) {
    return provide.name == atom.name && matches(atom, {id, provide.version, !provide.version.empty(), false});
  });
}

bool Problem::rules_out(const Atom& atom, const Offer& offer) const {
  if (atom.conflict) return matches(atom, offer);
  if (matches(atom, offer)) return false;
  if (!rules.apko) return true;
  return (offer.versioned || atom.op == apk::kByContent) && !accepts(atom, offer.package);
}

std::string Problem::text(PackageId id) const {
  return fmt::format("{}-{}", name(packages_[id].name), packages_[id].version);
}

std::string Problem::text(const Atom& atom) const {
  return fmt::format("{}{}{}{}{}{}", atom.conflict ? "!" : "", name(atom.name), atom.tag.empty() ? "" : "@", atom.tag,
                     apk::op_text(atom.op), atom.version);
}

std::vector<std::string_view> Problem::tags(PackageId id) const {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if ((packages_[id].sources >> i & 1) == 0) continue;
    if (sources[i].tag.empty()) return {};
    if (std::find(out.begin(), out.end(), sources[i].tag) == out.end()) out.push_back(sources[i].tag);
  }
  return out;
}

bool Problem::has_tag(PackageId id, std::string_view tag) const {
  for (std::size_t i = 0; i < sources.size(); ++i)
    if ((packages_[id].sources >> i & 1) != 0 && sources[i].tag == tag) return true;
  return false;
}

}  // namespace nacre::solve
