#include "plan/build_graph.h"

#include "apk/dependency.h"
#include "apk/version.h"

#include <algorithm>
#include <tuple>

namespace nacre::plan {
namespace {

/// "so:libz.so.1=1" -> "so:libz.so.1" and "1".
std::pair<std::string_view, std::string_view> parts_of_provide(std::string_view text) {
  const std::size_t equal = text.find('=');
  return {text.substr(0, equal), equal == std::string_view::npos ? std::string_view() : text.substr(equal + 1)};
}

/// Whether nobody who asks can tell the two apart.
bool gives_the_same(const GraphNode& a, const GraphNode& b) {
  return a.version == b.version &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), [](auto& one, auto& other) {
           return one.name == other.name && one.provides == other.provides &&
                  one.provider_priority == other.provider_priority;
         });
}

void add_names(std::set<std::string>& names, const GraphNode& node) {
  for (const GraphNode::Output& output : node.outputs) {
    names.insert(output.name);
    for (const std::string& text : output.provides) names.emplace(parts_of_provide(text).first);
  }
}

}  // namespace

bool BuildGraph::prefers(std::uint32_t best, std::string_view as, std::uint32_t other,
                         std::string_view other_as) const {
  const std::uint64_t mine = output(packages_[best]).provider_priority;
  const std::uint64_t its = output(packages_[other]).provider_priority;
  if (mine != its) return mine > its;
  if (const auto order = apk::compare_versions(as, other_as); order != 0) return order > 0;
  return apk::compare_versions(nodes_[packages_[best].maker].version, nodes_[packages_[other].maker].version) > 0;
}

std::optional<std::uint32_t> BuildGraph::giver_of(const Atom& atom) const {
  std::optional<std::uint32_t> best;
  const auto read = apk::read_dependency(*atom.text);
  if (!read || read->conflict) return best;
  const apk::Dependency wanted{std::string(read->name), false, {}, read->op, std::string(read->version)};
  if (const auto own = by_name_.find(read->name);
      own != by_name_.end() && wanted.accepts(nodes_[packages_[own->second].maker].version)) {
    best = own->second;
    return best;
  }
  const auto found = provided_.find(atom.name);
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

Result<std::vector<std::uint32_t>> BuildGraph::atoms_of(const std::vector<std::string>& texts,
                                                        const std::string& file) {
  std::vector<std::uint32_t> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) {
    if (const auto known = atom_numbers_.find(text); known != atom_numbers_.end()) {
      out.push_back(known->second);
      continue;
    }
    auto read = apk::read_dependency(text);
    if (!read) return std::move(read).error().at({file, 0, 0});
    const auto number = static_cast<std::uint32_t>(atoms_.size());
    const auto entry = atom_numbers_.emplace(text, number).first;
    atoms_.push_back({&entry->first, std::string(read->name), read->conflict, std::nullopt});
    atoms_by_name_[atoms_.back().name].push_back(number);
    out.push_back(number);
  }
  return out;
}

Result<> BuildGraph::check_outputs(const GraphNode& node, NodeId id) const {
  const auto conflict = [&](const std::string& package, const std::string& other) {
    return Error::make(ErrorKind::kConflict, "package '{}' is made by {} and by {}", package, other, node.name)
        .hint("a package has one maker: rename or remove one of them");
  };
  std::set<std::string_view> own;
  for (const GraphNode::Output& output : node.outputs) {
    if (!own.insert(output.name).second) return conflict(output.name, node.name);
    const auto known = by_name_.find(output.name);
    if (known != by_name_.end() && packages_[known->second].maker != id)
      return conflict(output.name, nodes_[packages_[known->second].maker].name);
  }
  return {};
}

void BuildGraph::add_packages(NodeId id, const std::unordered_map<std::string, std::uint32_t>& numbers) {
  const std::vector<GraphNode::Output>& outputs = nodes_[id].outputs;
  const auto order = [&](const Giver& a, const Giver& b) {
    const Package &one = packages_[a.package], &other = packages_[b.package];
    return std::tie(one.maker, one.place) < std::tie(other.maker, other.place);
  };
  for (std::uint32_t place = 0; place < outputs.size(); ++place) {
    const auto had = numbers.find(outputs[place].name);
    const auto number = had != numbers.end() ? had->second : static_cast<std::uint32_t>(packages_.size());
    if (had == numbers.end()) packages_.emplace_back();
    packages_[number] = {&outputs[place].name, id, place, {}, policy_.kind_of(outputs[place].name)};
    by_name_.emplace(outputs[place].name, number);
    for (const std::string& text : outputs[place].provides) {
      const auto [name, version] = parts_of_provide(text);
      if (name == outputs[place].name) continue;
      std::vector<Giver>& givers = provided_[std::string(name)];
      const Giver giver{number, version};
      givers.insert(std::upper_bound(givers.begin(), givers.end(), giver, order), giver);
    }
  }
}

std::unordered_map<std::string, std::uint32_t> BuildGraph::remove_packages(NodeId id) {
  std::unordered_map<std::string, std::uint32_t> numbers;
  for (const GraphNode::Output& output : nodes_[id].outputs) {
    const auto entry = by_name_.find(output.name);
    numbers.emplace(output.name, entry->second);
    packages_[entry->second].name = nullptr;
    for (const std::string& text : output.provides) {
      const auto found = provided_.find(std::string(parts_of_provide(text).first));
      if (found == provided_.end()) continue;
      std::erase_if(found->second, [&](const Giver& giver) { return packages_[giver.package].maker == id; });
    }
    by_name_.erase(entry);
  }
  return numbers;
}

Result<> BuildGraph::ask(NodeId id) {
  const GraphNode& node = nodes_[id];
  asked_[id].build = TRY(atoms_of(node.build, node.file));
  asked_[id].test = TRY(atoms_of(node.test, node.file));
  for (const GraphNode::Output& output : node.outputs)
    packages_[by_name_.at(output.name)].needs = TRY(atoms_of(output.runtime, node.file));
  return {};
}

BuildGraph::Edges BuildGraph::edges_of(NodeId id) const {
  Edges out;
  const auto take = [&](std::uint32_t number, EdgeKind otherwise, std::vector<Edge>& into) {
    const Atom& atom = atoms_[number];
    if (atom.package) {
      const Package& package = packages_[*atom.package];
      const EdgeKind kind = otherwise == EdgeKind::kTool ? package.kind : otherwise;
      const bool development = package.name->ends_with("-dev") || package.name->ends_with("-static");
      into.push_back({package.maker, id, kind, *atom.package, development});
    } else if (!atom.conflict) {
      const EdgeKind kind = otherwise == EdgeKind::kTool ? policy_.kind_of(*atom.text) : otherwise;
      out.unresolved.push_back({id, *atom.text, kind});
    }
  };
  for (const std::uint32_t atom : asked_[id].build) take(atom, EdgeKind::kTool, out.build);
  for (const std::uint32_t atom : asked_[id].test) take(atom, EdgeKind::kTest, out.test);
  for (const GraphNode::Output& output : nodes_[id].outputs)
    for (const std::uint32_t atom : packages_[by_name_.at(output.name)].needs)
      take(atom, EdgeKind::kRuntime, out.runtime);
  return out;
}

Result<BuildGraph> BuildGraph::make(std::vector<GraphNode> nodes, const EdgePolicy& policy) {
  BuildGraph out;
  out.policy_ = policy;
  out.nodes_ = std::move(nodes);
  std::sort(out.nodes_.begin(), out.nodes_.end(),
            [](const GraphNode& a, const GraphNode& b) { return std::tie(a.name, a.file) < std::tie(b.name, b.file); });
  out.asked_.resize(out.nodes_.size());
  for (NodeId id = 0; id < out.nodes_.size(); ++id) {
    TRY(out.check_outputs(out.nodes_[id], id));
    out.add_packages(id, {});
  }
  for (NodeId id = 0; id < out.nodes_.size(); ++id) TRY(out.ask(id));
  for (Atom& atom : out.atoms_) atom.package = out.giver_of(atom);
  for (NodeId id = 0; id < out.nodes_.size(); ++id) {
    Edges edges = out.edges_of(id);
    out.build_.add(std::move(edges.build));
    out.test_.add(std::move(edges.test));
    out.runtime_.add(std::move(edges.runtime));
    std::move(edges.unresolved.begin(), edges.unresolved.end(), std::back_inserter(out.unresolved_));
  }
  out.used_ = out.build_.by_maker();
  return out;
}

std::vector<NodeId> BuildGraph::users_of_changed(const std::set<std::string>& names) {
  std::vector<char> changed(atoms_.size());
  bool any = false;
  for (const std::string& name : names) {
    const auto atoms = atoms_by_name_.find(name);
    if (atoms == atoms_by_name_.end()) continue;
    for (const std::uint32_t number : atoms->second) {
      const std::optional<std::uint32_t> now = giver_of(atoms_[number]);
      if (now == atoms_[number].package) continue;
      atoms_[number].package = now;
      changed[number] = 1;
      any = true;
    }
  }
  std::vector<NodeId> out;
  if (!any) return out;
  const auto holds = [&](const std::vector<std::uint32_t>& atoms) {
    return std::any_of(atoms.begin(), atoms.end(), [&](std::uint32_t atom) { return changed[atom] != 0; });
  };
  std::vector<char> users(nodes_.size());
  for (NodeId id = 0; id < nodes_.size(); ++id) users[id] = holds(asked_[id].build) || holds(asked_[id].test) ? 1 : 0;
  for (const Package& package : packages_)
    if (package.name != nullptr && holds(package.needs)) users[package.maker] = 1;
  for (NodeId id = 0; id < nodes_.size(); ++id)
    if (users[id] != 0) out.push_back(id);
  return out;
}

Result<> BuildGraph::replace(GraphNode node) {
  const std::optional<NodeId> found = find(node.name);
  if (!found || nodes_[*found].name != node.name)
    return Error::make(ErrorKind::kNotFound, "the graph has no definition '{}'", node.name);
  const NodeId id = *found;
  TRY(check_outputs(node, id));
  // All that may fail comes first: atoms that are kept and not asked for do no harm.
  const std::size_t known = atoms_.size();
  TRY(atoms_of(node.build, node.file));
  TRY(atoms_of(node.test, node.file));
  for (const GraphNode::Output& output : node.outputs) TRY(atoms_of(output.runtime, node.file));

  std::set<std::string> names;
  if (!gives_the_same(nodes_[id], node)) {
    add_names(names, nodes_[id]);
    add_names(names, node);
  }
  const std::unordered_map<std::string, std::uint32_t> numbers = remove_packages(id);
  nodes_[id] = std::move(node);
  add_packages(id, numbers);
  TRY(ask(id));
  std::vector<NodeId> users = users_of_changed(names);
  for (std::size_t atom = known; atom < atoms_.size(); ++atom) atoms_[atom].package = giver_of(atoms_[atom]);
  if (const auto at = std::lower_bound(users.begin(), users.end(), id); at == users.end() || *at != id)
    users.insert(at, id);

  std::unordered_map<NodeId, Edges> edges;
  for (const NodeId user : users) edges.emplace(user, edges_of(user));
  build_.replace(users, [&](NodeId user) { return std::move(edges.at(user).build); });
  test_.replace(users, [&](NodeId user) { return std::move(edges.at(user).test); });
  runtime_.replace(users, [&](NodeId user) { return std::move(edges.at(user).runtime); });
  used_ = build_.by_maker();
  std::erase_if(unresolved_, [&](const Unresolved& one) { return edges.contains(one.user); });
  for (const NodeId user : users)
    std::move(edges.at(user).unresolved.begin(), edges.at(user).unresolved.end(), std::back_inserter(unresolved_));
  std::stable_sort(unresolved_.begin(), unresolved_.end(), [](auto& a, auto& b) { return a.user < b.user; });
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
  const auto enter = [&](std::uint32_t atom, EdgeKind least) {
    const std::optional<std::uint32_t> package = atoms_[atom].package;
    if (!package) return;
    const EdgeKind kind = std::max(least, packages_[*package].kind);
    const auto [entry, fresh] = seen.emplace(*package, kind);
    if (!fresh && entry->second >= kind) return;
    entry->second = kind;
    open.push_back(*package);
  };
  for (const std::uint32_t atom : asked_[user].build) enter(atom, EdgeKind::kTool);
  while (!open.empty()) {
    const std::uint32_t package = open.back();
    open.pop_back();
    // What a linked library needs is linked with; what a toolchain needs, it runs.
    const EdgeKind kind = seen.at(package), below = kind == EdgeKind::kEmbed ? EdgeKind::kTool : kind;
    for (const std::uint32_t atom : packages_[package].needs) enter(atom, below);
  }
  std::vector<Edge> edges;
  for (const auto& [package, kind] : seen) edges.push_back({packages_[package].maker, user, kind, package, false});
  EdgeRows rows;
  rows.add(std::move(edges));
  return {rows.all().begin(), rows.all().end()};
}

}  // namespace nacre::plan
