#include "plan/build_graph.h"

#include "apk/dependency.h"
#include "apk/version.h"

#include <algorithm>

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

Result<std::vector<GraphNode>> read_graph_nodes(const Json& json) {
  const Json& rows = json["nodes"];
  if (!rows.is_array()) return Error::make(ErrorKind::kInvalid, "a graph has a list 'nodes'; this has none");
  if (rows.items().size() > kMaxNodes)
    return Error::make(ErrorKind::kInvalid, "a graph of {} nodes; {} are the most that are read", rows.items().size(),
                       kMaxNodes);
  std::vector<GraphNode> out;
  out.reserve(rows.items().size());
  for (const Json& row : rows.items()) {
    GraphNode node;
    GraphNode::Output main = TRY(read_output(row), "reading node {} of the graph", out.size() + 1);
    node.name = main.name;
    node.version = fmt::format("{}-r{}", row["version"].as_string(), row["epoch"].as_int());
    node.build = strings_of(row, "builddeps");
    node.test = strings_of(row, "testdeps");
    node.outputs.push_back(std::move(main));
    for (const Json& sub : row["subpackages"].items()) {
      GraphNode::Output output = TRY(read_output(sub), "reading a subpackage of '{}'", node.name);
      node.outputs.push_back(std::move(output));
    }
    out.push_back(std::move(node));
  }
  return out;
}

Json to_json(std::span<const GraphNode> nodes) {
  Json rows = Json::array();
  for (const GraphNode& node : nodes) {
    Json row = to_json(node.outputs.front());
    const std::size_t epoch = node.version.rfind("-r");
    row.set("version", node.version.substr(0, epoch));
    row.set("epoch", static_cast<std::int64_t>(std::strtoll(node.version.c_str() + epoch + 2, nullptr, 10)));
    row.set("builddeps", Json::strings(node.build));
    if (!node.test.empty()) row.set("testdeps", Json::strings(node.test));
    Json subs = Json::array();
    for (std::size_t i = 1; i < node.outputs.size(); ++i) subs.push(to_json(node.outputs[i]));
    rows.push(row.set("subpackages", std::move(subs)));
  }
  Json out;
  return out.set("schema", "nacre-graph/1").set("nodes", std::move(rows));
}

BuildGraph::Rows BuildGraph::rows_by_user(std::vector<Edge> edges, std::size_t nodes) {
  Rows out;
  out.begin.assign(nodes + 1, 0);
  for (std::size_t first = 0, last = 0; first < edges.size(); first = last) {
    while (last < edges.size() && edges[last].user == edges[first].user) ++last;
    std::sort(edges.begin() + static_cast<std::ptrdiff_t>(first), edges.begin() + static_cast<std::ptrdiff_t>(last),
              [](const Edge& a, const Edge& b) { return std::tie(a.maker, b.kind) < std::tie(b.maker, a.kind); });
    const std::size_t kept = out.edges.size();
    for (std::size_t i = first; i < last; ++i) {
      if (out.edges.size() > kept && out.edges.back().maker == edges[i].maker)
        out.edges.back().development |= edges[i].development;
      else out.edges.push_back(edges[i]);
    }
    out.begin[edges[first].user + 1] = static_cast<std::uint32_t>(out.edges.size() - kept);
  }
  for (std::size_t i = 0; i < nodes; ++i) out.begin[i + 1] += out.begin[i];
  return out;
}

BuildGraph::Rows BuildGraph::rows_by_maker(const Rows& by_user, std::size_t nodes) {
  Rows out;
  out.begin.assign(nodes + 1, 0);
  for (const Edge& edge : by_user.edges) ++out.begin[edge.maker + 1];
  for (std::size_t i = 0; i < nodes; ++i) out.begin[i + 1] += out.begin[i];
  out.edges.resize(by_user.edges.size());
  std::vector<std::uint32_t> next(out.begin.begin(), out.begin.end() - 1);
  for (const Edge& edge : by_user.edges) out.edges[next[edge.maker]++] = edge;
  return out;
}

bool BuildGraph::prefers(std::uint32_t best, std::string_view as, std::uint32_t other,
                         std::string_view other_as) const {
  const std::uint64_t mine = packages_[best].output->provider_priority;
  const std::uint64_t its = packages_[other].output->provider_priority;
  if (mine != its) return mine > its;
  if (const auto order = apk::compare_versions(as, other_as); order != 0) return order > 0;
  return apk::compare_versions(nodes_[packages_[best].maker].version, nodes_[packages_[other].maker].version) > 0;
}

Result<std::optional<std::uint32_t>> BuildGraph::giver_of(std::string_view atom, const GraphNode& asker) const {
  std::optional<std::uint32_t> best;
  auto read = apk::read_dependency(atom);
  if (!read) return std::move(read).error().at({asker.file, 0, 0});
  if (read->conflict) return best;
  const apk::Dependency wanted{std::string(read->name), false, {}, read->op, std::string(read->version)};
  if (const auto own = by_name_.find(read->name);
      own != by_name_.end() && wanted.accepts(nodes_[packages_[own->second].maker].version)) {
    best = own->second;
    return best;
  }
  const auto found = provided_.find(read->name);
  if (found == provided_.end()) return best;
  std::string_view as;
  for (const Giver& giver : found->second) {
    if (!wanted.accepts(giver.version)) continue;
    if (best && prefers(*best, as, giver.package, giver.version)) continue;
    best = giver.package;
    as = giver.version;
  }
  return best;
}

Result<BuildGraph> BuildGraph::make(std::vector<GraphNode> nodes, const EdgePolicy& policy) {
  BuildGraph out;
  out.nodes_ = std::move(nodes);
  std::sort(out.nodes_.begin(), out.nodes_.end(),
            [](const GraphNode& a, const GraphNode& b) { return std::tie(a.name, a.file) < std::tie(b.name, b.file); });
  for (NodeId id = 0; id < out.nodes_.size(); ++id) {
    for (const GraphNode::Output& output : out.nodes_[id].outputs) {
      const auto number = static_cast<std::uint32_t>(out.packages_.size());
      const auto [known, fresh] = out.by_name_.emplace(output.name, number);
      if (!fresh)
        return Error::make(ErrorKind::kConflict, "package '{}' is made by {} and by {}", output.name,
                           out.nodes_[out.packages_[known->second].maker].name, out.nodes_[id].name)
            .hint("a package has one maker: rename or remove one of them");
      out.packages_.push_back({&output.name, id, &output, {}});
      out.kinds_.push_back(policy.kind_of(output.name));
    }
  }
  for (std::uint32_t number = 0; number < out.packages_.size(); ++number) {
    for (const std::string& text : out.packages_[number].output->provides) {
      const std::string_view whole = text;
      const std::size_t equal = whole.find('=');
      const std::string_view name = whole.substr(0, equal);
      if (name == *out.packages_[number].name) continue;
      out.provided_[name].push_back(
          {number, equal == std::string_view::npos ? std::string_view() : whole.substr(equal + 1)});
    }
  }
  TRY(out.resolve_all(policy));
  return out;
}

Result<> BuildGraph::resolve_all(const EdgePolicy& policy) {
  std::vector<Edge> build, runtime, test;
  std::unordered_map<std::string_view, std::optional<std::uint32_t>> answers;  // one atom stands in many roots
  asked_.resize(nodes_.size());
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    const GraphNode& node = nodes_[id];
    const auto take = [&](const std::string& atom, EdgeKind otherwise,
                          std::vector<Edge>& into) -> Result<std::optional<std::uint32_t>> {
      const auto [known, fresh] = answers.try_emplace(atom);
      if (fresh) known->second = TRY(giver_of(atom, node));
      const std::optional<std::uint32_t> package = known->second;
      if (package) {
        const EdgeKind kind = otherwise == EdgeKind::kTool ? kinds_[*package] : otherwise;
        const std::string& name = *packages_[*package].name;
        const bool development = name.ends_with("-dev") || name.ends_with("-static");
        into.push_back({packages_[*package].maker, id, kind, *package, development});
      } else if (!atom.starts_with('!')) {
        unresolved_.push_back({id, atom, otherwise == EdgeKind::kTool ? policy.kind_of(atom) : otherwise});
      }
      return package;
    };
    for (const std::string& atom : node.build) {
      const auto package = TRY(take(atom, EdgeKind::kTool, build));
      if (package) asked_[id].push_back(*package);
    }
    for (const std::string& atom : node.test) TRY(take(atom, EdgeKind::kTest, test));
    for (const GraphNode::Output& output : node.outputs) {
      Package& own = packages_[by_name_.at(output.name)];
      for (const std::string& atom : output.runtime) {
        const auto package = TRY(take(atom, EdgeKind::kRuntime, runtime));
        if (package) own.needs.push_back(*package);
      }
    }
  }
  build_ = rows_by_user(std::move(build), size());
  used_ = rows_by_maker(build_, size());
  runtime_ = rows_by_user(std::move(runtime), size());
  test_ = rows_by_user(std::move(test), size());
  return {};
}

std::optional<NodeId> BuildGraph::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return packages_[found->second].maker;
}

std::vector<Edge> BuildGraph::build_root(NodeId user) const {
  std::unordered_map<std::uint32_t, EdgeKind> seen;
  std::vector<std::uint32_t> open;
  const auto enter = [&](std::uint32_t package, EdgeKind kind) {
    const auto [entry, fresh] = seen.emplace(package, kind);
    if (!fresh && entry->second >= kind) return;
    entry->second = kind;
    open.push_back(package);
  };
  for (const std::uint32_t package : asked_[user]) enter(package, kinds_[package]);
  while (!open.empty()) {
    const std::uint32_t package = open.back();
    open.pop_back();
    // What a linked library needs is linked with; what a toolchain needs, it runs.
    const EdgeKind kind = seen.at(package), below = kind == EdgeKind::kEmbed ? EdgeKind::kTool : kind;
    for (const std::uint32_t need : packages_[package].needs) enter(need, std::max(below, kinds_[need]));
  }
  std::vector<Edge> edges;
  for (const auto& [package, kind] : seen) edges.push_back({packages_[package].maker, user, kind, package, false});
  return rows_by_user(std::move(edges), size()).edges;
}

}  // namespace nacre::plan
