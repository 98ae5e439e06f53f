#include "plan/plan.h"

#include "codec/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace nacre::plan {
namespace {

using definition::Definition;

Definition make(std::string name, std::vector<std::string> packages,
                std::vector<std::string> subs = {}) {
  Definition out;
  out.file = "os/packages/" + name + ".yaml";
  out.name = std::move(name);
  out.version = "1.0";
  out.environment.packages = std::move(packages);
  for (std::string& sub : subs) out.subpackages.emplace_back().name = std::move(sub);
  return out;
}

BuiltFrom built_from(const Definition& definition, std::map<std::string, std::string> root = {}) {
  return {recipe_digest(definition), {}, std::move(root)};
}

/// One line for each step: "name action [stage0] <- after: why".
std::string text_of(const Result<Plan>& plan) {
  if (!plan) return plan.error().render();
  std::string out;
  for (const PlannedStep& step : plan->steps) {
    static constexpr const char* kNames[] = {"keep", "build", "maybe"};
    out += step.name + " " + kNames[static_cast<int>(step.action)];
    if (step.from_stage0_alone) out += " stage0";
    if (!step.after.empty()) out += fmt::format(" <- {}", fmt::join(step.after, " "));
    if (!step.why.empty()) out += fmt::format(": {}", fmt::join(step.why, ", "));
    out += "\n";
  }
  return out;
}

std::vector<Definition> small_distribution() {
  std::vector<Definition> all = {
      make("nginx", {"build-base", "pcre2-dev", "cmd:x"}),
      make("pcre2", {"build-base"}, {"pcre2-dev"}),
      make("glibc", {"build-base", "bison"}, {"glibc-dev"}),
      make("tool", {"build-base", "libz-api>=1"}),
      make("zlib", {"build-base"}, {"zlib-dev"}),
  };
  all[1].subpackages[0].dependencies.runtime = {"pcre2=1.0-r0"};
  all[1].subpackages[0].dependencies.provides = {"cmd:pcre2-config=1.0-r0"};
  all[2].subpackages[0].dependencies.runtime = {"glibc=1.0-r0", "linux-headers"};
  all[3].dependencies.provides = {"cmd:x=1.0-r0"};
  all[4].subpackages[0].dependencies.provides = {"libz-api=1.0"};
  return all;
}

TEST(Plan, OrdersByNamesProvidesAndRuntimeNeeds) {
  const std::vector<Definition> all = small_distribution();
  PlanInput input{.definitions = all, .always = {"glibc-dev"}};
  EXPECT_EQ(text_of(make_plan(input)),
            "glibc build stage0: never built\n"
            "pcre2 build <- glibc: never built\n"
            "zlib build <- glibc: never built\n"
            "tool build <- glibc zlib: never built\n"
            "nginx build <- glibc pcre2 tool: never built\n");
  input.only = {"zlib-dev"};
  EXPECT_EQ(text_of(make_plan(input)),
            "glibc build stage0: never built\n"
            "zlib build <- glibc: never built\n");
  input.only = {"zlb-dev"};
  EXPECT_EQ(text_of(make_plan(input)),
            "no definition makes a package 'zlb-dev'\n  hint: did you mean 'zlib-dev'?");
}

TEST(Plan, SaysWhatIsCertainAndWhatDependsOnOutcomes) {
  std::vector<Definition> all = small_distribution();
  PlanInput input{.definitions = all, .always = {"glibc-dev"}};
  // Stage 0 has a glibc of its own, which is what ours was built with.
  input.stage0 = {{"glibc", "g0"}, {"bison", "b0"}, {"gcc", "c0"}};
  input.contents = {{"glibc", "g1"}, {"glibc-dev", "g2"}, {"bison", "b0"}, {"gcc", "c0"},
                    {"zlib", "z1"},  {"zlib-dev", "z2"},  {"pcre2", "p1"}, {"pcre2-dev", "p2"},
                    {"tool", "t1"},  {"nginx", "n1"}};
  const std::map<std::string, std::string> base = {
      {"glibc", "g1"}, {"glibc-dev", "g2"}, {"gcc", "c0"}};
  const auto with = [&](std::map<std::string, std::string> more) {
    more.insert(base.begin(), base.end());
    return more;
  };
  input.built = {
      {"glibc", built_from(all[2], {{"glibc", "g0"}, {"bison", "b0"}, {"gcc", "c0"}})},
      {"zlib", built_from(all[4], base)},
      {"pcre2", built_from(all[1], base)},
      {"tool", built_from(all[3], with({{"zlib-dev", "z2"}}))},
      {"nginx",
       built_from(all[0],
                  with({{"pcre2", "p1"}, {"pcre2-dev", "p2"}, {"tool", "t1"}, {"zlib", "z1"}}))}};
  EXPECT_EQ(text_of(make_plan(input)),
            "glibc keep stage0\n"
            "pcre2 keep <- glibc\n"
            "zlib keep <- glibc\n"
            "tool keep <- glibc zlib\n"
            "nginx keep <- glibc pcre2 tool\n");

  // zlib stood in nginx's root though no text says so: scanning found it.
  all[4].pipeline.push_back({.runs = "make"});
  EXPECT_EQ(text_of(make_plan(input)),
            "glibc keep stage0\n"
            "pcre2 keep <- glibc\n"
            "zlib build <- glibc: the definition changed\n"
            "tool maybe <- glibc zlib: zlib-dev may change\n"
            "nginx maybe <- glibc pcre2 tool: tool may change, zlib may change\n");

  all[4].pipeline.clear();
  input.contents["gcc"] = input.stage0["gcc"] = "c1";
  input.contents.erase("pcre2");
  input.built["tool"].root.erase("zlib-dev");
  EXPECT_EQ(text_of(make_plan(input)),
            "glibc build stage0: gcc changed\n"
            "pcre2 build <- glibc: gcc changed\n"
            "zlib build <- glibc: gcc changed\n"
            "tool build <- glibc zlib: gcc changed\n"
            "nginx build <- glibc pcre2 tool: gcc changed, pcre2 is no longer there\n");
}

TEST(Plan, NoticesAPackageThatJoinsARootAndANewSource) {
  std::vector<Definition> all = {make("a", {"b-dev"}), make("b", {}, {"b-dev"})};
  all[1].sources.push_back(
      {.uri = "https://example.org/b-1.tar.gz", .sha256 = std::string(64, '1')});
  PlanInput input{.definitions = all};
  input.contents = {{"b", "1"}, {"b-dev", "2"}, {"a", "3"}};
  input.built = {{"a", built_from(all[0])}, {"b", built_from(all[1])}};
  EXPECT_EQ(text_of(make_plan(input)),
            "b build: source b-1.tar.gz is new\n"
            "a maybe <- b: b-dev may change\n");
  input.built["b"].sources = {std::string(64, '1')};
  EXPECT_EQ(text_of(make_plan(input)), "b keep\na maybe <- b: b-dev is new in its build root\n");
}

TEST(Plan, NoticesAFileBesideADefinition) {
  const std::vector<Definition> all = {make("a", {}), make("b", {})};
  PlanInput input{.definitions = all};
  for (const Definition& definition : all) input.built[definition.name] = built_from(definition);
  input.built["a"].side_files = "old";
  input.side_files = {{"a", "new"}, {"b", "never kept before"}};
  EXPECT_EQ(text_of(make_plan(input)), "a build: a file beside the definition changed\nb keep\n");
}

TEST(Plan, NamesCyclesAndDoubleMakers) {
  std::vector<Definition> all = {make("a", {"b-dev"}), make("b", {"c"}, {"b-dev"}),
                                 make("c", {"a"}), make("d", {"a"})};
  EXPECT_EQ(text_of(make_plan({.definitions = all})),
            "definitions wait for each other:\n"
            "  a is built with b-dev, which b makes\n"
            "  b is built with c, which c makes\n"
            "  c is built with a, which a makes\n"
            "  hint: let one of them do without the other, or take its package from stage 0 under "
            "another name");
  all = {make("a", {"a"})};
  EXPECT_EQ(text_of(make_plan({.definitions = all})),
            "definitions wait for each other:\n  a is built with a, which a makes\n"
            "  hint: let one of them do without the other, or take its package from stage 0 under "
            "another name");
  all = {make("a", {}), make("b", {}, {"a"})};
  EXPECT_EQ(text_of(make_plan({.definitions = all})),
            "package 'a' is made by os/packages/a.yaml and by os/packages/b.yaml\n"
            "  hint: a package has one maker: rename or remove one of them");
}

TEST(Plan, AnObservedDependencyNeverMakesACycle) {
  // a was last built with b in its root; now b is built with a, and nothing in a's text names b.
  const std::vector<Definition> all = {make("a", {}), make("b", {"a"})};
  PlanInput input{.definitions = all};
  input.contents = {{"a", "1"}, {"b", "2"}};
  input.built = {{"a", built_from(all[0], {{"b", "2"}})}};
  EXPECT_EQ(text_of(make_plan(input)), "a keep\nb build <- a: never built\n");
}

TEST(Recipe, ChangesWithTheBuildAndNotWithTestsOrNames) {
  Definition base = make("a", {"x"}, {"a-dev"});
  base.pipeline.push_back({.name = "one", .runs = "make"});
  const Sha256 digest = recipe_digest(base);
  const auto differs = [&](auto&& change) {
    Definition other = base;
    change(other);
    return recipe_digest(other) != digest;
  };
  EXPECT_TRUE(differs([](Definition& d) { d.pipeline[0].runs += " "; }));
  EXPECT_TRUE(differs([](Definition& d) { d.pipeline[0].environment = {{"A", "b"}}; }));
  EXPECT_TRUE(differs([](Definition& d) { d.pipeline[0].working_directory = "x"; }));
  EXPECT_TRUE(differs([](Definition& d) { d.pipeline[0].enabled = false; }));
  EXPECT_TRUE(differs([](Definition& d) { d.environment.packages.push_back("y"); }));
  EXPECT_TRUE(differs([](Definition& d) { d.environment.variables = {{"A", "b"}}; }));
  EXPECT_TRUE(differs([](Definition& d) { d.epoch = 1; }));
  EXPECT_TRUE(differs([](Definition& d) { d.subpackages[0].dependencies.runtime = {"z"}; }));
  EXPECT_TRUE(differs([](Definition& d) { d.subpackages.clear(); }));
  EXPECT_FALSE(differs([](Definition& d) { d.pipeline[0].name = "two"; }));
  EXPECT_FALSE(differs([](Definition& d) { d.pipeline[0].place.line = 7; }));
  EXPECT_FALSE(differs([](Definition& d) { d.test.pipeline.push_back({.runs = "x"}); }));
  EXPECT_FALSE(differs([](Definition& d) { d.update.enabled = true; }));
  EXPECT_FALSE(differs([](Definition& d) { d.commit = "abc"; }));
  EXPECT_FALSE(
      differs([](Definition& d) { d.pipeline.push_back({.runs = "x", .enabled = false}); }));
}

/// Random definitions: each makes two packages and is built with some that others make.
class RandomPlan : public testing::TestWithParam<unsigned> {};

bool has_cycle(const std::vector<std::set<std::size_t>>& edges) {
  std::vector<int> state(edges.size(), 0);
  std::function<bool(std::size_t)> visit = [&](std::size_t at) {
    if (state[at] != 0) return state[at] == 1;
    state[at] = 1;
    const bool found = std::any_of(edges[at].begin(), edges[at].end(), visit);
    state[at] = 2;
    return found;
  };
  for (std::size_t i = 0; i < edges.size(); ++i)
    if (visit(i)) return true;
  return false;
}

TEST_P(RandomPlan, IsTopologicalDeterministicAndPropagates) {
  std::mt19937 random(GetParam());
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const std::size_t count = 2 + pick(30);
  const bool acyclic = pick(4) != 0;
  std::vector<Definition> all;
  std::vector<std::set<std::size_t>> edges(count);
  std::vector<std::set<std::size_t>> runtime(count);  // of "-dev" packages, acyclic
  for (std::size_t i = 0; i < count; ++i) {
    Definition d = make(fmt::format("d{:02}", i), {}, {fmt::format("d{:02}-dev", i)});
    for (std::size_t n = pick(4); n > 0; --n) {
      const std::size_t other = acyclic ? (i == 0 ? count : pick(i)) : pick(count);
      if (other >= count) break;
      d.environment.packages.push_back(fmt::format("d{:02}-dev", other));
      edges[i].insert(other);
    }
    if (i > 0 && pick(2) == 0) {
      runtime[i].insert(pick(i));
      d.subpackages[0].dependencies.runtime = {fmt::format("d{:02}-dev", *runtime[i].begin())};
    }
    all.push_back(std::move(d));
  }
  for (bool grown = true; grown;) {  // what stands in the root of each, by the plainest means
    grown = false;
    for (auto& before : edges)
      for (const std::size_t other : std::set<std::size_t>(before))
        for (const std::size_t more : runtime[other]) grown = before.insert(more).second || grown;
  }
  PlanInput input{.definitions = all};
  for (std::size_t i = 0; i < count; ++i)
    if (pick(3) != 0) input.built[all[i].name] = built_from(all[i]);
  const Result<Plan> plan = make_plan(input);
  ASSERT_EQ(!plan, has_cycle(edges)) << text_of(plan);
  std::vector<Definition> shuffled = all;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  PlanInput again = input;
  again.definitions = shuffled;
  EXPECT_EQ(text_of(plan), text_of(make_plan(again)));
  if (!plan) return;

  ASSERT_EQ(plan->steps.size(), count);
  std::map<std::string, Action> seen;
  for (const PlannedStep& step : plan->steps) {
    const std::size_t index = std::stoul(step.name.substr(1));
    std::vector<std::string> after;
    bool moved = false;
    for (const std::size_t other : edges[index]) {
      after.push_back(all[other].name);
      ASSERT_TRUE(seen.contains(all[other].name))
          << step.name << " comes before " << all[other].name;
      moved = moved || seen[all[other].name] != Action::kKeep;
    }
    EXPECT_EQ(step.after, after);
    const bool built = input.built.contains(step.name);
    EXPECT_EQ(step.action, !built  ? Action::kBuild
                           : moved ? Action::kMaybe
                                   : Action::kKeep)
        << step.name;
    EXPECT_EQ(step.why.empty(), step.action == Action::kKeep);
    seen[step.name] = step.action;
  }
}

INSTANTIATE_TEST_SUITE_P(, RandomPlan, testing::Range(0u, 200u));

}  // namespace
}  // namespace nacre::plan
