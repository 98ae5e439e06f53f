#include "base/text.h"
#include "cli/graph_input.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "cli/workshop.h"

#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view name_of_action(plan::Action action) {
  switch (action) {
    case plan::Action::kKeep: return "keep";
    case plan::Action::kBuild: return "build";
    case plan::Action::kMaybe: return "maybe";
  }
  return "?";
}

/// The causes of a step, each below what it causes, down to what changed of itself. A definition is told once.
void explain(const plan::PlannedStep& step, const std::map<std::string, const plan::PlannedStep*>& steps,
             std::size_t depth, std::set<std::string>& told, std::string& out) {
  for (std::size_t i = 0; i < step.why.size(); ++i) {
    const std::string& cause = step.because_of[i];
    out += fmt::format("{:{}}because {}\n", "", 2 * depth, step.why[i]);
    const auto found = steps.find(cause);
    if (cause.empty() || found == steps.end()) continue;
    out += fmt::format("{:{}}{} {}{}\n", "", 2 * depth + 2, name_of_action(found->second->action), cause,
                       told.contains(cause) ? ": above" : "");
    if (told.insert(cause).second) explain(*found->second, steps, depth + 2, told, out);
  }
}

std::string render_explained(const plan::Plan& plan) {
  std::map<std::string, const plan::PlannedStep*> steps;
  for (const plan::PlannedStep& step : plan.steps) steps[step.name] = &step;
  std::string out;
  for (const plan::PlannedStep& step : plan.steps) {
    if (step.action == plan::Action::kKeep) continue;
    out += fmt::format("{} {}\n", name_of_action(step.action), step.name);
    std::set<std::string> told = {step.name};
    explain(step, steps, 1, told, out);
  }
  return out.empty() ? "nothing to build\n" : out;
}

Json to_json(const plan::Plan& plan) {
  Json steps = Json::array();
  for (const plan::PlannedStep& step : plan.steps) {
    Json row;
    row.set("definition", step.name).set("action", name_of_action(step.action));
    row.set("why", Json::strings(step.why))
        .set("becauseOf", Json::strings(step.because_of))
        .set("after", Json::strings(step.after));
    steps.push(row.set("fromStage0Alone", step.from_stage0_alone));
  }
  Json out;
  return out.set("steps", std::move(steps));
}

std::string render(const plan::Plan& plan) {
  std::string out;
  std::size_t kept = 0;
  for (const plan::PlannedStep& step : plan.steps) {
    if (step.action == plan::Action::kKeep) {
      ++kept;
      continue;
    }
    out += fmt::format("{:<6} {:<24} {}\n", name_of_action(step.action), step.name, join(step.why, "; "));
  }
  if (kept == plan.steps.size()) return fmt::format("nothing to build: {} definitions are as they were built\n", kept);
  return out + fmt::format("{} to keep\n", kept);
}

/// The named definitions, all that they are built with, and what is built with them directly; none named: everything.
Result<std::vector<plan::NodeId>> shown_of(const plan::BuildGraph& graph, const std::vector<std::string>& names) {
  std::set<plan::NodeId> shown;
  std::vector<plan::NodeId> open;
  for (const std::string& name : names) {
    const std::optional<plan::NodeId> node = graph.find(name);
    if (!node) {
      std::vector<std::string> known;
      for (plan::NodeId id = 0; id < graph.size(); ++id) known.push_back(graph.node(id).name);
      return Error::make(ErrorKind::kNotFound, "no definition makes a package '{}'", name)
          .hint(nearest_hint(name, known));
    }
    for (const plan::Edge& edge : graph.users(*node)) shown.insert(edge.user);
    shown.insert(*node);
    open.push_back(*node);
  }
  std::set<plan::NodeId> seen(open.begin(), open.end());
  while (!open.empty()) {
    const plan::NodeId node = open.back();
    open.pop_back();
    shown.insert(node);
    for (const plan::Edge& edge : graph.makers(node))
      if (seen.insert(edge.maker).second) open.push_back(edge.maker);
  }
  if (names.empty())
    for (plan::NodeId id = 0; id < graph.size(); ++id) shown.insert(id);
  return std::vector<plan::NodeId>(shown.begin(), shown.end());
}

Result<int> show_graph(const Arguments& arguments, Session& session) {
  const std::string form = arguments.text("--graph");
  if (form != "svg" && form != "dot" && form != "json")
    return Error::make(ErrorKind::kInvalid, "--graph is svg, dot or json, not '{}'", form);
  const plan::BuildGraph graph = TRY(read_graph(arguments, session));
  const std::vector<plan::NodeId> shown = TRY(shown_of(graph, arguments.list("DEFINITION")));
  if (form == "json") {
    std::vector<plan::GraphNode> nodes;
    for (const plan::NodeId id : shown) nodes.push_back(graph.node(id));
    session.print(codec::to_pretty_json(plan::to_json(nodes)));
  } else {
    session.print(form == "svg" ? draw_svg(graph, shown) : draw_dot(graph, shown));
  }
  return 0;
}

Result<int> run_plan(const Arguments& arguments, Session& session) {
  if (!arguments.text("--graph").empty()) return show_graph(arguments, session);
  for (const char* option : {"--graph-file", "--pipeline-dir", "--definitions"})
    if (!arguments.list(option).empty())
      return Error::make(ErrorKind::kInvalid,
                         "{} is for --graph: a plan is made of the distribution that is built here", option);
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  const plan::Plan plan = TRY(plan_builds(shop, arguments.list("DEFINITION")));
  session.print(session.json ? codec::to_pretty_json(to_json(plan))
                             : (arguments.flag("--explain") ? render_explained(plan) : render(plan)));
  return 0;
}

}  // namespace

Verb verb_plan() {
  Verb verb;
  verb.name = "plan";
  verb.summary = "what would be built, in which order, and why";
  verb.arguments = {{"DEFINITION", "only these and what they are built with", false, true, Completion::kPackage}};
  verb.options = {
      kArchOption,
      {"--explain", OptionType::kFlag, "", "", "each step with its causes, down to what changed", Completion::kNone},
      {"--graph", OptionType::kText, "FORM", "", "draw what is built with what instead: svg, dot or json",
       Completion::kNone}};
  for (Option& option : graph_options()) verb.options.push_back(std::move(option));
  verb.run = run_plan;
  return verb;
}

}  // namespace nacre::cli
