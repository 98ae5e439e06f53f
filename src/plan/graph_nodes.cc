#include "plan/build_graph.h"

// Nodes of a graph: taken from definitions, read and written as JSON.
namespace nacre::plan {
namespace {

using codec::Json;

constexpr std::size_t kMaxNodes = 1'000'000;

std::vector<std::string> strings_of(const Json& json, std::string_view key) { return json[key].as_strings(); }

Result<GraphNode::Output> read_output(const Json& json) {
  GraphNode::Output out;
  out.name = TRY(json.string_at("name"));
  out.runtime = strings_of(json, "runtime");
  out.provides = strings_of(json, "provides");
  const std::int64_t priority = json["provider_priority"].as_int();
  out.provider_priority = priority > 0 ? static_cast<std::uint64_t>(priority) : 0;
  return out;
}

Json to_json(const GraphNode::Output& output) {
  Json out;
  out.set("name", output.name).set("runtime", Json::strings(output.runtime));
  out.set("provides", Json::strings(output.provides));
  if (output.provider_priority != 0) out.set("provider_priority", output.provider_priority);
  return out;
}

}  // namespace

GraphNode graph_node(const definition::Definition& definition) {
  GraphNode out;
  out.name = definition.name;
  out.version = definition.full_version();
  out.file = definition.file;
  out.build = definition.environment.packages;
  out.test = definition.test.environment.packages;
  const auto output = [](const std::string& name, const definition::Dependencies& from) {
    return GraphNode::Output{name, from.runtime, from.provides, from.provider_priority};
  };
  out.outputs.push_back(output(definition.name, definition.dependencies));
  for (const definition::Subpackage& sub : definition.subpackages) {
    out.outputs.push_back(output(sub.name, sub.dependencies));
    const std::vector<std::string>& test = sub.test.environment.packages;
    out.test.insert(out.test.end(), test.begin(), test.end());
  }
  return out;
}

Result<GraphNode> read_graph_node(const Json& row) {
  GraphNode node;
  GraphNode::Output main = TRY(read_output(row));
  node.name = main.name;
  node.version = fmt::format("{}-r{}", row["version"].as_string(), row["epoch"].as_int());
  node.build = strings_of(row, "builddeps");
  node.test = strings_of(row, "testdeps");
  node.outputs.push_back(std::move(main));
  for (const Json& sub : row["subpackages"].items()) {
    GraphNode::Output output = TRY(read_output(sub), "reading a subpackage of '{}'", node.name);
    node.outputs.push_back(std::move(output));
  }
  return node;
}

Result<std::vector<GraphNode>> read_graph_nodes(const Json& json) {
  const Json& rows = json["nodes"];
  if (!rows.is_array()) return Error::make(ErrorKind::kInvalid, "a graph has a list 'nodes'; this has none");
  if (rows.items().size() > kMaxNodes)
    return Error::make(ErrorKind::kInvalid, "a graph of {} nodes; {} are the most that are read", rows.items().size(),
                       kMaxNodes);
  std::vector<GraphNode> out;
  out.reserve(rows.items().size());
  for (const Json& row : rows.items()) {
    GraphNode node = TRY(read_graph_node(row), "reading node {} of the graph", out.size() + 1);
    out.push_back(std::move(node));
  }
  return out;
}

Json to_json(const GraphNode& node) {
  Json row = to_json(node.outputs.front());
  const std::size_t epoch = node.version.rfind("-r");
  row.set("version", node.version.substr(0, epoch));
  row.set("epoch", static_cast<std::int64_t>(std::strtoll(node.version.c_str() + epoch + 2, nullptr, 10)));
  row.set("builddeps", Json::strings(node.build));
  if (!node.test.empty()) row.set("testdeps", Json::strings(node.test));
  Json subs = Json::array();
  for (std::size_t i = 1; i < node.outputs.size(); ++i) subs.push(to_json(node.outputs[i]));
  return row.set("subpackages", std::move(subs));
}

Json to_json(std::span<const GraphNode> nodes) {
  Json rows = Json::array();
  for (const GraphNode& node : nodes) rows.push(to_json(node));
  Json out;
  return out.set("schema", "nacre-graph/1").set("nodes", std::move(rows));
}

}  // namespace nacre::plan
