#include "cli/farm_gates.h"

#include "advisory/edit.h"
#include "advisory/judge.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/delta_input.h"
#include "cli/kept.h"
#include "cli/scan_input.h"
#include "cli/streams.h"
#include "codec/digest.h"
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

/// What definitions with new packages change of upstream, against the delta.yaml of `rules`.
Result<farm::Heard> distance_from_upstream(Workshop& shop, const Path& rules,
                                           const std::set<std::string>& definitions) {
  std::vector<std::string> names;
  for (const std::string& name : definitions)
    if (shop.os.find(name) != nullptr) names.push_back(name);
  if (names.empty()) return farm::Heard::nothing_wrong();
  const std::optional<std::vector<std::string>> lines = TRY(over_budget(shop, rules, names));
  if (!lines) return farm::Heard::not_judged("no budget is set");
  return farm::Heard::of(*lines);
}

/// State: the date of the data on vulnerabilities that was there last.
constexpr std::string_view kDataKind = "vulnerability-data", kDataKey = "osv";
/// State: an image test that failed for a channel: digest of image and script -> time, words. It is not run again at
/// each look.
constexpr std::string_view kFailedKind = "channel-image-failed";
constexpr std::int64_t kFailedSeconds = 3600;

/// Nothing when NACRE_OSV names no data.
Result<std::optional<KnownVulnerabilities>> known_of(const index::Serial& serial, Session& session) {
  if (osv_folders({}).empty()) return std::optional<KnownVulnerabilities>();
  KnownVulnerabilities out;
  out.advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const ScanTarget target = TRY(scan_target_of(serial, session));
  out.found = TRY(scan({}, target, out.advisories, session));
  TRY(put_new(session.env.store.state(), kDataKind, kDataKey, os::rfc3339(out.found.data_date)));
  return std::optional(std::move(out));
}

/// That there is no data: a breach where the policy wants data, or where there was some before, since what is not asked
/// any more looks as if nothing were known.
Result<farm::Heard> without_data(farm::NeedsData needs, Env& env) {
  const std::optional<std::string> last = TRY(env.store.state().get(kDataKind, kDataKey));
  std::string words = "NACRE_OSV names no data on vulnerabilities";
  const bool refused =
      needs == farm::NeedsData::kAlways || (needs == farm::NeedsData::kOnceThere && last.has_value());
  if (!refused) return farm::Heard::not_judged(words);
  if (needs == farm::NeedsData::kAlways) words += ", and farm.yaml says that it is required";
  else words += fmt::format(", and there was some, of {}", *last);
  words += "; name it, or say `vulnerabilities: {data: optional}` among the gates";
  farm::Heard out = farm::Heard::nothing_wrong();
  out.breaches.push_back({{}, std::move(words)});
  return out;
}

/// Known vulnerabilities of these definitions; of all when there are none given.
Result<farm::Heard> heard_of(const std::optional<KnownVulnerabilities>& known, const std::set<std::string>* definitions,
                             const farm::GatePolicy& policy, Env& env) {
  if (!known) return without_data(policy.vulnerability_data, env);
  std::vector<advisory::Match> matches = known->found.matches;
  if (definitions != nullptr)
    std::erase_if(matches, [&](const advisory::Match& match) { return !definitions->contains(match.origin); });
  advisory::Policy rules;
  rules.max_age_seconds = policy.vulnerability_age_seconds;
  return farm::Heard::of(
      advisory::judge(matches, known->advisories, known->found.data_date, env.clock.now_seconds(), rules));
}

/// The tests of a serial's images, as they stand beside the definitions now, after the images that the channel names.
Result<farm::Heard> test_images(const std::optional<index::Serial>& before, const index::Serial& serial,
                                Session& session) {
  farm::Heard out = farm::Heard::nothing_wrong();
  store::State& state = session.env.store.state();
  const std::int64_t now = session.env.clock.now_seconds();
  for (const index::SerialImage& image : serial.images) {
    const Path script = session.os_dir / "images" / (image.name + ".test.sh");
    if (!os::exists(script)) continue;
    const std::string text = TRY(os::read_file(script));
    const std::string key = fmt::format("{} {}", image.index_digest.hex(), codec::sha256(text).hex());
    const std::optional<std::string> failed = TRY(state.get(kFailedKind, key));
    if (failed) {
      const std::size_t end = std::min(failed->find('\n'), failed->size());
      const auto since = whole_number<std::int64_t>(std::string_view(*failed).substr(0, end));
      if (since && *since <= now && now - *since < kFailedSeconds) {
        out.breaches.push_back({image.name, failed->substr(std::min(end + 1, failed->size()))});
        continue;
      }
    }
    std::optional<index::SerialImage> old;
    if (before)
      for (const index::SerialImage& each : before->images)
        if (each.name == image.name) old = each;
    const Result<> tested = test_image(session, session.os_dir, image, old);
    if (tested) continue;
    if (tested.error().kind() != ErrorKind::kInvalid || session.env.stop.stop_requested())
      return Error::make(tested.error().kind(), "{}", tested.error().render());
    const std::string words = join(split(tested.error().render(), '\n'), "; ");
    TRY(state.put(kFailedKind, key, fmt::format("{}\n{}", now, words)));
    out.breaches.push_back({image.name, words});
  }
  return out;
}

/// farm.yaml's gates and delta.yaml of a directory.
Result<farm::GatePolicy> read_rules(const Path& folder) {
  TRY(read_budgets(folder));
  const codec::YamlTree tree = TRY(read_farm_yaml(folder));
  return farm::read_gate_policy(tree, tree.root.find("gates"));
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
  if (before) {
    const auto ended = TRY(ended_in(*before, session.os_dir, session.env.clock));
    for (const auto& [package, definition] : ended) input.ended.insert(package);
  }
  if (input.policy.asks(farm::Gate::kImages)) input.images = TRY(test_images(before, serial, session));
  if (input.policy.asks(farm::Gate::kVulnerabilities)) {
    const std::optional<KnownVulnerabilities> known = TRY(known_of(serial, session));
    input.vulnerabilities = TRY(heard_of(known, nullptr, input.policy, session.env));
  }
  return farm::run_gates(input, session.env);
}

Result<Judgement> judge_candidate(const FlowReport& report, const Path& rules, Workshop& shop) {
  farm::GateInput input;
  input.before = report.before ? &*report.before : nullptr;
  input.candidate = &*report.candidate;
  input.policy = TRY(read_rules(rules));
  TRY(read_rules(shop.os.folder));
  input.folder = shop.os.folder;
  input.people = rules / "keys" / "people";
  if (report.before) {
    const auto ended = TRY(ended_in(*report.before, shop.os.folder, shop.env().clock));
    for (const auto& [package, definition] : ended) input.ended.insert(package);
  }
  input.tests = input.images = farm::Heard::nothing_wrong();  // the flow ends when one fails
  Judgement out;
  out.known = TRY(known_of(*report.candidate, shop.session));
  const std::set<std::string> changed = new_builds(*report.candidate, report.before);
  // A change is not refused for what it does not touch: that is seen by `nacre scan`, and its mending release goes
  // first.
  if (input.policy.asks(farm::Gate::kVulnerabilities))
    input.vulnerabilities = TRY(heard_of(out.known, &changed, input.policy, shop.env()));
  if (input.policy.asks(farm::Gate::kDelta)) input.delta = TRY(distance_from_upstream(shop, rules, changed));
  if (input.policy.asks(farm::Gate::kReproducibility)) input.reproducibility = TRY(second_builds(shop, changed));
  out.gates = TRY(farm::run_gates(input, shop.env()));
  return out;
}

}  // namespace nacre::cli
