// Times of the planner's pure steps on a graph in the form of docs/formats/graph.md (JSON). usage: plan_probe
// GRAPH.json
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "os/file.h"
#include "plan/build_graph.h"
#include "plan/units.h"

using namespace nacre;

namespace {

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void print(const char* what, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::printf("%-52s median %8.3f ms  p99 %8.3f ms  max %8.3f ms  (%zu times)\n", what, at(0.5), at(0.99), times.back(),
              times.size());
}

/// Everything that is built with a definition, however indirectly.
std::size_t closure(const plan::BuildGraph& graph, plan::NodeId start, std::vector<std::uint32_t>& mark,
                    std::uint32_t round) {
  std::vector<plan::NodeId> open = {start};
  mark[start] = round;
  std::size_t count = 0;
  while (!open.empty()) {
    const plan::NodeId node = open.back();
    open.pop_back();
    ++count;
    for (const plan::Edge& edge : graph.users(node))
      if (mark[edge.user] != round) {
        mark[edge.user] = round;
        open.push_back(edge.user);
      }
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: plan_probe GRAPH.json\n"), 2;
  const auto text = os::read_file(argv[1], std::uint64_t{256} << 20);
  if (!text) return std::fprintf(stderr, "%s\n", text.error().render().c_str()), 1;
  auto nodes = plan::read_graph_nodes(*codec::parse_json(*text, argv[1]));
  if (!nodes) return std::fprintf(stderr, "%s\n", nodes.error().render().c_str()), 1;
  std::vector<double> made, units, steps;
  for (int i = 0; i < 20; ++i) {
    std::vector<plan::GraphNode> copy = *nodes;
    std::optional<Result<plan::BuildGraph>> graph;
    made.push_back(
        milliseconds_of([&] { graph.emplace(plan::BuildGraph::make(std::move(copy), plan::EdgePolicy::usual())); }));
  }
  print("graph from its nodes", made);
  const plan::BuildGraph graph = *plan::BuildGraph::make(*nodes, plan::EdgePolicy::usual());
  for (int i = 0; i < 20; ++i) units.push_back(milliseconds_of([&] { (void)plan::make_units(graph); }));
  print("groups and their order", units);
  std::vector<std::uint32_t> mark(graph.size());
  std::size_t all = 0;
  for (plan::NodeId id = 0; id < graph.size(); ++id)
    steps.push_back(milliseconds_of([&] { all += closure(graph, id, mark, id + 1); }));
  print("all that is built with one definition", steps);
  std::printf("%zu definitions, %zu in all closures\n", graph.size(), all);
}
