#include "apk/version.h"
#include "solve/solve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>

#if __has_include(<cadical.hpp>)
#include <cadical.hpp>
#define NACRE_CADICAL 1
#endif

// Thousands of small random repositories, each answered by the solver and by a SAT solver that gets the rules as plain
// clauses: a "no" must be a "no" to both, and a "yes" must hold.
namespace nacre::solve {
namespace {

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761u + 12345) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % bound;
  }
  bool once_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::uint32_t state_;
};

struct Given {
  std::deque<apk::IndexRecord> records;
  std::vector<Candidate> candidates;
  World world;
  Options options;

  std::string text() const {
    std::string out;
    for (const Candidate& candidate : candidates) {
      const apk::IndexRecord& r = *candidate.record;
      out += fmt::format("{}-{} {} D:{} p:{} i:{} k:{}\n", r.name, r.version, candidate.repository,
                         fmt::join(r.depends, " "), fmt::join(r.provides, " "), fmt::join(r.install_if, " "),
                         r.provider_priority);
    }
    return out + fmt::format("world {}\n", fmt::join(world.atoms, " "));
  }
};

Given random_repository(std::uint32_t seed) {
  Random random(seed);
  Given out;
  const std::uint32_t names = 3 + random.below(7);
  const auto some_name = [&] {
    return random.once_in(4) ? fmt::format("v{}", random.below(3)) : fmt::format("p{}", random.below(names));
  };
  const auto some_atom = [&] {
    static constexpr const char* kOps[] = {"", "", "", "=", ">", "<", "~", ">=", "<="};
    const std::string op = kOps[random.below(9)];
    return some_name() + op + (op.empty() ? "" : fmt::format("{}", 1 + random.below(3)));
  };
  for (std::uint32_t i = 0; i < names; ++i)
    for (std::uint32_t version = 1 + random.below(3); version > 0; --version) {
      apk::IndexRecord record;
      record.name = fmt::format("p{}", i);
      record.version = fmt::format("{}", version);
      record.checksum = fmt::format("Q1{}.{}", i, version);
      record.installed_bytes = 1;
      for (std::uint32_t k = random.below(4); k > 0; --k)
        record.depends.push_back((random.once_in(6) ? "!" : "") + some_atom());
      if (random.once_in(3)) record.provides.push_back(fmt::format("v{}", random.below(3)));
      if (random.once_in(5)) record.provides.push_back(fmt::format("v{}={}", random.below(3), 1 + random.below(3)));
      if (random.once_in(9)) record.provides.push_back(fmt::format("p{}={}", (i + 1) % names, 1 + random.below(3)));
      if (random.once_in(12)) record.install_if = {some_name(), some_name()};
      if (random.once_in(3)) record.provider_priority = 1 + random.below(3);
      const std::string repository = random.once_in(8) ? "@t" : "main";
      out.records.push_back(std::move(record));
      out.candidates.push_back({&out.records.back(), repository, Edition::kCommunity, 0, {}});
    }
  std::set<std::string> asked;
  for (std::uint32_t i = 1 + random.below(4); i > 0; --i) {
    std::string atom = some_atom();
    const std::size_t op = std::min(atom.find_first_of("<>=~"), atom.size());
    if (!asked.insert(atom.substr(0, op)).second) continue;
    if (random.once_in(5)) atom.insert(op, "@t");
    out.world.atoms.push_back((random.once_in(10) ? "!" : "") + atom);
  }
  return out;
}

/// How many repositories; NACRE_SEEDS says otherwise for a long run.
std::uint32_t seeds() {
  const char* given = std::getenv("NACRE_SEEDS");
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : 2500;
}

/// The rules once more, read from the records alone.
class Rulebook {
 public:
  explicit Rulebook(const Given& given) : given_(given), apko_(given.options.choice == Options::Choice::kApko) {}

  std::size_t size() const { return given_.candidates.size(); }
  const apk::IndexRecord& record(std::size_t i) const { return *given_.candidates[i].record; }
  bool tagged(std::size_t i) const { return given_.candidates[i].repository == "@t"; }

  std::vector<apk::Provide> offers(std::size_t i) const {
    std::vector<apk::Provide> out = {{record(i).name, record(i).version}};
    for (const std::string& text : record(i).provides) out.push_back(apk::parse_provide(text));
    return out;
  }
  bool meets(const apk::Provide& offer, const apk::Dependency& atom) const {
    if (offer.name != atom.name) return false;
    if (atom.op == apk::kAny) return true;
    if (offer.version.empty()) return !apko_ && (atom.op & apk::kLess) != 0;  // lower than any
    return apk::version_matches(offer.version, atom.op, atom.version);
  }
  bool meets(std::size_t i, const apk::Dependency& atom) const {
    const auto all = offers(i);
    return std::any_of(all.begin(), all.end(), [&](const apk::Provide& offer) { return meets(offer, atom); });
  }
  /// Whether the atom may bring the package in: apk-tools wants a version or a priority.
  bool brings(std::size_t i, const apk::Dependency& atom) const {
    const auto all = offers(i);
    return std::any_of(all.begin(), all.end(), [&](const apk::Provide& offer) {
      return meets(offer, atom) && (apko_ || !offer.version.empty() || record(i).provider_priority > 0);
    });
  }
  bool rivals(std::size_t i, std::size_t k) const {
    for (const apk::Provide& a : offers(i))
      for (const apk::Provide& b : offers(k))
        if (a.name == b.name && (!a.version.empty() || !b.version.empty())) return true;
    return false;
  }
  static std::vector<apk::Dependency> atoms(const std::vector<std::string>& texts) {
    std::vector<apk::Dependency> out;
    for (const std::string& text : texts) out.push_back(*apk::parse_dependency(text));
    return out;
  }

  /// Empty when `chosen` keeps every rule.
  std::string fault(const std::vector<std::size_t>& chosen) const {
    for (const std::size_t i : chosen)
      for (const std::size_t k : chosen)
        if (i != k && rivals(i, k)) return record(i).name + " and " + record(k).name + " are rivals";
    const auto met = [&](const apk::Dependency& atom, std::size_t asker) {
      return std::any_of(chosen.begin(), chosen.end(),
                         [&](std::size_t i) { return (!atom.conflict || i != asker) && meets(i, atom); });
    };
    for (const apk::Dependency& atom : atoms(given_.world.atoms))
      if (met(atom, size()) == atom.conflict) return atom.str() + " of the world is not met";
    for (const std::size_t i : chosen)
      for (const apk::Dependency& atom : atoms(record(i).depends))
        if (met(atom, i) == atom.conflict) return record(i).name + ": " + atom.str() + " is not met";
    for (const std::size_t i : chosen)
      if (tagged(i) && !pinned(chosen).contains(i)) return record(i).name + " is tagged and not pinned";
    return {};
  }

 private:
  std::set<std::size_t> pinned(const std::vector<std::size_t>& chosen) const {
    std::set<std::size_t> out;
    const auto follow = [&](const apk::Dependency& atom) {
      bool more = false;
      for (const std::size_t i : chosen)
        if (!atom.conflict && meets(i, atom)) more |= out.insert(i).second;
      return more;
    };
    for (const apk::Dependency& atom : atoms(given_.world.atoms))
      if (atom.tag == "t") follow(atom);
    for (bool more = true; more;) {
      more = false;
      for (const std::size_t i : std::set<std::size_t>(out))
        for (const apk::Dependency& atom : atoms(record(i).depends)) more |= follow(atom);
    }
    return out;
  }

  const Given& given_;
  bool apko_;
};

#ifdef NACRE_CADICAL
/// Whether there is a set of packages that keeps every rule, each of them brought in by the world in so many steps.
bool satisfiable(const Given& given) {
  const Rulebook rules(given);
  const int n = static_cast<int>(rules.size());
  CaDiCaL::Solver sat;
  sat.set("quiet", 1);
  const auto in = [&](int i) { return i + 1; };
  const auto brought = [&](int i, int step) { return n + 1 + step * n + i; };
  const auto pinned = [&](int i, int step) { return n + 1 + (n + 1 + step) * n + i; };
  const auto clause = [&](const std::vector<int>& literals) {
    for (const int literal : literals) sat.add(literal);
    sat.add(0);
  };
  const std::vector<apk::Dependency> world = Rulebook::atoms(given.world.atoms);
  const auto index = [](int i) { return static_cast<std::size_t>(i); };
  for (const apk::Dependency& atom : world) {
    std::vector<int> any;
    for (int i = 0; i < n; ++i) {
      if (!rules.meets(index(i), atom)) continue;
      if (atom.conflict) clause({-in(i)});
      any.push_back(in(i));
    }
    if (!atom.conflict) clause(any);
  }
  for (int i = 0; i < n; ++i) {
    for (int k = i + 1; k < n; ++k)
      if (rules.rivals(index(i), index(k))) clause({-in(i), -in(k)});
    for (const apk::Dependency& atom : Rulebook::atoms(rules.record(index(i)).depends)) {
      std::vector<int> any = {-in(i)};
      for (int k = 0; k < n; ++k) {
        if (!rules.meets(index(k), atom)) continue;
        if (atom.conflict && k != i) clause({-in(i), -in(k)});
        any.push_back(in(k));
      }
      if (!atom.conflict) clause(any);
    }
  }
  // brought(i, s): a chain of at most s steps leads from the world to i; pinned(i, s): and begins at an atom with @t.
  for (int i = 0; i < n; ++i) {
    const bool first = std::any_of(world.begin(), world.end(), [&](const apk::Dependency& atom) {
      return !atom.conflict && rules.brings(index(i), atom);
    });
    const bool first_pinned = std::any_of(world.begin(), world.end(), [&](const apk::Dependency& atom) {
      return !atom.conflict && atom.tag == "t" && rules.meets(index(i), atom);
    });
    if (!first) clause({-brought(i, 0)});
    if (!first_pinned) clause({-pinned(i, 0)});
    clause({-in(i), brought(i, n)});
    if (rules.tagged(index(i))) clause({-in(i), pinned(i, n)});
    std::vector<int> bringers, askers;
    for (int k = 0; k < n; ++k) {
      const std::vector<apk::Dependency> needs = Rulebook::atoms(rules.record(index(k)).depends);
      if (std::any_of(needs.begin(), needs.end(),
                      [&](const auto& atom) { return !atom.conflict && rules.brings(index(i), atom); }))
        bringers.push_back(k);
      if (std::any_of(needs.begin(), needs.end(),
                      [&](const auto& atom) { return !atom.conflict && rules.meets(index(i), atom); }))
        askers.push_back(k);
    }
    for (int step = 1; step <= n; ++step) {
      std::vector<int> by = {-brought(i, step), brought(i, step - 1)}, by_pin = {-pinned(i, step), pinned(i, step - 1)};
      for (const int k : bringers) by.push_back(brought(k, step - 1));
      for (const int k : askers) by_pin.push_back(pinned(k, step - 1));
      clause(by);
      clause(by_pin);
    }
    for (int step = 0; step <= n; ++step) {
      clause({-brought(i, step), in(i)});
      clause({-pinned(i, step), in(i)});
    }
  }
  return sat.solve() == 10;
}
#endif

void compare(Options::Choice choice) {
#ifndef NACRE_CADICAL
  (void)choice;
  GTEST_SKIP() << "libcadical-dev is not installed";
#else
  int solved = 0, refused = 0, beyond = 0;
  for (std::uint32_t seed = 1; seed <= seeds(); ++seed) {
    Given given = random_repository(seed);
    given.options.choice = choice;
    if (given.world.atoms.empty()) continue;
    const bool possible = satisfiable(given);
    const auto chosen = solve(given.world, given.candidates, given.options);
    // apk-tools' own choice now and then takes what has neither version nor priority because something that it then
    // does not choose names it: a yes more than the clauses allow, and it holds.
    const bool right = choice == Options::Choice::kApk ? chosen || !possible : chosen.has_value() == possible;
    ASSERT_TRUE(right) << "seed " << seed << "\n" << given.text() << (chosen ? "" : chosen.error().render());
    beyond += chosen && !possible ? 1 : 0;
    if (!chosen) {
      ++refused;
      continue;
    }
    ++solved;
    std::vector<std::size_t> numbers;
    for (const Candidate& candidate : *chosen)
      for (std::size_t i = 0; i < given.candidates.size(); ++i)
        if (given.candidates[i].record == candidate.record) numbers.push_back(i);
    ASSERT_EQ(Rulebook(given).fault(numbers), "") << "seed " << seed << "\n" << given.text();
    std::reverse(given.world.atoms.begin(), given.world.atoms.end());
    const auto again = solve(given.world, given.candidates, given.options);
    ASSERT_TRUE(again);
    ASSERT_TRUE(std::equal(chosen->begin(), chosen->end(), again->begin(), again->end(),
                           [](const Candidate& a, const Candidate& b) { return a.record == b.record; }))
        << "seed " << seed << ": the order of the world plays a part\n" << given.text();
  }
  EXPECT_GT(solved, 300);
  EXPECT_GT(refused, 300);
  EXPECT_LT(beyond * 50, solved);
#endif
}

TEST(Search, AgreesWithASatSolverByApkosRules) { compare(Options::Choice::kApko); }
TEST(Search, AgreesWithASatSolverByApkToolsRules) { compare(Options::Choice::kApk); }

/// Every reason that is told is needed, and every edit that is told helps.
TEST(Search, TellsReasonsThatAreNeededAndEditsThatHelp) {
  int edits = 0;
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    const Given given = random_repository(seed);
    if (given.world.atoms.empty()) continue;
    Pool pool;
    for (const Candidate& candidate : given.candidates)
      pool.add(*candidate.record, candidate.repository == "@t" ? 1 : 0, false);
    pool.finish();
    const auto result = answer(given.world, pool, {{"main", 0}, {"@t", 0}}, given.options);
    ASSERT_TRUE(result);
    const auto* refusal = std::get_if<Refusal>(&*result);
    if (refusal == nullptr) continue;
    EXPECT_FALSE(refusal->reasons.empty());
    for (const std::vector<Edit>& way : refusal->edits) {
      World changed;
      for (const std::string& atom : given.world.atoms) {
        const auto edit = std::find_if(way.begin(), way.end(), [&](const Edit& e) { return e.atom == atom; });
        if (edit == way.end()) changed.atoms.push_back(atom);
        else if (!edit->instead.empty()) changed.atoms.push_back(edit->instead);
      }
      const auto better = answer(changed, pool, {{"main", 0}, {"@t", 0}}, given.options);
      ASSERT_TRUE(better);
      EXPECT_TRUE(std::holds_alternative<Solution>(*better)) << "seed " << seed << "\n" << given.text();
      ++edits;
    }
  }
  EXPECT_GT(edits, 100);
}

}  // namespace
}  // namespace nacre::solve
