#include "solve/search.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace nacre::solve {
namespace {

constexpr std::size_t kMaxConflicts = 400000;
constexpr std::size_t kMaxMinimised = 300;  ///< Longer proofs are told as they are.

using Literal = std::uint32_t;  ///< Package * 2, one more for "not".
Literal yes(PackageId id) { return id * 2; }
Literal no(PackageId id) { return id * 2 + 1; }
PackageId package_of(Literal literal) { return literal / 2; }
Literal negated(Literal literal) { return literal ^ 1; }

struct Clause {
  std::vector<Literal> literals;
  std::vector<std::uint32_t> facts;  ///< Numbers in Searcher::facts_.
  const Atom* atom = nullptr;        ///< What it stands for, when it is a need.
};

constexpr std::uint32_t kNoClause = ~0u;

/// Why a package has its value: a clause, or another package and a fact about the two.
struct Reason {
  std::uint32_t clause = kNoClause, fact = 0;
  PackageId other = kNone;
};

class Searcher {
 public:
  Searcher(const Problem& problem, const SearchRequest& request)
      : problem_(problem), request_(request), value_(problem.package_count()), level_(problem.package_count()),
        chosen_(problem.package_count()), reason_(problem.package_count()), watches_(problem.package_count() * 2),
        needs_of_(problem.package_count()) {}

  SearchOutcome run();

 private:
  // the clauses
  bool load();
  bool add(Clause clause);
  bool add_atom(const Atom& atom, PackageId asker, const Fact& fact);
  std::vector<PackageId> providers(const Atom& atom) const;
  bool holds(const Fact& fact) const { return request_.only == nullptr || request_.only->contains(fact); }
  std::uint32_t number(const Fact& fact);

  // the engine
  bool is_true(Literal literal) const { return value_[package_of(literal)] == ((literal & 1) == 0 ? 1 : -1); }
  bool is_false(Literal literal) const { return is_true(negated(literal)); }
  bool set(Literal literal, const Reason& reason);
  bool propagate();
  bool propagate_watches(Literal fact);
  bool exclude_rivals(PackageId id);
  bool exclude(PackageId id, PackageId by, const Fact& fact);
  bool resolve_conflict();
  void trace(std::vector<std::uint32_t>& facts, const std::vector<Literal>& literals);
  void back_to(int level);

  // the choices
  std::optional<Literal> next_choice();
  std::optional<Literal> choice_in(const Clause& clause);
  bool answer_is_grounded();
  bool forbid_unasked(const std::vector<char>& grounded);
  bool forbid_masked();
  bool forbid(PackageId victim, const std::vector<char>& ungrounded, bool any_offer, Fact::Kind kind);

  const Problem& problem_;
  const SearchRequest& request_;
  std::vector<signed char> value_;
  std::vector<int> level_;
  std::vector<char> chosen_;
  std::vector<Reason> reason_;
  std::vector<std::vector<std::uint32_t>> watches_;  ///< Clauses that watch a literal's becoming false.
  std::vector<std::vector<std::uint32_t>> needs_of_;
  std::vector<std::uint32_t> world_clauses_, late_clauses_;
  std::deque<Clause> clauses_;
  std::vector<Fact> facts_;
  std::map<Fact, std::uint32_t> fact_number_;
  std::vector<Literal> trail_;
  std::vector<std::size_t> levels_;
  std::size_t head_ = 0, conflicts_ = 0;
  Clause conflict_;
  bool unsolvable_ = false;
};

std::uint32_t Searcher::number(const Fact& fact) {
  if (!request_.want_core) return 0;
  const auto [found, fresh] = fact_number_.try_emplace(fact, static_cast<std::uint32_t>(facts_.size()));
  if (fresh) facts_.push_back(fact);
  return found->second;
}

std::vector<PackageId> Searcher::providers(const Atom& atom) const {
  std::vector<PackageId> out;
  for (const Offer& offer : problem_.offers(atom.name))
    if (problem_.matches(atom, offer) && std::find(out.begin(), out.end(), offer.package) == out.end())
      out.push_back(offer.package);
  return out;
}

/// Takes a clause in at the first level, or where it now leaves a way. False: it is broken by what is set.
bool Searcher::add(Clause clause) {
  const auto rank = [&](Literal literal) {
    return is_true(literal) ? 2000000000 : is_false(literal) ? level_[package_of(literal)] : 1000000000;
  };
  std::sort(clause.literals.begin(), clause.literals.end(),
            [&](Literal a, Literal b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  const std::uint32_t id = static_cast<std::uint32_t>(clauses_.size());
  clauses_.push_back(std::move(clause));
  const Clause& kept = clauses_.back();
  for (std::size_t i = 0; i < std::min<std::size_t>(2, kept.literals.size()); ++i)
    watches_[kept.literals[i]].push_back(id);
  if (kept.literals.empty() || is_false(kept.literals[0])) {
    conflict_ = kept;
    return false;
  }
  if (kept.literals.size() == 1 || is_false(kept.literals[1])) return set(kept.literals[0], {id, 0, kNone});
  return true;
}

bool Searcher::add_atom(const Atom& atom, PackageId asker, const Fact& fact) {
  if (!holds(fact)) return true;
  Clause clause;
  clause.facts = {number(fact)};
  clause.atom = &atom;
  if (asker != kNone) clause.literals.push_back(no(asker));
  for (const PackageId id : providers(atom)) {
    if (id == asker) return true;
    clause.literals.push_back(yes(id));
  }
  (asker == kNone ? world_clauses_ : needs_of_[asker]).push_back(static_cast<std::uint32_t>(clauses_.size()));
  return add(std::move(clause));
}

bool Searcher::load() {
  bool good = true;
  for (PackageId id = 0; id < problem_.package_count() && good; ++id) {
    const Package& package = problem_.package(id);
    const Fact faulty{Fact::Kind::kFaulty, id, kNone, 0, kNone};
    if (!package.fault.empty() && holds(faulty)) good = add({{no(id)}, {number(faulty)}, nullptr});
  }
  std::vector<std::uint32_t> world(problem_.world.size());  // by text: the user's order plays no part
  for (std::uint32_t i = 0; i < world.size(); ++i) world[i] = i;
  std::stable_sort(world.begin(), world.end(), [&](std::uint32_t a, std::uint32_t b) {
    return problem_.text(problem_.world[a]) < problem_.text(problem_.world[b]);
  });
  for (const std::uint32_t i : world) {
    if (!good) break;
    const Atom& atom = problem_.world[i];
    const Fact fact{Fact::Kind::kWorld, kNone, kNone, i, kNone};
    if (atom.broken) continue;
    if (!atom.conflict) {
      good = add_atom(atom, kNone, fact);
    } else if (holds(fact)) {
      for (const PackageId id : providers(atom))
        if (good) good = add({{no(id)}, {number(fact)}, nullptr});
    }
  }
  for (PackageId id = 0; id < problem_.package_count() && good; ++id) {
    const std::span<const Atom> needs = problem_.package(id).depends;
    for (std::uint32_t i = 0; i < needs.size() && good; ++i)
      if (!needs[i].conflict) good = add_atom(needs[i], id, {Fact::Kind::kNeed, id, kNone, i, kNone});
  }
  for (const PackageId id : request_.forced)
    if (good) good = add({{yes(id)}, {}, nullptr});
  return good;
}

bool Searcher::set(Literal literal, const Reason& reason) {
  if (is_true(literal)) return true;
  const PackageId id = package_of(literal);
  value_[id] = (literal & 1) == 0 ? 1 : -1;
  chosen_[id] = value_[id] == 1 ? 1 : 0;
  level_[id] = static_cast<int>(levels_.size());
  reason_[id] = reason;
  trail_.push_back(literal);
  return true;
}

bool Searcher::exclude(PackageId id, PackageId by, const Fact& fact) {
  if (value_[id] == -1 || !holds(fact)) return true;
  const std::uint32_t why = number(fact);
  if (value_[id] == 1) {
    conflict_ = {{no(id), no(by)}, {why}, nullptr};
    return false;
  }
  return set(no(id), {kNoClause, why, by});
}

/// What a chosen package leaves no room for: who gives a name of it that has one owner, and conflicts both ways.
bool Searcher::exclude_rivals(PackageId id) {
  const Package& package = problem_.package(id);
  const auto owner = [&](NameId name, bool versioned) {
    for (const Offer& other : problem_.offers(name)) {
      if (other.package == id || (!versioned && !other.versioned)) continue;
      const Fact fact{Fact::Kind::kOneOwner, std::min(id, other.package), std::max(id, other.package), 0, name};
      if (!exclude(other.package, id, fact)) return false;
    }
    for (const PackageId other : problem_.dependents(name)) {
      if (other == id || value_[other] == -1) continue;
      const std::span<const Atom> needs = problem_.package(other).depends;
      for (std::uint32_t i = 0; i < needs.size(); ++i)
        if (needs[i].conflict && needs[i].name == name && problem_.accepts(needs[i], id) &&
            !exclude(other, id, {Fact::Kind::kExcludes, other, id, i, kNone}))
          return false;
    }
    return true;
  };
  if (!owner(package.name, true)) return false;
  for (const Provide& provide : package.provides)
    if (!owner(provide.name, !provide.version.empty())) return false;
  for (std::uint32_t i = 0; i < package.depends.size(); ++i) {
    if (!package.depends[i].conflict) continue;
    for (const Offer& other : problem_.offers(package.depends[i].name))
      if (other.package != id && problem_.matches(package.depends[i], other) &&
          !exclude(other.package, id, {Fact::Kind::kExcludes, id, other.package, i, kNone}))
        return false;
  }
  return true;
}

bool Searcher::propagate_watches(Literal fact) {
  const Literal dead = negated(fact);
  std::vector<std::uint32_t>& watching = watches_[dead];
  std::size_t kept = 0;
  for (std::size_t i = 0; i < watching.size(); ++i) {
    const std::uint32_t id = watching[i];
    std::vector<Literal>& literals = clauses_[id].literals;
    if (literals.size() > 1 && literals[0] == dead) std::swap(literals[0], literals[1]);
    if (is_true(literals[0])) {
      watching[kept++] = id;
      continue;
    }
    const auto other = literals.size() < 2 ? literals.end()
                                           : std::find_if(literals.begin() + 2, literals.end(),
                                                          [&](Literal literal) { return !is_false(literal); });
    if (other != literals.end()) {
      std::swap(literals[1], *other);
      watches_[literals[1]].push_back(id);
      continue;
    }
    watching[kept++] = id;
    if (is_false(literals[0])) {
      conflict_ = clauses_[id];
      for (++i; i < watching.size(); ++i) watching[kept++] = watching[i];
      watching.resize(kept);
      return false;
    }
    set(literals[0], {id, 0, kNone});
  }
  watching.resize(kept);
  return true;
}

bool Searcher::propagate() {
  while (head_ < trail_.size()) {
    const Literal fact = trail_[head_++];
    if ((fact & 1) == 0 && !exclude_rivals(package_of(fact))) return false;
    if (!propagate_watches(fact)) return false;
  }
  return true;
}

void Searcher::back_to(int level) {
  if (static_cast<int>(levels_.size()) <= level) return;
  const std::size_t size = levels_[static_cast<std::size_t>(level)];
  for (std::size_t i = size; i < trail_.size(); ++i) {
    value_[package_of(trail_[i])] = 0;
    chosen_[package_of(trail_[i])] = 0;
  }
  trail_.resize(size);
  levels_.resize(static_cast<std::size_t>(level));
  head_ = std::min(head_, size);
}

/// Adds what the values of `literals`, all set at the first level, rest on.
void Searcher::trace(std::vector<std::uint32_t>& facts, const std::vector<Literal>& literals) {
  std::vector<char> seen(problem_.package_count());
  std::vector<PackageId> open;
  const auto visit = [&](Literal literal) {
    if (std::exchange(seen[package_of(literal)], 1) == 0) open.push_back(package_of(literal));
  };
  for (const Literal literal : literals) visit(literal);
  while (!open.empty()) {
    const Reason reason = reason_[open.back()];
    open.pop_back();
    if (reason.clause == kNoClause) {
      if (reason.other == kNone) continue;
      facts.push_back(reason.fact);
      visit(yes(reason.other));
      continue;
    }
    const Clause& clause = clauses_[reason.clause];
    facts.insert(facts.end(), clause.facts.begin(), clause.facts.end());
    for (const Literal literal : clause.literals) visit(literal);
  }
}

/// Learns from `conflict_` and goes back to where the lesson leaves one way. False: there is none.
bool Searcher::resolve_conflict() {
  ++conflicts_;
  // The conflict may lie wholly below the present level, when a clause came late.
  int top = 0;
  for (const Literal literal : conflict_.literals) top = std::max(top, level_[package_of(literal)]);
  back_to(top);
  if (top == 0) {
    unsolvable_ = true;
    if (request_.want_core) trace(conflict_.facts, conflict_.literals);
    return false;
  }
  std::vector<char> seen(problem_.package_count());
  Clause learned;
  learned.facts = conflict_.facts;
  std::vector<Literal> ground;  // set at the first level: left out of the lesson, but not of its proof
  std::size_t open = 0, at = trail_.size();
  const auto look = [&](Literal literal) {
    const PackageId id = package_of(literal);
    if (std::exchange(seen[id], 1) != 0) return;
    if (level_[id] == 0) ground.push_back(literal);
    else if (level_[id] == top) ++open;
    else learned.literals.push_back(literal);
  };
  for (const Literal literal : conflict_.literals) look(literal);
  Literal pivot = 0;
  while (true) {
    do --at;
    while (seen[package_of(trail_[at])] == 0 || level_[package_of(trail_[at])] != top);
    pivot = trail_[at];
    if (--open == 0) break;
    const Reason& reason = reason_[package_of(pivot)];
    if (reason.clause != kNoClause) {
      const Clause& clause = clauses_[reason.clause];
      learned.facts.insert(learned.facts.end(), clause.facts.begin(), clause.facts.end());
      for (const Literal literal : clause.literals)
        if (package_of(literal) != package_of(pivot)) look(literal);
    } else if (reason.other != kNone) {
      learned.facts.push_back(reason.fact);
      look(no(reason.other));
    }
  }
  learned.literals.push_back(negated(pivot));
  if (request_.want_core) {
    trace(learned.facts, ground);
    std::sort(learned.facts.begin(), learned.facts.end());
    learned.facts.erase(std::unique(learned.facts.begin(), learned.facts.end()), learned.facts.end());
  } else {
    learned.facts.clear();
  }
  int back = 0;
  for (const Literal literal : learned.literals)
    if (literal != negated(pivot)) back = std::max(back, level_[package_of(literal)]);
  back_to(back);
  return add(std::move(learned)) || resolve_conflict();
}

std::optional<Literal> Searcher::choice_in(const Clause& clause) {
  PackageId best = kNone;
  for (const Literal literal : clause.literals) {
    if (is_true(literal)) return std::nullopt;
    if ((literal & 1) != 0 || is_false(literal)) continue;
    const PackageId id = package_of(literal);
    if (best == kNone ||
        (clause.atom != nullptr ? request_.better && request_.better(*clause.atom, id, best, chosen_) : id < best))
      best = id;
  }
  return best == kNone ? std::nullopt : std::optional(yes(best));
}

/// The first thing that is asked for and not given yet, and the best that could give it.
std::optional<Literal> Searcher::next_choice() {
  for (const std::uint32_t id : world_clauses_)
    if (const auto choice = choice_in(clauses_[id])) return choice;
  for (const Literal literal : trail_) {
    if ((literal & 1) != 0) continue;
    for (const std::uint32_t id : needs_of_[package_of(literal)])
      if (const auto choice = choice_in(clauses_[id])) return choice;
  }
  for (const std::uint32_t id : late_clauses_) {
    const Clause& clause = clauses_[id];
    const bool due = std::none_of(clause.literals.begin(), clause.literals.end(), [&](Literal literal) {
      return (literal & 1) != 0 && value_[package_of(literal)] != 1;
    });
    if (!due) continue;
    if (const auto choice = choice_in(clause)) return choice;
  }
  return std::nullopt;
}

/// `victim` is in only if something else is that leads to `ungrounded` from outside.
bool Searcher::forbid(PackageId victim, const std::vector<char>& ungrounded, bool any_offer, Fact::Kind kind) {
  const Fact fact{kind, victim, kNone, 0, kNone};
  Clause clause;
  clause.literals = {no(victim)};
  clause.facts = {number(fact)};
  for (PackageId id = 0; id < problem_.package_count(); ++id) {
    if (value_[id] == 1) continue;
    const std::span<const Atom> needs = problem_.package(id).depends;
    const bool leads = std::any_of(needs.begin(), needs.end(), [&](const Atom& atom) {
      if (atom.conflict) return false;
      const std::span<const Offer> offers = problem_.offers(atom.name);
      return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
        return ungrounded[offer.package] != 0 && (any_offer || asks_for(problem_, offer)) &&
               problem_.matches(atom, offer);
      });
    });
    if (leads) clause.literals.push_back(yes(id));
  }
  late_clauses_.push_back(static_cast<std::uint32_t>(clauses_.size()));
  return add(std::move(clause));
}

/// Follows what is asked for from the world through what is chosen.
bool Searcher::answer_is_grounded() {
  std::vector<char> grounded(problem_.package_count());
  std::vector<PackageId> open;
  const auto ground = [&](PackageId id) {
    if (value_[id] == 1 && std::exchange(grounded[id], 1) == 0) open.push_back(id);
  };
  const auto follow = [&](const Atom& atom) {
    if (atom.conflict) return;
    for (const Offer& offer : problem_.offers(atom.name))
      if (asks_for(problem_, offer) && problem_.matches(atom, offer)) ground(offer.package);
  };
  for (const Atom& atom : problem_.world)
    if (!atom.broken) follow(atom);
  for (const PackageId id : request_.forced) ground(id);
  while (!open.empty()) {
    const PackageId id = open.back();
    open.pop_back();
    for (const Atom& atom : problem_.package(id).depends) follow(atom);
  }
  return forbid_unasked(grounded) && forbid_masked();
}

bool Searcher::forbid_unasked(const std::vector<char>& grounded) {
  std::vector<char> ungrounded(problem_.package_count());
  PackageId victim = kNone;
  for (PackageId id = 0; id < problem_.package_count(); ++id) {
    ungrounded[id] = value_[id] == 1 && grounded[id] == 0 ? 1 : 0;
    if (ungrounded[id] != 0 && victim == kNone && holds({Fact::Kind::kUnasked, id, kNone, 0, kNone})) victim = id;
  }
  if (victim == kNone) return true;
  if (forbid(victim, ungrounded, false, Fact::Kind::kUnasked)) conflict_.literals.clear();
  return false;
}

/// Who is in tagged repositories alone must be led to by something pinned to one of their tags.
bool Searcher::forbid_masked() {
  std::set<std::vector<std::string_view>> seen;
  for (PackageId id = 0; id < problem_.package_count(); ++id)
    if (value_[id] == 1 && problem_.is_tagged(id)) seen.insert(problem_.tags(id));
  for (const std::vector<std::string_view>& tags : seen) {
    std::vector<char> allowed(problem_.package_count()), masked(problem_.package_count());
    std::vector<PackageId> open;
    const auto follow = [&](const Atom& atom) {
      if (atom.conflict) return;
      for (const Offer& offer : problem_.offers(atom.name))
        if (value_[offer.package] == 1 && problem_.matches(atom, offer) &&
            std::exchange(allowed[offer.package], 1) == 0)
          open.push_back(offer.package);
    };
    for (const Atom& atom : problem_.world)
      if (!atom.broken && std::find(tags.begin(), tags.end(), atom.tag) != tags.end()) follow(atom);
    while (!open.empty()) {
      const PackageId id = open.back();
      open.pop_back();
      for (const Atom& atom : problem_.package(id).depends) follow(atom);
    }
    PackageId victim = kNone;
    for (PackageId id = 0; id < problem_.package_count(); ++id) {
      masked[id] = value_[id] == 1 && allowed[id] == 0 ? 1 : 0;
      if (masked[id] != 0 && victim == kNone && problem_.tags(id) == tags &&
          holds({Fact::Kind::kMasked, id, kNone, 0, kNone}))
        victim = id;
    }
    if (victim == kNone) continue;
    if (forbid(victim, masked, true, Fact::Kind::kMasked)) conflict_.literals.clear();
    return false;
  }
  return true;
}

SearchOutcome Searcher::run() {
  SearchOutcome out;
  bool good = load();
  while (true) {
    if (good) good = propagate();
    if (!good) {
      if (conflicts_ > kMaxConflicts) {
        out.kind = SearchOutcome::Kind::kGaveUp;
        return out;
      }
      good = resolve_conflict();
      if (!good && unsolvable_) break;
      continue;
    }
    if (const auto choice = next_choice()) {
      levels_.push_back(trail_.size());
      set(*choice, {});
      continue;
    }
    conflict_.literals = {0};
    if (answer_is_grounded()) {
      out.kind = SearchOutcome::Kind::kSolved;
      for (const Literal literal : trail_)
        if ((literal & 1) == 0) out.chosen.push_back(package_of(literal));
      return out;
    }
    good = conflict_.literals.empty();  // the new clause was taken in, or is the conflict
  }
  if (request_.want_core) {
    std::sort(conflict_.facts.begin(), conflict_.facts.end());
    conflict_.facts.erase(std::unique(conflict_.facts.begin(), conflict_.facts.end()), conflict_.facts.end());
    for (const std::uint32_t fact : conflict_.facts) out.core.push_back(facts_[fact]);
  }
  return out;
}

}  // namespace

bool asks_for(const Problem& problem, const Offer& offer) {
  return problem.rules.apko || offer.versioned || problem.package(offer.package).priority != 0;
}

SearchOutcome search(const Problem& problem, const SearchRequest& request) { return Searcher(problem, request).run(); }

std::vector<Fact> smallest_core(const Problem& problem, std::vector<Fact> core) {
  if (core.size() > kMaxMinimised) return core;
  for (std::size_t i = 0; i < core.size();) {
    std::set<Fact> others(core.begin(), core.end());
    others.erase(core[i]);
    SearchRequest request;
    request.only = &others;
    request.want_core = true;
    const SearchOutcome outcome = search(problem, request);
    if (outcome.kind != SearchOutcome::Kind::kUnsolvable) {
      ++i;
      continue;
    }
    // What the new proof does not use goes as well; what was found to be needed before it stays in front.
    const std::set<Fact> used(outcome.core.begin(), outcome.core.end());
    std::vector<Fact> rest;
    for (std::size_t k = 0; k < core.size(); ++k)
      if (k < i || used.contains(core[k])) rest.push_back(core[k]);
    core = std::move(rest);
  }
  return core;
}

}  // namespace nacre::solve
