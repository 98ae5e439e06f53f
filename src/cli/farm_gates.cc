#include "cli/farm_gates.h"

#include "cli/delta_input.h"
#include "store/store.h"

#include <set>

namespace nacre::cli {
namespace {

/// The `gates:` block of a distribution's farm.yaml, or the defaults.
Result<farm::GatePolicy> load_gate_policy(const Path& os_dir) {
  const Path file = os_dir / "farm.yaml";
  std::string text;
  if (os::exists(file)) text = TRY(os::read_file(file));
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file.string()));
  return farm::read_gate_policy(tree, tree.root.find("gates"));
}

/// Definitions some of whose packages the candidate has with other bytes than the serial before.
std::set<std::string> new_builds(const index::Serial& candidate, const std::optional<index::Serial>& before) {
  std::set<Sha256> published;
  if (before)
    for (const index::SerialPackage& package : before->packages) published.insert(package.apk);
  std::set<std::string> out;
  for (const index::SerialPackage& package : candidate.packages)
    if (!published.contains(package.apk)) out.insert(package.record.origin);
  return out;
}

/// Builds all that is new a second time, in another root; what differs is a breach. Once for each build.
Result<farm::Heard> second_builds(Workshop& shop, const std::set<std::string>& definitions) {
  farm::Heard out = farm::Heard::nothing_wrong();
  Env& env = shop.env();
  const plan::Plan plan = TRY(plan_builds(shop, {}));
  for (const plan::PlannedStep& step : plan.steps) {
    const BuildOutcome known = TRY(build_definition(shop, step));  // fills the shelf for those that come after
    if (!definitions.contains(step.name)) continue;
    const std::string key = known.record.action_key.hex();
    const auto done = TRY(env.store.state().get("reproduced", key));
    if (done) continue;
    const auto second = reproduce(shop, known.record, step.from_stage0_alone, Edition::kCommunity);
    if (!second) {
      if (second.error().kind() != ErrorKind::kConflict)
        return Error::make(second.error().kind(), "{}", second.error().render());
      out.breaches.push_back({step.name, second.error().render()});
      continue;
    }
    TRY(env.store.state().put("reproduced", key, step.name));
  }
  return out;
}

/// What definitions with new packages change of upstream, against os/delta.yaml.
Result<farm::Heard> distance_from_upstream(Workshop& shop, const std::set<std::string>& definitions) {
  std::vector<std::string> names;
  for (const std::string& name : definitions)
    if (shop.os.find(name) != nullptr) names.push_back(name);
  if (names.empty()) return farm::Heard::nothing_wrong();
  const std::optional<std::vector<std::string>> lines = TRY(over_budget(shop, names));
  if (!lines) return farm::Heard::not_judged("no budget is set");
  return farm::Heard::of(*lines);
}

}  // namespace

Result<farm::GateReport> judge_candidate(const FlowReport& report, const Path& people, Session& session) {
  farm::GateInput input;
  input.before = report.before ? &*report.before : nullptr;
  input.candidate = &*report.candidate;
  input.policy = TRY(load_gate_policy(session.os_dir));
  input.folder = session.os_dir;
  input.people = people;
  input.tests = input.images = farm::Heard::nothing_wrong();  // the flow ends when one fails
  input.vulnerabilities = farm::Heard::not_judged("no vulnerability data is set up");
  Workshop shop = TRY(open_workshop(session, host_arch()));
  const std::set<std::string> changed = new_builds(*report.candidate, report.before);
  if (input.policy.asks(farm::Gate::kDelta)) input.delta = TRY(distance_from_upstream(shop, changed));
  if (input.policy.asks(farm::Gate::kReproducibility)) input.reproducibility = TRY(second_builds(shop, changed));
  return farm::run_gates(input, session.env);
}

}  // namespace nacre::cli
