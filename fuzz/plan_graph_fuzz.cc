#include "plan/simulate.h"

#include "plan/units.h"

#include <cstddef>
#include <cstdint>
#include <string>

// A graph as JSON, and after a line of '%' a history that is replayed on it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find("\n%\n");
  const auto json = codec::parse_json(text.substr(0, cut), "fuzz");
  if (!json) return 0;
  auto nodes = plan::read_graph_nodes(*json);
  if (!nodes) return 0;
  const auto graph = plan::BuildGraph::make(*std::move(nodes), plan::EdgePolicy::usual());
  if (!graph) return 0;
  (void)plan::make_units(*graph);
  for (plan::NodeId id = 0; id < graph->size(); ++id) (void)graph->build_root(id);
  const auto history = plan::read_history(cut == std::string_view::npos ? "" : text.substr(cut + 3), "fuzz", *graph);
  if (!history) return 0;
  for (const auto policy : {plan::KeyPolicy::kAbi, plan::KeyPolicy::kInputs}) {
    plan::SimulationInput input{*graph, history->changes, policy};
    input.build_seconds.assign(graph->size(), 1);
    (void)plan::simulate(input);
  }
  return 0;
}
