#include "plan/build_graph.h"

#include "plan/graph_testing.h"
#include "plan/units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace nacre::plan {
namespace {

/// "user <- maker kind" for each edge.
std::string text_of(const BuildGraph& graph, std::span<const Edge> edges) {
  std::string out;
  for (const Edge& edge : edges)
    out += fmt::format("{} <- {} {}\n", graph.node(edge.user).name, graph.node(edge.maker).name, name_of(edge.kind));
  return out;
}

std::string text_of(const BuildGraph& graph, const std::vector<Unit>& units) {
  std::string out;
  for (const Unit& unit : units) {
    out += fmt::format("{}:", unit.level);
    for (const NodeId member : unit.members) out += " " + graph.node(member).name;
    for (const Edge& seed : unit.seeds)
      out += fmt::format(" [{} from {}]", graph.node(seed.user).name, graph.package(seed.package));
    out += "\n";
  }
  return out;
}

TEST(EdgePolicy, KnowsNamesOfTheField) {
  const EdgePolicy policy = EdgePolicy::usual();
  const std::pair<const char*, EdgeKind> rows[] = {
      {"zlib-dev", EdgeKind::kLink},
      {"zlib-static", EdgeKind::kEmbed},
      {"go-1.27", EdgeKind::kEmbed},
      {"go", EdgeKind::kEmbed},
      {"gobject-introspection", EdgeKind::kTool},
      {"make", EdgeKind::kTool},
      {"linux-headers", EdgeKind::kEmbed},
      {"R-doc", EdgeKind::kData},
  };
  for (const auto& [name, kind] : rows) EXPECT_EQ(policy.kind_of(name), kind) << name;
  EXPECT_TRUE(fits("a*b*c", "aXbYbc"));
  EXPECT_FALSE(fits("a*b", "a"));
  EXPECT_TRUE(fits("*", ""));
}

TEST(BuildGraph, KeepsTheStrongestUseOfEachMaker) {
  std::vector<GraphNode> nodes = {node("zlib", {"make"}, {"zlib-dev", "zlib-static"}), node("make", {}),
                                  node("curl", {"zlib", "zlib-dev", "make", "cmd:cc"}),
                                  node("rsync", {"zlib-dev", "zlib-static"})};
  nodes[1].outputs[0].provides = {"cmd:cc=1"};
  const auto graph = BuildGraph::make(nodes, EdgePolicy::usual());
  ASSERT_TRUE(graph) << graph.error().render();
  EXPECT_EQ(text_of(*graph, graph->makers(*graph->find("curl"))), "curl <- make tool\ncurl <- zlib link\n");
  EXPECT_EQ(text_of(*graph, graph->users(*graph->find("zlib-dev"))), "curl <- zlib link\nrsync <- zlib embed\n");
}

TEST(BuildGraph, TakesTheGiverThatASolverTakes) {
  std::vector<GraphNode> nodes = {node("app", {"python3", "cython", "libx>=2"}),
                                  node("py-1", {}),
                                  node("py-2", {}),
                                  node("cy-1", {}),
                                  node("cy-2", {}),
                                  node("x", {})};
  nodes[1].outputs[0].provides = {"python3=3.9"};
  nodes[2].outputs[0].provides = {"python3=3.13"};
  nodes[3].outputs[0].provides = {"cython=9"};
  nodes[4].outputs[0].provides = {"cython"};
  nodes[4].outputs[0].provider_priority = 10;
  nodes[5].outputs[0].provides = {"libx=1"};
  const auto graph = BuildGraph::make(nodes, EdgePolicy::usual());
  ASSERT_TRUE(graph);
  EXPECT_EQ(text_of(*graph, graph->makers(*graph->find("app"))), "app <- cy-2 tool\napp <- py-2 tool\n");
  ASSERT_EQ(graph->unresolved().size(), 1U);
  EXPECT_EQ(graph->unresolved()[0].atom, "libx>=2");
}

TEST(BuildGraph, FollowsWhatLinkedLibrariesNeed) {
  std::vector<GraphNode> nodes = {node("app", {"tls-dev", "git"}), node("tls", {}, {"tls-dev"}), node("zlib", {}),
                                  node("git", {}), node("pcre", {})};
  nodes[1].outputs[1].runtime = {"tls=1-r0", "zlib"};
  nodes[3].outputs[0].runtime = {"pcre", "zlib"};
  const auto graph = BuildGraph::make(nodes, EdgePolicy::usual());
  ASSERT_TRUE(graph);
  EXPECT_EQ(text_of(*graph, graph->build_root(*graph->find("app"))),
            "app <- git tool\napp <- pcre tool\napp <- tls link\napp <- zlib link\n");
}

TEST(BuildGraph, RefusesTwoMakersOfOnePackage) {
  const auto graph = BuildGraph::make({node("a", {}, {"x"}), node("b", {}, {"x"})}, EdgePolicy::usual());
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().kind(), ErrorKind::kConflict);
  EXPECT_NE(graph.error().render().find("package 'x' is made by a and by b"), std::string::npos);
}

TEST(Units, MakeAGroupOfACycleAndPinWhatGoesAgainstItsOrder) {
  // gcc needs itself and zlib; zlib needs gcc by a tool: the cheaper edge is pinned.
  const auto graph = BuildGraph::make({node("gcc", {"gcc", "zlib-dev"}), node("zlib", {"gcc"}, {"zlib-dev"}),
                                       node("app", {"zlib-dev", "gcc"}), node("base", {})},
                                      EdgePolicy::usual());
  ASSERT_TRUE(graph);
  EXPECT_EQ(text_of(*graph, make_units(*graph)), "0: zlib gcc [zlib from gcc] [gcc from gcc]\n1: app\n0: base\n");
}

TEST(Units, GoDeepWithoutRecursion) {
  std::vector<GraphNode> nodes;
  for (int i = 0; i < 100000; ++i) nodes.push_back(node(fmt::format("n{:06}", i), {fmt::format("n{:06}", i + 1)}));
  nodes.push_back(node("n100000", {"n000000"}));
  const auto graph = BuildGraph::make(std::move(nodes), EdgePolicy::usual());
  ASSERT_TRUE(graph);
  EXPECT_EQ(make_units(*graph).size(), 1U);
}

/// The field's graph of 3,401 definitions with the counts that another program found.
class FieldGraph : public testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("NACRE_SHARED");
    if (shared == nullptr) GTEST_SKIP() << "NACRE_SHARED is not set";
    const auto text = read_packed(std::string(shared) + "/planner/graph.json.zst");
    if (!text && text.error().kind() == ErrorKind::kNotFound) GTEST_SKIP() << text.error().render();
    ASSERT_TRUE(text) << text.error().render();
    json = *codec::parse_json(*text, "graph.json");
  }
  codec::Json json;
};

TEST_F(FieldGraph, HasTheCountsOfTheField) {
  auto nodes = read_graph_nodes(json);
  ASSERT_TRUE(nodes) << nodes.error().render();
  EXPECT_EQ(read_graph_nodes(to_json(*nodes))->size(), nodes->size());
  // That program took no notice of bounds.
  const auto cut = [](std::vector<std::string>& atoms) {
    for (std::string& atom : atoms) atom.resize(std::min(atom.find_first_of("<>=~"), atom.size()));
  };
  for (GraphNode& node : *nodes) {
    cut(node.build);
    for (GraphNode::Output& output : node.outputs) cut(output.runtime);
  }
  const auto graph = BuildGraph::make(*std::move(nodes), EdgePolicy::usual());
  ASSERT_TRUE(graph) << graph.error().render();
  const codec::Json& expect = json["expect"];
  EXPECT_EQ(graph->size(), static_cast<std::size_t>(expect["definitions"].as_int()));
  std::size_t edges = 0, own = 0, root = 0;
  for (NodeId id = 0; id < graph->size(); ++id) {
    for (const Edge& edge : graph->makers(id)) ++(edge.maker == edge.user ? own : edges);
    for (const Edge& edge : graph->build_root(id)) root += edge.maker != edge.user ? 1 : 0;
  }
  EXPECT_EQ(edges, static_cast<std::size_t>(expect["build_edges_def_def"].as_int()));
  EXPECT_EQ(own, 32U);
  EXPECT_EQ(root, static_cast<std::size_t>(expect["buildroot_edges_def_def"].as_int()));
  const std::vector<Unit> units = make_units(*graph);
  std::vector<std::int64_t> groups, wanted;
  std::uint32_t depth = 0;
  for (const Unit& unit : units) {
    if (unit.members.size() > 1) groups.push_back(static_cast<std::int64_t>(unit.members.size()));
    depth = std::max(depth, unit.level + 1);
  }
  std::sort(groups.rbegin(), groups.rend());
  const codec::Json& groups_of = expect["sccs"]["direct_builddeps"];
  for (const codec::Json& size : groups_of["nontrivial"].items()) wanted.push_back(size.as_int());
  EXPECT_EQ(groups, wanted);
  EXPECT_EQ(units.size(), static_cast<std::size_t>(groups_of["count"].as_int()));
  EXPECT_EQ(depth, static_cast<std::uint32_t>(groups_of["depth"].as_int()));
}

}  // namespace
}  // namespace nacre::plan
