#include "base/text.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "cli/workshop.h"

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

Json to_json(const plan::Plan& plan) {
  Json steps = Json::array();
  for (const plan::PlannedStep& step : plan.steps) {
    Json row;
    row.set("definition", step.name).set("action", name_of_action(step.action));
    row.set("why", Json::strings(step.why)).set("after", Json::strings(step.after));
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

Result<int> run_plan(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop = TRY(open_workshop(session, arch));
  const plan::Plan plan = TRY(plan_builds(shop, arguments.list("DEFINITION")));
  session.print(session.json ? codec::to_pretty_json(to_json(plan)) : render(plan));
  return 0;
}

}  // namespace

Verb verb_plan() {
  Verb verb;
  verb.name = "plan";
  verb.summary = "what would be built, in which order, and why";
  verb.arguments = {{"DEFINITION", "only these and what they are built with", false, true, Completion::kPackage}};
  verb.options = {kArchOption};
  verb.run = run_plan;
  return verb;
}

}  // namespace nacre::cli
