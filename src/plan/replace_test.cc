#include "plan/graph_testing.h"
#include "plan/units.h"

#include <gtest/gtest.h>

#include <algorithm>

// A graph in which a node is replaced is the graph that is made anew.
namespace nacre::plan {
namespace {

std::string text_of(const BuildGraph& graph, std::string_view what, std::span<const Edge> edges) {
  std::string out;
  for (const Edge& edge : edges)
    out += fmt::format("{} {} {} {} {}{}\n", what, graph.node(edge.user).name, graph.node(edge.maker).name,
                       graph.package(edge.package), name_of(edge.kind), edge.development ? " dev" : "");
  return out;
}

/// All that the graph can be asked.
std::string text_of(const BuildGraph& graph) {
  std::string out;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const GraphNode& node = graph.node(id);
    out += fmt::format("{} {}\n", node.name, node.version);
    for (const GraphNode::Output& output : node.outputs)
      out += fmt::format("  {} {}\n", output.name, graph.node(*graph.find(output.name)).name);
    out += text_of(graph, "makes", graph.makers(id)) + text_of(graph, "uses", graph.users(id));
    out += text_of(graph, "runs", graph.runtime_makers(id)) + text_of(graph, "tests", graph.test_makers(id));
    for (const Edge& edge : graph.build_root(id))  // by which package of a maker is not said
      out += fmt::format("root {} {}\n", graph.node(edge.maker).name, name_of(edge.kind));
  }
  for (const Unresolved& one : graph.unresolved())
    out += fmt::format("missing {} {} {}\n", graph.node(one.user).name, one.atom, name_of(one.kind));
  for (const Unit& unit : make_units(graph)) {
    out += fmt::format("unit {}", unit.level);
    for (const NodeId member : unit.members) out += " " + graph.node(member).name;
    for (const Edge& seed : unit.seeds) out += fmt::format(" [{} {}]", seed.user, graph.package(seed.package));
    out += "\n";
  }
  return out;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33) % n;
  }

 private:
  std::uint64_t state_;
};

/// Names that packages bear, that are provided by some, and that nobody has; with and without bounds, also conflicts.
std::string random_atom(Dice& dice) {
  constexpr const char* kEnds[] = {"", "-dev", "-static", "-doc"};
  std::string name = dice.below(3) == 0 ? fmt::format("cmd:c{}", dice.below(6))
                                        : fmt::format("n{:02}{}", dice.below(14), kEnds[dice.below(4)]);
  if (dice.below(4) == 0) name += fmt::format("{}{}", dice.below(2) == 0 ? ">=" : "<", dice.below(4));
  return dice.below(12) == 0 ? "!" + name : name;
}

GraphNode random_node(Dice& dice, std::uint32_t number) {
  GraphNode out = node(fmt::format("n{:02}", number), {});
  out.version = fmt::format("{}-r{}", dice.below(4), dice.below(3));
  const auto atoms = [&](std::uint32_t most) {
    std::vector<std::string> list;
    for (std::uint32_t i = dice.below(most + 1); i > 0; --i) list.push_back(random_atom(dice));
    return list;
  };
  out.build = atoms(4);
  out.test = atoms(2);
  for (const char* end : {"-dev", "-static", "-doc"})
    if (dice.below(2) == 0) out.outputs.push_back({out.name + end, {}, {}, 0});
  for (GraphNode::Output& output : out.outputs) {
    output.runtime = atoms(2);
    output.provider_priority = dice.below(4) == 0 ? dice.below(3) : 0;
    for (std::uint32_t i = dice.below(3); i > 0; --i)
      output.provides.push_back(fmt::format("cmd:c{}", dice.below(6)) + (dice.below(2) == 0 ? "" : "=2"));
    if (dice.below(6) == 0) output.provides.push_back(fmt::format("n{:02}-dev=1", dice.below(14)));
  }
  return out;
}

class Replace : public testing::TestWithParam<int> {};

TEST_P(Replace, GivesWhatIsMadeAnew) {
  Dice dice(static_cast<std::uint64_t>(GetParam()) + 1);
  std::vector<GraphNode> nodes;
  for (std::uint32_t i = 0; i < 12; ++i) nodes.push_back(random_node(dice, i));
  auto graph = BuildGraph::make(nodes, EdgePolicy::usual());
  ASSERT_TRUE(graph) << graph.error().render();
  for (int edit = 0; edit < 40; ++edit) {
    const std::uint32_t which = dice.below(12);
    GraphNode next = random_node(dice, which);
    if (dice.below(2) == 0) next.outputs = nodes[which].outputs;  // most edits leave names as they are
    if (dice.below(2) == 0) next.version = nodes[which].version;
    nodes[which] = next;
    const auto done = graph->replace(next);
    ASSERT_TRUE(done) << done.error().render();
    ASSERT_EQ(text_of(*graph), text_of(*BuildGraph::make(nodes, EdgePolicy::usual()))) << "after edit " << edit;
  }
}
INSTANTIATE_TEST_SUITE_P(Random, Replace, testing::Range(0, 60));

TEST(ReplaceNode, ChangesNothingWhenItFails) {
  std::vector<GraphNode> nodes = {node("a", {"b-dev"}), node("b", {}, {"b-dev"})};
  auto graph = *BuildGraph::make(nodes, EdgePolicy::usual());
  const std::string before = text_of(graph);
  const std::pair<GraphNode, const char*> rows[] = {
      {node("c", {}), "the graph has no definition 'c'"},
      {node("b-dev", {}), "the graph has no definition 'b-dev'"},
      {node("a", {}, {"b-dev"}), "package 'b-dev' is made by b and by a"},
      {node("a", {}, {"x", "x"}), "package 'x' is made by a and by a"},
      {node("a", {"b>=>"}), ""},
  };
  for (const auto& [next, text] : rows) {
    const auto done = graph.replace(next);
    ASSERT_FALSE(done) << next.name;
    EXPECT_NE(done.error().render().find(text), std::string::npos) << done.error().render();
    EXPECT_EQ(text_of(graph), before);
  }
}

}  // namespace
}  // namespace nacre::plan
