#include "solve/solve.h"

#include "base/text.h"
#include "solve/apk_choice.h"
#include "solve/apko_choice.h"
#include "solve/check.h"
#include "solve/explain.h"
#include "solve/search.h"

#include "apk/version.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::solve {
namespace {

constexpr std::size_t kMaxAlone = 100;  ///< So many atoms of a world are looked at one by one for a "no".

/// apk-tools' preference where nothing is chosen yet and nothing is installed.
bool apk_prefers(const Problem& problem, const Atom& atom, PackageId a, PackageId b) {
  const Package &x = problem.package(a), &y = problem.package(b);
  const auto preferred = [&](PackageId id) {
    return atom.tag.empty() ? !problem.is_tagged(id) : problem.has_tag(id, atom.tag);
  };
  if (preferred(a) != preferred(b)) return preferred(a);
  const auto offered = [&](PackageId id) {
    const Offer* out = nullptr;
    for (const Offer& offer : problem.offers(atom.name))
      if (offer.package == id && problem.matches(atom, offer)) out = &offer;
    return out != nullptr && out->versioned ? out->version : std::string_view();
  };
  const std::string_view as_a = offered(a), as_b = offered(b);
  const auto as_asked = apk::compare_versions(as_a, as_b);
  if (as_asked != 0) return as_asked > 0;
  if (x.name == y.name) {
    const auto order = apk::compare_versions(x.version, y.version);
    if (order != 0) return order > 0;
  }
  if (x.priority != y.priority) return x.priority > y.priority;
  return x.source != y.source ? x.source < y.source : a < b;
}

class Question {
 public:
  Question(const World& world, const Pool& pool, const std::vector<Origin>& origins, const Options& options)
      : world_(world), pool_(pool), options_(options) {
    for (const Origin& origin : origins) {
      const bool tagged = origin.repository.starts_with('@');
      sources_.push_back({origin.repository, tagged ? origin.repository.substr(1) : "", origin.preference});
    }
  }

  Result<std::variant<Solution, Refusal>> run() {
    std::vector<apk::Dependency> atoms;
    for (std::size_t i = 0; i < world_.atoms.size(); ++i) {
      auto atom = apk::parse_dependency(world_.atoms[i]);
      if (!atom) return std::move(atom).error().at(i < world_.places.size() ? world_.places[i] : Place());
      atoms.push_back(*std::move(atom));
    }
    const auto problem = make(atoms);
    if (auto chosen = first_choice(*problem); chosen && fault_in(*problem, *chosen).empty())
      return solution(*problem, *chosen, false);
    const SearchOutcome outcome = search(*problem, request(*problem));
    if (outcome.kind == SearchOutcome::Kind::kGaveUp) return too_hard();
    if (outcome.kind == SearchOutcome::Kind::kSolved) return searched(*problem, outcome.chosen);
    const std::vector<Fact> core = shortest_core(*problem);
    if (core.empty()) return too_hard();
    std::vector<std::string> names;
    for (const PoolName& name : pool_.names())
      if (name.offers.count > 0) names.emplace_back(pool_.text(name.text));
    std::sort(names.begin(), names.end());
    return explain(*problem, world_, core, names,
                   [&](const std::vector<std::string>& changed) { return blame(changed).empty(); },
                   [&](const std::vector<std::string>& changed) { return blame(changed); });
  }

 private:
  static Error too_hard() {
    return Error::make(ErrorKind::kUnavailable, "the packages are entangled so much that no answer was found in time")
        .hint("ask for fewer names without a version, or for the exact versions of some");
  }

  std::unique_ptr<Problem> make(const std::vector<apk::Dependency>& atoms) const {
    const Rules rules{options_.choice == Options::Choice::kApko,
                      options_.choice == Options::Choice::kApko && options_.apko_language};
    return std::make_unique<Problem>(pool_, atoms, sources_, rules);
  }

  SearchRequest request(const Problem& problem) const {
    SearchRequest out;
    out.better = [&problem](const Atom& atom, PackageId a, PackageId b, const std::vector<char>& chosen) {
      return problem.rules.apko ? apko_prefers(problem, atom, a, b, chosen) : apk_prefers(problem, atom, a, b);
    };
    return out;
  }

  std::optional<std::vector<PackageId>> first_choice(Problem& problem) const {
    if (problem.rules.apko) return apko_choose(problem);
    const std::vector<Atom> world = problem.world;
    const ApkAnswer answer = apk_choose(problem, {});
    problem.world = world;  // in the order of the user's places again
    if (answer.errors > 0 || answer.too_deep) return std::nullopt;
    std::vector<PackageId> out;
    for (const ApkChange& change : answer.changes) out.push_back(change.after);
    return out;
  }

  /// What the search found, with those who come along, in the order that the first choice gives when nothing else is
  /// there to choose.
  Result<std::variant<Solution, Refusal>> searched(Problem& problem, std::vector<PackageId> chosen) const {
    add_companions(problem, chosen);
    std::vector<PackageId> sorted = chosen;
    std::sort(sorted.begin(), sorted.end());
    for (PackageId id = 0; id < problem.package_count(); ++id)
      if (!std::binary_search(sorted.begin(), sorted.end(), id))
        problem.package(id).fault = "it is not part of the answer";
    if (auto ordered = first_choice(problem); ordered && fault_in(problem, *ordered).empty())
      return solution(problem, *ordered, true);
    return solution(problem, in_order(problem, chosen), true);
  }

  void add_companions(const Problem& problem, std::vector<PackageId>& chosen) const {
    std::vector<char> in(problem.package_count()), refused(problem.package_count());
    for (const PackageId id : chosen) in[id] = 1;
    const auto met = [&](const Atom& atom) {
      const std::span<const Offer> offers = problem.offers(atom.name);
      return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
               return in[offer.package] && problem.matches(atom, offer);
             }) != atom.conflict;
    };
    for (PackageId id = 0; id < problem.package_count(); ++id) {
      const std::span<const Atom> terms = problem.package(id).install_if;
      if (in[id] || refused[id] || terms.empty() || problem.is_tagged(id) ||
          !std::all_of(terms.begin(), terms.end(), met))
        continue;
      refused[id] = 1;
      SearchRequest more = request(problem);
      more.forced = chosen;
      more.forced.push_back(id);
      const SearchOutcome outcome = search(problem, more);
      if (outcome.kind != SearchOutcome::Kind::kSolved) continue;
      chosen = outcome.chosen;
      for (const PackageId now : chosen) in[now] = 1;
      id = kNone;  // from the front: more may come along with it
    }
  }

  /// Depth first from the world; dependencies before dependents.
  static std::vector<PackageId> in_order(const Problem& problem, const std::vector<PackageId>& chosen) {
    std::vector<char> in(problem.package_count()), seen(problem.package_count());
    for (const PackageId id : chosen) in[id] = 1;
    struct Frame {
      PackageId id;
      std::vector<PackageId> needs;
      std::size_t next = 0;
    };
    std::vector<PackageId> out;
    std::vector<Frame> stack;
    const auto providers = [&](std::span<const Atom> atoms) {
      std::vector<PackageId> found;
      for (const Atom& atom : atoms)
        for (const Offer& offer : problem.offers(atom.name))
          if (!atom.conflict && in[offer.package] && problem.matches(atom, offer)) found.push_back(offer.package);
      return found;
    };
    const auto visit = [&](PackageId root) {
      if (std::exchange(seen[root], 1) == 0) stack.push_back({root, providers(problem.package(root).depends)});
      while (!stack.empty()) {
        Frame& frame = stack.back();
        if (frame.next == frame.needs.size()) {
          out.push_back(frame.id);
          stack.pop_back();
          continue;
        }
        const PackageId id = frame.needs[frame.next++];
        if (std::exchange(seen[id], 1) == 0) stack.push_back({id, providers(problem.package(id).depends)});
      }
    };
    std::vector<Atom> world = problem.world;
    std::stable_sort(world.begin(), world.end(), [&](const Atom& a, const Atom& b) {
      return display_less(problem.name(a.name), problem.name(b.name));
    });
    for (const PackageId id : providers(world)) visit(id);
    for (const PackageId id : chosen) visit(id);
    return out;
  }

  static std::variant<Solution, Refusal> solution(const Problem& problem, const std::vector<PackageId>& chosen,
                                                  bool searched) {
    Solution out;
    out.searched = searched;
    for (const PackageId id : chosen) out.records.push_back(problem.package(id).record);
    return out;
  }

  /// Facts that exclude each other, none of which can be left out: of one atom of the world alone where there is such a
  /// one, and then of the one with the fewest.
  std::vector<Fact> shortest_core(Problem& problem) const {
    const auto core_now = [&] {
      SearchRequest why = request(problem);
      why.want_core = true;
      const SearchOutcome proof = search(problem, why);
      return proof.kind == SearchOutcome::Kind::kUnsolvable ? smallest_core(problem, proof.core) : std::vector<Fact>();
    };
    std::vector<Fact> best;
    const auto keep = [&](std::vector<Fact> core) {
      if (!core.empty() && (best.empty() || core.size() < best.size())) best = std::move(core);
    };
    for (std::size_t i = 0; i < std::min(problem.world.size(), kMaxAlone); ++i) {
      for (std::size_t k = 0; k < problem.world.size(); ++k) problem.world[k].broken = k != i;
      keep(core_now());
    }
    for (Atom& atom : problem.world) atom.broken = false;
    if (best.empty()) keep(core_now());
    return best;
  }

  /// Numbers of the atoms of a world that exclude each other; empty when it can be satisfied, or is too hard to tell.
  std::vector<std::size_t> blame(const std::vector<std::string>& texts) const {
    std::vector<apk::Dependency> atoms;
    for (const std::string& text : texts) {
      auto atom = apk::parse_dependency(text);
      if (!atom) return {0};
      atoms.push_back(*std::move(atom));
    }
    const auto problem = make(atoms);
    SearchRequest why = request(*problem);
    why.want_core = true;
    std::set<std::size_t> out;
    const SearchOutcome outcome = search(*problem, why);
    if (outcome.kind == SearchOutcome::Kind::kUnsolvable)
      for (const Fact& fact : smallest_core(*problem, outcome.core))
        if (fact.kind == Fact::Kind::kWorld) out.insert(fact.atom);
    return {out.begin(), out.end()};
  }

  const World& world_;
  const Pool& pool_;
  const Options& options_;
  std::vector<Source> sources_;
};

std::string text_of(const Candidate& candidate) {
  return fmt::format("{}-{} is of the edition {}", candidate.record->name, candidate.record->version,
                     name_of(candidate.edition));
}

/// Editions are trust domains (design, decision 10).
Result<> check_editions(const std::vector<Candidate>& chosen, Options::Mixing mixing) {
  const Candidate* first = nullptr;
  if (mixing == Options::Mixing::kAny) return {};
  for (const Candidate& candidate : chosen) {
    if (mixing == Options::Mixing::kBuildRoot && candidate.edition == Edition::kStage0) continue;
    if (first == nullptr) first = &candidate;
    if (candidate.edition == first->edition) continue;
    Error error = Error::make(ErrorKind::kDenied, "{}, but {}: content of two editions must not mix", text_of(*first),
                              text_of(candidate));
    const Candidate* stage0 = first->edition == Edition::kStage0       ? first
                              : candidate.edition == Edition::kStage0 ? &candidate
                                                                      : nullptr;
    if (stage0 == nullptr) return std::move(error).hint("ask for packages of one edition only");
    return std::move(error).hint(
        fmt::format("stage0 builds but never ships: '{}' has to be built in an edition first", stage0->record->name));
  }
  return {};
}

}  // namespace

Result<std::variant<Solution, Refusal>> answer(const World& world, const Pool& pool, const std::vector<Origin>& origins,
                                               const Options& options) {
  for (const PoolPackage& package : pool.packages())
    if (package.source >= origins.size())
      return Error::make(ErrorKind::kInternal, "the pool has more sources than were named");
  return Question(world, pool, origins, options).run();
}

Result<std::vector<Candidate>> solve(const World& world, const std::vector<Candidate>& candidates,
                                     const Options& options) {
  Pool pool;
  std::vector<Origin> origins;
  std::map<std::pair<std::string, int>, std::size_t> number;
  for (const Candidate& candidate : candidates) {
    const auto [found, fresh] = number.try_emplace({candidate.repository, candidate.preference}, origins.size());
    if (fresh) origins.push_back({candidate.repository, candidate.preference});
    if (origins.size() > Pool::kMaxSources)
      return Error::make(ErrorKind::kInvalid, "packages come from more than {} repositories", Pool::kMaxSources);
    pool.add(*candidate.record, found->second, false, candidate.fault);
  }
  pool.finish();
  const std::variant<Solution, Refusal> result = TRY(answer(world, pool, origins, options));
  if (const auto* refusal = std::get_if<Refusal>(&result)) return refusal->error();
  std::vector<Candidate> out;
  for (const std::size_t record : std::get<Solution>(result).records) out.push_back(candidates[record]);
  TRY(check_editions(out, options.mixing));
  return out;
}

void keep_in_step(std::vector<std::vector<Candidate>>& by_arch) {
  std::map<std::pair<std::string, std::string>, std::set<std::size_t>> where;
  for (std::size_t i = 0; i < by_arch.size(); ++i)
    for (const Candidate& candidate : by_arch[i])
      where[{candidate.record->name, candidate.record->version}].insert(i);
  for (std::vector<Candidate>& candidates : by_arch)
    for (Candidate& candidate : candidates) {
      const std::set<std::size_t>& there = where[{candidate.record->name, candidate.record->version}];
      if (there.size() == by_arch.size() || !candidate.fault.empty()) continue;
      for (std::size_t i = 0; i < by_arch.size(); ++i) {
        if (there.contains(i)) continue;
        const std::string arch = by_arch[i].empty() ? "another architecture" : by_arch[i].front().record->arch;
        candidate.fault =
            fmt::format("there is no {}-{} for {}", candidate.record->name, candidate.record->version, arch);
        break;
      }
    }
}

}  // namespace nacre::solve
