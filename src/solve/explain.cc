#include "solve/solver.h"

#include "base/text.h"

#include <algorithm>
#include <deque>
#include <map>

namespace nacre::solve {
namespace {

constexpr std::size_t kMaxReasons = 8;

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

std::string text_of(const std::string& head, const std::vector<std::string>& lines) {
  std::string out = head;
  for (const std::string& line : lines) out += "\n  " + line;
  return out;
}

}  // namespace

/// The shortest way from what the user asked for to a chosen package.
Solver::Chain Solver::chain_to(PackageId id) const {
  struct Step {
    std::optional<PackageId> from;
    const apk::Dependency* atom = nullptr;
    const Wish* wish = nullptr;
  };
  std::map<PackageId, Step> reached;
  std::deque<PackageId> open;
  const auto reach = [&](const apk::Dependency& atom, std::optional<PackageId> from, const Wish* wish) {
    if (atom.conflict) return;
    const auto next = chosen_for(atom);
    if (next && reached.try_emplace(*next, Step{from, &atom, wish}).second) open.push_back(*next);
  };
  for (const Wish& wish : world_) reach(wish.atom, std::nullopt, &wish);
  for (; !open.empty() && !reached.contains(id); open.pop_front())
    for (const apk::Dependency& atom : pool_[open.front()].depends) reach(atom, open.front(), nullptr);

  Chain out;
  PackageId at = id;
  while (true) {
    const auto step = reached.find(at);
    if (step == reached.end()) {
      out.lines.push_back(fmt::format("{} comes along with '{}'", pool_[at].text(),
                                      join(pool_[at].record().install_if, "' and '")));
      break;
    }
    if (step->second.wish != nullptr) {
      out.lines.push_back("you asked for " + step->second.atom->str());
      out.place = step->second.wish->place;
      break;
    }
    out.lines.push_back(fmt::format("{} needs {}", pool_[*step->second.from].text(), step->second.atom->str()));
    at = *step->second.from;
  }
  std::reverse(out.lines.begin(), out.lines.end());
  return out;
}

/// Why one of those who go by the right name cannot be taken.
std::string Solver::reason_against(const apk::Dependency& atom, PackageId id, const std::string& tag) const {
  const Package& package = pool_[id];
  std::string reason;
  if (!pool_.accepts(atom, id)) {
    reason = "its version does not match";
    if (package.record().name != atom.name)
      for (const apk::Provide& offer : package.offers)
        if (offer.name == atom.name)
          reason = fmt::format("it gives {} {}", offer.name,
                               offer.version.empty() ? "without a version" : "in version " + offer.version);
    const std::string exact = atom.version + "-r";
    if (atom.op == apk::kEqual && package.record().version.starts_with(exact))
      reason += fmt::format("; write {}~{} for any build of it", atom.name, atom.version);
  } else if (!package.tag().empty() && package.tag() != tag) {
    reason = fmt::format("its repository is tagged; write {}@{} to allow it", atom.name, package.tag());
  } else if (excluded_[id]) {
    reason = excluded_[id]->text;
    if (excluded_[id]->because) {
      const Chain chain = chain_to(*excluded_[id]->because);
      reason += fmt::format(" ({})", join(chain.lines, ", "));
    }
  }
  return fmt::format("but {}: {}", package.text(), reason);
}

Error Solver::nothing_fits(const apk::Dependency& atom, std::optional<PackageId> asker, const std::string& tag) const {
  Chain chain;
  if (asker) {
    chain = chain_to(*asker);
    chain.lines.push_back(fmt::format("{} needs {}", pool_[*asker].text(), atom.str()));
  }
  if (pool_.offers(atom.name).empty())
    return Error::make(ErrorKind::kNotFound, "{}",
                       text_of(fmt::format("no package is called '{}' or provides it", atom.name), chain.lines))
        .at(chain.place)
        .hint(nearest_hint(atom.name, pool_.all_names()));
  std::size_t count = 0;
  std::optional<PackageId> last;
  for (const Offer& offer : pool_.offers(atom.name)) {
    if (offer.package == last) continue;
    last = offer.package;
    if (++count <= kMaxReasons) chain.lines.push_back(reason_against(atom, offer.package, tag));
  }
  if (count > kMaxReasons) chain.lines.push_back(fmt::format("and {} more", count - kMaxReasons));
  return Error::make(ErrorKind::kConflict, "{}",
                     text_of(fmt::format("nothing satisfies '{}'", atom.str()), chain.lines))
      .at(chain.place);
}

Error Solver::excluded(const apk::Dependency& atom, std::optional<PackageId> asker, PackageId victim) const {
  std::vector<std::string> lines;
  Place place;
  if (asker) {
    Chain chain = chain_to(*asker);
    append(lines, chain.lines);
    place = chain.place;
  }
  append(lines, chain_to(victim).lines);
  return Error::make(ErrorKind::kConflict, "{}",
                     text_of(fmt::format("{} cannot be together with {}, which it excludes with '{}'",
                                         asker ? pool_[*asker].text() : std::string("the world"),
                                         pool_[victim].text(), atom.str()),
                             lines))
      .at(place);
}

}  // namespace nacre::solve
