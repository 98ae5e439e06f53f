#include "cli/farm_gates.h"

#include "advisory/edit.h"
#include "advisory/judge.h"
#include "cli/delta_input.h"
#include "cli/scan_input.h"
#include "os/clock.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

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

/// Nothing when NACRE_OSV names no data.
Result<std::optional<KnownVulnerabilities>> known_of(const index::Serial& serial, Session& session) {
  if (osv_folders({}).empty()) return std::optional<KnownVulnerabilities>();
  KnownVulnerabilities out;
  out.advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const ScanTarget target = TRY(scan_target_of(serial, session));
  out.found = TRY(scan({}, target, out.advisories, session));
  return std::optional(std::move(out));
}

/// Known vulnerabilities of these definitions; of all when there are none given.
farm::Heard heard_of(const std::optional<KnownVulnerabilities>& known, const std::set<std::string>* definitions,
                     Env& env) {
  if (!known) return farm::Heard::not_judged("NACRE_OSV names no data on vulnerabilities");
  std::vector<advisory::Match> matches = known->found.matches;
  if (definitions != nullptr)
    std::erase_if(matches, [&](const advisory::Match& match) { return !definitions->contains(match.origin); });
  return farm::Heard::of(
      advisory::judge(matches, known->advisories, known->found.data_date, env.clock.now_seconds(), {}));
}

}  // namespace

Result<codec::YamlTree> read_farm_yaml(const Path& os_dir) {
  const Path file = os_dir / "farm.yaml";
  std::string text;
  if (os::exists(file)) text = TRY(os::read_file(file));
  return codec::parse_yaml(std::move(text), file.string());
}

Result<std::set<std::string>> vulnerable_definitions(Session& session) {
  std::set<std::string> out;
  const std::optional<index::Serial> newest = TRY(index::head(session.env, Edition::kCommunity));
  if (!newest) return out;
  const std::optional<KnownVulnerabilities> known = TRY(known_of(*newest, session));
  if (!known) return out;
  for (const advisory::Match& match : known->found.matches)
    if (match.counts() && match.fixable()) out.insert(match.origin);
  return out;
}

Result<std::size_t> close_advisories(const FlowReport& report, KnownVulnerabilities known, Session& session) {
  std::vector<advisory::Document>& advisories = known.advisories;
  if (!report.before || advisories.empty()) return std::size_t{0};
  const ScanTarget target = TRY(scan_target_of(*report.before, session));
  const advisory::ScanResult before = TRY(scan({}, target, advisories, session));
  std::size_t count = 0;
  for (const index::SerialPackage& package : report.candidate->packages) {
    if (package.record.name != package.record.origin) continue;
    const std::vector<advisory::Closing> closings =
        advisory::close_fixed(advisories, package.record.name, package.record.version, before.matches,
                              known.found.matches, session.env.clock.now_seconds());
    for (const advisory::Closing& closing : closings) {
      for (advisory::Document& document : advisories) {
        if (document.package != closing.package) continue;
        const std::string text = TRY(advisory::append_event(document, closing.advisory, closing.event));
        TRY(os::write_file(document.file, text));
        document = TRY(advisory::read_document(text, document.file));
        ++count;
      }
    }
  }
  return count;
}

Result<farm::GateReport> judge_promotion(const std::optional<index::Serial>& before, const index::Serial& serial,
                                         Session& session) {
  farm::GateInput input;
  input.before = before ? &*before : nullptr;
  input.candidate = &serial;
  const codec::YamlTree rules = TRY(read_farm_yaml(session.os_dir));
  input.policy = TRY(farm::read_channel_gates(rules));
  input.folder = session.os_dir;
  input.images = farm::Heard::nothing_wrong();  // tested before it was published
  if (input.policy.asks(farm::Gate::kVulnerabilities)) {
    const std::optional<KnownVulnerabilities> known = TRY(known_of(serial, session));
    input.vulnerabilities = heard_of(known, nullptr, session.env);
  }
  return farm::run_gates(input, session.env);
}

Result<Judgement> judge_candidate(const FlowReport& report, const Path& people, Workshop& shop) {
  farm::GateInput input;
  input.before = report.before ? &*report.before : nullptr;
  input.candidate = &*report.candidate;
  const codec::YamlTree rules = TRY(read_farm_yaml(shop.os.folder));
  input.policy = TRY(farm::read_gate_policy(rules, rules.root.find("gates")));
  input.folder = shop.os.folder;
  input.people = people;
  input.tests = input.images = farm::Heard::nothing_wrong();  // the flow ends when one fails
  Judgement out;
  out.known = TRY(known_of(*report.candidate, shop.session));
  const std::set<std::string> changed = new_builds(*report.candidate, report.before);
  // A change is not refused for what it does not touch: that is seen by `nacre scan`, and its mending release goes
  // first.
  if (input.policy.asks(farm::Gate::kVulnerabilities))
    input.vulnerabilities = heard_of(out.known, &changed, shop.env());
  if (input.policy.asks(farm::Gate::kDelta)) input.delta = TRY(distance_from_upstream(shop, changed));
  if (input.policy.asks(farm::Gate::kReproducibility)) input.reproducibility = TRY(second_builds(shop, changed));
  out.gates = TRY(farm::run_gates(input, shop.env()));
  return out;
}

}  // namespace nacre::cli
