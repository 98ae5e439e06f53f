// Times of the planner's pure steps on a graph in the form of docs/formats/graph.md (JSON), and of planning again after
// one definition was edited. usage: plan_probe GRAPH.json [DEFINITIONS], where DEFINITIONS has pipelines/ in it
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>

#include "definition/load.h"
#include "os/file.h"
#include "plan/build_graph.h"
#include "plan/units.h"

using namespace nacre;

namespace {

/// Time of this thread on a processor: on an idle machine what a clock says, and on a busy one the same.
double now() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double milliseconds_of(const std::function<void()>& work) {
  const double start = now();
  work();
  return now() - start;
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

/// Edits one definition after the other: a package more in its build root, and another epoch. What is measured is all
/// between a file on disk and the new graph with its groups: reading, parsing, compiling, replacing, ordering.
int edit(const char* folder) {
  std::vector<os::Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  definition::PipelineFolders pipelines({os::Path(folder) / "pipelines", os::Path("os/pipelines")});
  const definition::CompileOptions options;
  std::vector<plan::GraphNode> nodes;
  for (const os::Path& file : files)
    if (auto one = definition::load_definition(file, pipelines, options)) nodes.push_back(plan::graph_node(*one));
  auto graph = plan::BuildGraph::make(nodes, plan::EdgePolicy::usual());
  if (!graph) return std::fprintf(stderr, "%s\n", graph.error().render().c_str()), 1;
  std::vector<double> compiled, replaced, units, all;
  for (std::size_t i = 0; i < files.size(); i += 7) {
    const double start = now();
    std::optional<plan::GraphNode> node;
    compiled.push_back(milliseconds_of([&] {
      const auto one = definition::load_definition(files[i], pipelines, options);
      if (one) node = plan::graph_node(*one);
      else std::fprintf(stderr, "%s\n", one.error().render().c_str());
    }));
    if (!node) return 1;
    node->build.push_back(i % 2 == 0 ? "zlib-dev" : "perl");
    node->version += "1";
    bool done = false;
    replaced.push_back(milliseconds_of([&] { done = graph->replace(*std::move(node)).has_value(); }));
    units.push_back(milliseconds_of([&] { (void)plan::make_units(*graph); }));
    all.push_back(now() - start);
    if (!done) return std::fprintf(stderr, "%s is not in the graph\n", files[i].c_str()), 1;
  }
  print("one edited file read, parsed and compiled", compiled);
  print("its node replaced in the graph", replaced);
  print("groups and their order again", units);
  print("planned again after one edit, all of it", all);
  return 0;
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
  return argc > 2 ? edit(argv[2]) : 0;
}
