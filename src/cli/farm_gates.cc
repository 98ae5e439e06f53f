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

bool has_data() { return !osv_folders({}).empty(); }

/// What is known of a serial's packages.
Result<advisory::ScanResult> scan_serial(const index::Serial& serial, const std::vector<advisory::Document>& advisories,
                                         Session& session) {
  const ScanTarget target = TRY(scan_target_of(serial, session));
  return scan({}, target, advisories, session);
}

/// Known vulnerabilities of what is new. A change is not refused for what it does not touch: that is seen by
/// `nacre scan`, and its mending release goes first.
Result<farm::Heard> known_vulnerabilities(const index::Serial& candidate, const std::set<std::string>& definitions,
                                          Session& session) {
  if (!has_data()) return farm::Heard::not_judged("NACRE_OSV names no data on vulnerabilities");
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  advisory::ScanResult found = TRY(scan_serial(candidate, advisories, session));
  std::erase_if(found.matches, [&](const advisory::Match& match) { return !definitions.contains(match.origin); });
  return farm::Heard::of(
      advisory::judge(found.matches, advisories, found.data_date, session.env.clock.now_seconds(), {}));
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
  if (!newest || !has_data()) return out;
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const advisory::ScanResult found = TRY(scan_serial(*newest, advisories, session));
  for (const advisory::Match& match : found.matches)
    if (match.counts() && match.fixable()) out.insert(match.origin);
  return out;
}

Result<std::size_t> close_advisories(const FlowReport& report, Session& session) {
  if (!report.before || !has_data()) return std::size_t{0};
  std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  if (advisories.empty()) return std::size_t{0};
  const advisory::ScanResult before = TRY(scan_serial(*report.before, advisories, session));
  const advisory::ScanResult after = TRY(scan_serial(*report.candidate, advisories, session));
  std::size_t count = 0;
  for (const index::SerialPackage& package : report.candidate->packages) {
    if (package.record.name != package.record.origin) continue;
    const std::vector<advisory::Closing> closings =
        advisory::close_fixed(advisories, package.record.name, package.record.version, before.matches, after.matches,
                              session.env.clock.now_seconds());
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

Result<farm::GateReport> judge_candidate(const FlowReport& report, const Path& people, Session& session) {
  farm::GateInput input;
  input.before = report.before ? &*report.before : nullptr;
  input.candidate = &*report.candidate;
  const codec::YamlTree rules = TRY(read_farm_yaml(session.os_dir));
  input.policy = TRY(farm::read_gate_policy(rules, rules.root.find("gates")));
  input.folder = session.os_dir;
  input.people = people;
  input.tests = input.images = farm::Heard::nothing_wrong();  // the flow ends when one fails
  Workshop shop = TRY(open_workshop(session, host_arch()));
  const std::set<std::string> changed = new_builds(*report.candidate, report.before);
  if (input.policy.asks(farm::Gate::kVulnerabilities))
    input.vulnerabilities = TRY(known_vulnerabilities(*report.candidate, changed, session));
  if (input.policy.asks(farm::Gate::kDelta)) input.delta = TRY(distance_from_upstream(shop, changed));
  if (input.policy.asks(farm::Gate::kReproducibility)) input.reproducibility = TRY(second_builds(shop, changed));
  return farm::run_gates(input, session.env);
}

}  // namespace nacre::cli
