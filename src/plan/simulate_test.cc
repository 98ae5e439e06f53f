#include "plan/simulate.h"

#include "plan/graph_testing.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nacre::plan {
namespace {

using Kind = RecordedChange::Kind;

/// tls links with zlib, app with tls; kit holds tls' static library; all run make.
BuildGraph small_graph() {
  return *BuildGraph::make(
      {node("app", {"tls-dev", "make"}), node("kit", {"tls-static", "make"}), node("make", {}),
       node("tls", {"zlib-dev", "make"}, {"tls-dev", "tls-static"}), node("zlib", {"make"}, {"zlib-dev"})},
      EdgePolicy::usual());
}

std::string text_of(const Simulation& run) {
  std::string out = fmt::format("{} changes, {} builds, {} stale", run.changes, run.builds, run.stale_embeds);
  for (const auto& [kind, count] : run.cut_off) out += fmt::format(", {} {}", count, name_of(kind));
  return out;
}

Simulation replay(const BuildGraph& graph, std::vector<RecordedChange> changes, KeyPolicy policy,
                  ChangeRates rates = {}, std::int64_t batch = 86400) {
  SimulationInput input{graph, changes, policy, rates, batch};
  input.build_seconds.assign(graph.size(), 10);
  input.workers = 1;
  return simulate(input);
}

TEST(Simulate, CountsByEachPolicy) {
  const BuildGraph graph = small_graph();
  const std::vector<RecordedChange> changes = {{1000, *graph.find("zlib"), Kind::kMinor},
                                               {200000, *graph.find("make"), Kind::kMinor},
                                               {400000, *graph.find("tls"), Kind::kMinor}};
  ChangeRates same_abi;
  same_abi.minor.abi = same_abi.relinked.abi = 0;
  const std::tuple<KeyPolicy, ChangeRates, const char*> rows[] = {
      {KeyPolicy::kExplicit, {}, "3 changes, 3 builds, 1 stale, 4 tool, 2 link, 1 embed"},
      {KeyPolicy::kDirect, {}, "3 changes, 6 builds, 0 stale, 4 tool, 1 link, 1 embed"},
      {KeyPolicy::kInputs, {}, "3 changes, 12 builds, 0 stale"},
      {KeyPolicy::kAbi, {}, "3 changes, 8 builds, 0 stale, 4 tool"},
      {KeyPolicy::kAbi, same_abi, "3 changes, 4 builds, 0 stale, 4 tool, 2 link"},
  };
  for (const auto& [policy, rates, text] : rows)
    EXPECT_EQ(text_of(replay(graph, changes, policy, rates)), text) << name_of(policy);
}

TEST(Simulate, PostponesWhatIsNotUrgent) {
  const BuildGraph graph = small_graph();
  const std::vector<RecordedChange> changes = {{1000, *graph.find("zlib"), Kind::kMinor},
                                               {200000, *graph.find("make"), Kind::kMinor},
                                               {400000, *graph.find("tls"), Kind::kMinor}};
  ChangeRates rates;
  rates.minor.urgent = rates.relinked.used = rates.relinked.urgent = 0;
  const auto run = [&](std::int64_t postpone) {
    SimulationInput input{graph, changes, KeyPolicy::kPostponed, rates};
    input.postpone_seconds = postpone;
    input.build_seconds.assign(graph.size(), 10);
    const Simulation out = simulate(input);
    return fmt::format("{} builds, {} put off, {} due, {} wait", out.builds, out.postponed, out.came_due,
                       out.still_postponed);
  };
  // zlib, make, then tls by its own change, which has zlib's in it, with kit, which embeds it; app waits for tls'.
  EXPECT_EQ(run(30 * 86400), "4 builds, 2 put off, 0 due, 1 wait");
  // tls for zlib's sake on the day of make, with kit, and both again on its own.
  EXPECT_EQ(run(86400), "6 builds, 2 put off, 1 due, 1 wait");
  rates.minor.urgent = 1;
  EXPECT_EQ(run(30 * 86400), "7 builds, 0 put off, 0 due, 0 wait");
  EXPECT_EQ(replay(graph, changes, KeyPolicy::kUsed, rates).builds, 7U) << "the same when all is urgent";
}

TEST(Simulate, WaitsForWorkersAndForMakers) {
  const BuildGraph graph = small_graph();
  const Simulation run = replay(graph, {{1000, *graph.find("zlib"), Kind::kMinor}}, KeyPolicy::kAbi);
  // zlib, tls, then app and kit: the last ends after 40 seconds on one worker.
  EXPECT_EQ(run.builds, 4U);
  EXPECT_EQ(run.median_wait, 20);
  EXPECT_EQ(run.p90_wait, 30);
  EXPECT_EQ(run.busy, 1);
}

TEST(Simulate, TellsReleasesByTheirNumbers) {
  const std::tuple<const char*, const char*, Kind> rows[] = {
      {"1.9", "2.0", Kind::kMajor},        {"1.3.1", "1.4.0", Kind::kMinor}, {"10.48", "10.49", Kind::kMinor},
      {"1.3.1", "1.3.2", Kind::kPatch},    {"1.3", "1.3.1", Kind::kPatch},   {"20240101", "20240202", Kind::kMajor},
      {"1.2.3.4", "1.2.3.5", Kind::kPatch}, {"", "1", Kind::kMinor}};
  for (const auto& [before, after, kind] : rows) EXPECT_EQ(kind_of_release(before, after), kind) << before << after;
  const BuildGraph graph = small_graph();
  const auto history = read_history("10\tzlib\tversion\t1.1.0\n20\tzlib\tepoch\t1.1.0\n30\tzlib\tversion\t1.1.1\n"
                                    "40\tzlib\tversion\t2\n50\ttls\tversion\t3\n",
                                    "h", graph);
  ASSERT_TRUE(history);
  std::vector<Kind> kinds;
  for (const RecordedChange& change : history->changes) kinds.push_back(change.kind);
  // The first of zlib is told by the one behind it, the only one of tls by nothing.
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kPatch, Kind::kEpoch, Kind::kPatch, Kind::kMajor, Kind::kMinor}));
}

/// Whatever a history and the rates: with keys nobody goes on holding an old content of something that it embeds.
TEST(Simulate, LeavesNothingStaleThatIsEmbedded) {
  std::uint32_t state = 7;
  const auto next = [&](std::uint32_t below) { return (state = state * 1664525u + 1013904223u) / 65536u % below; };
  for (int round = 0; round < 50; ++round) {
    std::vector<GraphNode> nodes;
    for (std::uint32_t i = 0; i < 30; ++i) {
      std::vector<std::string> build;
      for (std::uint32_t k = next(4); k > 0; --k) {
        constexpr const char* kEnds[] = {"", "-dev", "-static"};
        build.push_back(fmt::format("n{}{}", next(30), kEnds[next(3)]));
      }
      const std::string name = fmt::format("n{}", i);
      nodes.push_back(node(name, std::move(build), {name + "-dev", name + "-static"}));
    }
    const BuildGraph graph = *BuildGraph::make(std::move(nodes), EdgePolicy::usual());
    std::vector<RecordedChange> changes;
    for (int i = 0; i < 100; ++i) changes.push_back({i * 1000, next(30), static_cast<Kind>(next(4))});
    ChangeRates rates;
    rates.patch = rates.relinked = {0.6, 0.2};
    rates.needless_epochs = 0.3;
    std::size_t by_hand = 0;
    for (const KeyPolicy policy : {KeyPolicy::kInputs, KeyPolicy::kContent, KeyPolicy::kAbi})
      EXPECT_EQ(replay(graph, changes, policy, rates, 5000).stale_embeds, 0U) << name_of(policy) << " " << round;
    by_hand += replay(graph, changes, KeyPolicy::kExplicit, rates, 5000).stale_embeds;
    EXPECT_GT(by_hand, 0U) << round;
  }
}

TEST(Simulate, ReadsAHistoryAndNamesAFaultyLine) {
  const BuildGraph graph = small_graph();
  const auto history = read_history(
      "ts\tdefinition\tkind\n20\tzlib\tepoch\t1\t2\n10\tapp\tversion\t1\t0\n5\tgone\tversion\t1\t0\n", "h", graph);
  ASSERT_TRUE(history) << history.error().render();
  ASSERT_EQ(history->changes.size(), 2U);
  EXPECT_EQ(history->changes[0].at, 10);
  EXPECT_EQ(history->passed_over, 1U);
  const auto broken = read_history("x\tzlib\tepoch\n", "h", graph);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().render(),
            "h:1:1: expected SECONDS, DEFINITION, KIND with tabs between, got 'x\tzlib\tepoch'");
}

/// A year of the field; the counts in daily batches were found by another program.
TEST(Simulate, CountsTheFieldsYearAsAnotherProgramDid) {
  const char* shared = std::getenv("NACRE_SHARED");
  if (shared == nullptr) GTEST_SKIP() << "NACRE_SHARED is not set";
  const std::string folder = std::string(shared) + "/planner/";
  const auto text = read_packed(folder + "graph.json.zst"), events = read_packed(folder + "events12m.tsv.zst");
  if (!text || !events) GTEST_SKIP() << "no graph or no events in " << folder;
  auto nodes = read_graph_nodes(*codec::parse_json(*text, "graph.json"));
  ASSERT_TRUE(nodes);
  for (GraphNode& node : *nodes)  // that program took no notice of bounds
    for (std::string& atom : node.build) atom.resize(std::min(atom.find_first_of("<>=~"), atom.size()));
  const auto graph = BuildGraph::make(*std::move(nodes), EdgePolicy::usual());
  ASSERT_TRUE(graph);
  const auto history = read_history(*events, "events", *graph);
  ASSERT_TRUE(history) << history.error().render();
  EXPECT_EQ(history->changes.size(), 30251U);
  std::vector<std::pair<KeyPolicy, std::size_t>> rows = {{KeyPolicy::kExplicit, 27909}, {KeyPolicy::kDirect, 66259}};
  if (std::getenv("NACRE_TEST_LARGE") != nullptr) rows.emplace_back(KeyPolicy::kInputs, 1059995);
  for (const auto& [policy, builds] : rows) {
    const Simulation run = replay(*graph, history->changes, policy);
    EXPECT_EQ(run.changes, 27909U);
    EXPECT_EQ(run.builds, builds) << name_of(policy);
  }
}

}  // namespace
}  // namespace nacre::plan
