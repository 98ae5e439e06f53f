#include "plan/plan.h"

#include "base/text.h"
#include "plan/graph.h"

#include <algorithm>

namespace nacre::plan {
namespace {

/// A definition while the plan is made.
struct Node {
  const definition::Definition* definition = nullptr;
  PackageGraph::Root root;     ///< Our packages in its build root, as texts say.
  std::set<std::size_t> hard;  ///< Definitions that make them: these must come before.
  std::set<std::size_t> soft;  ///< Makers of what its last root held: before, unless that makes a cycle.
  bool from_stage0_alone = false;
};

struct Draft {
  const PlanInput& input;
  PackageGraph graph;
  std::vector<Node> nodes;  ///< By name, so that indexes order as names do.
  std::map<std::size_t, Action> done;
};

const BuiltFrom* last_build(const Draft& draft, const Node& node) {
  const auto found = draft.input.built.find(node.definition->name);
  return found == draft.input.built.end() ? nullptr : &found->second;
}

Result<Draft> make_draft(const PlanInput& input, const std::vector<const definition::Definition*>& sorted) {
  PackageGraph graph = TRY(PackageGraph::make(sorted));
  const PackageGraph::Root always = TRY(graph.root_of(input.always, {}));
  std::set<std::size_t> base;
  for (const auto& [name, member] : always) base.insert(member.maker);

  Draft draft{input, std::move(graph), {}, {}};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    Node node;
    node.definition = sorted[i];
    node.from_stage0_alone = base.contains(i);
    if (!node.from_stage0_alone) {
      std::vector<std::string> atoms = sorted[i]->environment.packages;
      atoms.insert(atoms.end(), input.always.begin(), input.always.end());
      node.root = TRY(draft.graph.root_of(atoms, sorted[i]->file));
      for (const auto& [name, member] : node.root) {
        // Where another package gives the same, a definition is not held up by itself.
        if (member.maker != i || member.sure) node.hard.insert(member.maker);
      }
      if (const BuiltFrom* built = last_build(draft, node)) {
        for (const auto& [name, digest] : built->root) {
          const std::ptrdiff_t maker = draft.graph.maker_of(name);
          if (maker >= 0 && static_cast<std::size_t>(maker) != i) node.soft.insert(static_cast<std::size_t>(maker));
        }
      }
    }
    draft.nodes.push_back(std::move(node));
  }
  return draft;
}

/// Keeps the named definitions and all that they come after.
Result<std::set<std::size_t>> wanted(const Draft& draft) {
  std::set<std::size_t> out;
  if (draft.input.only.empty()) {
    for (std::size_t i = 0; i < draft.nodes.size(); ++i) out.insert(i);
    return out;
  }
  std::vector<std::size_t> open;
  for (const std::string& name : draft.input.only) {
    const std::ptrdiff_t maker = draft.graph.maker_of(name);
    if (maker < 0) {
      Error error = Error::make(ErrorKind::kNotFound, "no definition makes a package '{}'", name);
      const std::string hint = nearest_hint(name, draft.graph.package_names());
      return hint.empty() ? std::move(error) : std::move(error).hint(hint);
    }
    open.push_back(static_cast<std::size_t>(maker));
  }
  while (!open.empty()) {
    const std::size_t node = open.back();
    open.pop_back();
    if (!out.insert(node).second) continue;
    open.insert(open.end(), draft.nodes[node].hard.begin(), draft.nodes[node].hard.end());
  }
  return out;
}

/// The first package of `maker` that stands in the root of `node`.
std::string link_between(const Node& node, std::size_t maker) {
  for (const auto& [name, member] : node.root)
    if (member.maker == maker) return name;
  return {};
}

/// Names one cycle among `left`, beginning with its least name.
Error cycle_error(const Draft& draft, const std::set<std::size_t>& left) {
  std::vector<std::size_t> path;
  std::size_t at = *left.begin();
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    const std::set<std::size_t>& hard = draft.nodes[at].hard;
    at = *std::find_if(hard.begin(), hard.end(), [&](std::size_t i) { return left.contains(i); });
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t next = path[(i + 1) % path.size()];
    text += fmt::format("\n  {} is built with {}, which {} makes", draft.nodes[path[i]].definition->name,
                        link_between(draft.nodes[path[i]], next), draft.nodes[next].definition->name);
  }
  return Error::make(ErrorKind::kConflict, "definitions wait for each other:{}", text)
      .hint(
          "let one of them do without the other, or take its package from stage 0 under another "
          "name");
}

/// Topological order; among those that may come next the least name.
Result<std::vector<std::size_t>> order(const Draft& draft, const std::set<std::size_t>& chosen) {
  std::vector<std::set<std::size_t>> hard(draft.nodes.size()), soft(draft.nodes.size());
  std::vector<std::vector<std::size_t>> users(draft.nodes.size());
  std::set<std::size_t> ready, possible, left = chosen;  // possible: only soft ones are missing.
  const auto sort_in = [&](std::size_t i) {
    if (!hard[i].empty()) return;
    (soft[i].empty() ? ready : possible).insert(i);
    if (soft[i].empty()) possible.erase(i);
  };
  for (const std::size_t i : chosen) {
    const Node& node = draft.nodes[i];
    hard[i] = node.hard;
    std::set_intersection(node.soft.begin(), node.soft.end(), chosen.begin(), chosen.end(),
                          std::inserter(soft[i], soft[i].end()));
    std::set<std::size_t> before = hard[i];
    before.insert(soft[i].begin(), soft[i].end());
    for (const std::size_t earlier : before) users[earlier].push_back(i);
    sort_in(i);
  }
  std::vector<std::size_t> out;
  while (!left.empty()) {
    std::set<std::size_t>& from = ready.empty() ? possible : ready;
    if (from.empty()) return cycle_error(draft, left);
    const std::size_t next = *from.begin();
    from.erase(from.begin());
    left.erase(next);
    out.push_back(next);
    for (const std::size_t user : users[next]) {
      hard[user].erase(next);
      soft[user].erase(next);
      if (left.contains(user)) sort_in(user);
    }
  }
  return out;
}

/// Names of source files that the last build did not have. One without SHA-256 is in the recipe
/// alone.
std::vector<std::string> new_sources(const definition::Definition& definition, const std::set<std::string>& had) {
  std::vector<std::string> out;
  for (const definition::Source& source : definition.sources) {
    if (source.sha256.empty() || had.contains(source.sha256) || had.contains("sha256:" + source.sha256)) continue;
    out.push_back(source.uri.substr(source.uri.rfind('/') + 1));
  }
  return out;
}

/// Why the definition must be built whatever becomes of others; empty when nothing is certain.
std::vector<std::string> certain_reasons(const Draft& draft, const Node& node) {
  const BuiltFrom* built = last_build(draft, node);
  if (built == nullptr) return {"never built"};
  std::vector<std::string> why;
  if (built->recipe != recipe_digest(*node.definition)) why.push_back("the definition changed");
  for (const std::string& file : new_sources(*node.definition, built->sources))
    why.push_back("source " + file + " is new");
  const auto beside = draft.input.side_files.find(node.definition->name);
  if (beside != draft.input.side_files.end() && !built->side_files.empty() && beside->second != built->side_files)
    why.push_back("a file beside the definition changed");
  for (const auto& [name, digest] : built->root) {
    if (node.from_stage0_alone) {
      const auto own = draft.input.stage0.find(name);
      if (own != draft.input.stage0.end()) {
        if (own->second != digest) why.push_back(name + " changed");
        continue;
      }
      if (draft.graph.maker_of(name) >= 0) continue;
    }
    const auto now = draft.input.contents.find(name);
    if (now == draft.input.contents.end()) why.push_back(name + " is no longer there");
    else if (now->second != digest) why.push_back(name + " changed");
  }
  return why;
}

/// A reason, and the definition whose step is behind it; none: its own.
struct Reason {
  std::string text, because_of;
};

/// Packages of its build root that may come out otherwise.
std::vector<Reason> possible_reasons(const Draft& draft, std::size_t index) {
  const Node& node = draft.nodes[index];
  const BuiltFrom* built = last_build(draft, node);
  if (node.from_stage0_alone || built == nullptr) return {};
  const auto moves = [&](std::size_t maker) {
    const auto action = draft.done.find(maker);
    return maker != index && action != draft.done.end() && action->second != Action::kKeep;
  };
  std::map<std::string, Reason> why;
  const auto may_change = [&](const std::string& name, std::size_t maker) {
    why[name] = {name + " may change", draft.nodes[maker].definition->name};
  };
  for (const auto& [name, member] : node.root) {
    if (moves(member.maker)) may_change(name, member.maker);
    else if (member.sure && draft.input.contents.contains(name) && !built->root.contains(name))
      why[name] = {name + " is new in its build root", {}};
  }
  for (const auto& [name, digest] : built->root) {
    const std::ptrdiff_t maker = draft.graph.maker_of(name);
    if (maker >= 0 && moves(static_cast<std::size_t>(maker))) may_change(name, static_cast<std::size_t>(maker));
  }
  std::vector<Reason> out;
  for (auto& [name, reason] : why) out.push_back(std::move(reason));
  return out;
}

}  // namespace

Result<Plan> make_plan(const PlanInput& input) {
  std::vector<const definition::Definition*> sorted;
  for (const definition::Definition& definition : input.definitions) sorted.push_back(&definition);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return std::tie(a->name, a->file) < std::tie(b->name, b->file); });
  Draft draft = TRY(make_draft(input, sorted));
  const std::set<std::size_t> chosen = TRY(wanted(draft));
  const std::vector<std::size_t> sequence = TRY(order(draft, chosen));
  Plan plan;
  for (const std::size_t index : sequence) {
    const Node& node = draft.nodes[index];
    PlannedStep step;
    step.name = node.definition->name;
    step.from_stage0_alone = node.from_stage0_alone;
    for (const std::size_t earlier : node.hard) step.after.push_back(draft.nodes[earlier].definition->name);
    step.why = certain_reasons(draft, node);
    step.because_of.resize(step.why.size());
    if (!step.why.empty()) step.action = Action::kBuild;
    if (step.action == Action::kKeep) {
      for (Reason& reason : possible_reasons(draft, index)) {
        step.why.push_back(std::move(reason.text));
        step.because_of.push_back(std::move(reason.because_of));
      }
      if (!step.why.empty()) step.action = Action::kMaybe;
    }
    draft.done[index] = step.action;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace nacre::plan
