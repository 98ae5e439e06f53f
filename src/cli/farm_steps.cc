#include "cli/farm_steps.h"

#include "apk/version.h"
#include "base/events.h"
#include "base/lines.h"
#include "base/text.h"
#include "build/fetch.h"
#include "cli/channel_tags.h"
#include "cli/farm_gates.h"
#include "cli/promotion.h"
#include "cli/proposals.h"
#include "cli/push.h"
#include "index/channels.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <fstream>
#include <set>

namespace nacre::cli {
namespace {

using farm::Cause;
using farm::Change;
using farm::Stage;
using farm::StepOutcome;
using Way = farm::StepOutcome::Way;

constexpr std::string_view kPublishedMain = "published-main";
constexpr const char* kView = "farm/view";  // a work tree of main as it is now, to read definitions from

/// What a change's steps say goes on, line by line, to its log.
class LogFile final : public Events {
 public:
  LogFile(Events& next, const Path& file) : next_(next), out_(file, std::ios::app) {}
  void emit(const Event& event) override {
    {
      const std::lock_guard lock(mutex_);
      switch (event.kind) {
        case EventKind::kStarted: out_ << "== " << event.name << '\n'; break;
        case EventKind::kOutput: out_ << event.detail << '\n'; break;
        case EventKind::kNote:
        case EventKind::kWarning: out_ << "-- " << event.detail << '\n'; break;
        case EventKind::kFinished:
          out_ << (event.failed ? "!! " : "== ") << event.name << ": " << event.detail << '\n';
          break;
        case EventKind::kProgress: return;
      }
      out_.flush();
    }
    next_.emit(event);
  }

 private:
  Events& next_;
  std::mutex mutex_;
  std::ofstream out_;
};

/// Definitions whose upstream is to be asked, and how often: as farm.yaml says, but not more often than the
/// definition's own `schedule:`.
std::vector<farm::Watched> watched(const Distribution& os, const farm::Policy& policy) {
  std::vector<farm::Watched> out;
  for (const definition::Definition& definition : os.definitions) {
    if (!definition.update.present || !definition.update.enabled) continue;
    farm::WatchRule rule = policy.watch_for(definition.name);
    const std::string& period = definition.update.schedule_period;
    const std::int64_t days = period == "daily" ? 1 : period == "weekly" ? 7 : period == "monthly" ? 30 : 0;
    rule.every_seconds = std::max(rule.every_seconds, days * 86400);
    out.push_back({definition.name, rule});
  }
  return out;
}

bool is_newer(const std::string& version, const std::string& than) {
  const auto order = apk::compare_versions(version, than);
  return order > 0;
}

/// "2 built, 1 cut off, 57 kept"
std::string summary_of(const FlowReport& report) {
  std::map<Made, int> count;
  for (const BuiltRow& row : report.built) ++count[row.made];
  const std::pair<Made, std::string_view> words[] = {{Made::kBuilt, "built"},
                                                     {Made::kSame, "built with the same bytes"},
                                                     {Made::kCutOff, "cut off"},
                                                     {Made::kKept, "kept"}};
  std::vector<std::string> parts;
  for (const auto& [made, word] : words)
    if (count[made] > 0) parts.push_back(fmt::format("{} {}", count[made], word));
  return join(parts, ", ");
}

/// The farm's own proposals stay one commit; what a person wrote is not rewritten.
farm::Repository::Amend amend_of(const Change& change) {
  return change.cause == Cause::kHand ? farm::Repository::Amend::kNo : farm::Repository::Amend::kYes;
}

std::string reason_of(const Change& change) {
  if (!change.to.empty()) return fmt::format("update {} {} -> {}", change.package, change.from, change.to);
  return change.package;
}

}  // namespace

Result<farm::Policy> load_policy(const Path& os_dir) {
  const codec::YamlTree tree = TRY(read_farm_yaml(os_dir));
  (void)TRY(farm::read_channel_gates(tree));  // a fault is found when it is proposed, not when a serial has soaked
  return farm::read_policy(tree);
}

Result<Farm> open_farm(FarmPlaces places, MustExist must_exist, Env& env) {
  const bool is_file = places.database.starts_with("sqlite:");
  if (must_exist == MustExist::kYes && is_file && !os::exists(places.database.substr(7)))
    return Error::make(ErrorKind::kNotFound, "no farm has run here yet: there is no '{}'", places.database.substr(7))
        .hint("`nacre farm run --once` looks for changes and does what they need");
  TRY(os::make_dirs(places.folder / "logs"));
  std::unique_ptr<farm::Ledger> ledger = TRY(farm::Ledger::open(places.database, env.clock));
  farm::Schedule schedule = TRY(farm::Schedule::open(ledger->database(), env.clock));
  return Farm{std::move(places), std::move(ledger), schedule};
}

Result<std::unique_ptr<FarmSteps>> FarmSteps::open(Farm& farm, Session& session) {
  const FarmPlaces& places = farm.places;
  if (places.repository == places.folder / "definitions.git")
    TRY(farm::Repository::ensure(places.repository, places.branch, session.os_dir, session.env));
  farm::Repository repository =
      TRY(farm::Repository::open(places.repository, places.branch, places.folder / "trees", session.env));
  return std::unique_ptr<FarmSteps>(new FarmSteps(farm, std::move(repository), session));
}

Result<os::FileLock> FarmSteps::own_repository() {
  Result<os::FileLock> lease = wait_for_lease("farm/repository", session_.env);
  if (lease) repository_.clear_leftovers();
  return lease;
}

std::string FarmSteps::registry_of(const farm::Policy& policy) const {
  return farm_.places.registry.empty() ? policy.registry : farm_.places.registry;
}

std::string FarmSteps::branch_of(const Change& change) const {
  std::string name = change.package;
  for (char& letter : name)
    if ((std::isalnum(static_cast<unsigned char>(letter)) == 0) && letter != '-' && letter != '.') letter = '-';
  return fmt::format("farm/{}-{}{}{}", change.id, name.substr(0, 60), change.to.empty() ? "" : "-", change.to);
}

Result<Path> FarmSteps::tree_of(const Change& change) {
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  return repository_.check_out(change.branch, change.commit);
}

// ---- look

Result<Path> FarmSteps::view_of_main() {
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  const std::string head = TRY(repository_.head(repository_.main()));
  const auto view = repository_.head(kView);
  if (!view || *view != head) TRY(repository_.remove(kView));
  return repository_.check_out(kView, head);
}

Result<int> FarmSteps::look(std::stop_token stop) {
  const Path tree = TRY(view_of_main());
  Env env{session_.env.processes, session_.env.clock, session_.env.http, session_.env.store, session_.env.events, stop};
  Session session{env,  session_.signer,  session_.sandbox,    session_.home,
                  tree, session_.program, session_.builder_id, session_.json};
  int added = TRY(look_at_main());
  added += TRY(look_at_branches());
  const Distribution os = TRY(load_distribution(tree, host_arch()), "reading branch '{}'", repository_.main());
  const farm::Policy policy = TRY(load_policy(tree));
  watched_ = watched(os, policy);
  added += TRY(look_upstream(session, os));
  TRY(follow_stable(session, policy));  // what soaks becomes due without any change
  TRY(follow_tags(session, policy));
  return added;
}

Result<std::int64_t> FarmSteps::next_look() {
  // People push when they like: a minute is soon enough for them, and cheap.
  const std::int64_t minute = session_.env.clock.now_seconds() + 60;
  const std::int64_t upstream = TRY(farm_.schedule.next_due(watched_));
  return std::min(minute, upstream);
}

Result<int> FarmSteps::look_at_main() {
  const std::string head = TRY(repository_.head(repository_.main()));
  const std::optional<std::string> published = TRY(farm_.ledger->note(std::string(kPublishedMain)));
  if (published && *published == head) return 0;
  const std::vector<Change> live = TRY(farm_.ledger->list(farm::Ledger::Which::kLive));
  for (const Change& change : live) {
    const Result<std::string> branch = repository_.head(change.branch);
    if (change.commit == head || (branch && *branch == head)) return 0;  // merged, and about to be published
  }
  Change change;
  const std::string subject = TRY(repository_.subject(head));
  change.package = published ? subject : "the distribution";
  change.cause = Cause::kHand;
  change.stage = Stage::kSeen;
  change.commit = head;
  const std::optional<Change> added = TRY(farm_.ledger->add(change));
  return added ? 1 : 0;
}

Result<int> FarmSteps::look_at_branches() {
  int count = 0;
  const std::vector<farm::Branch> branches = TRY(repository_.unmerged("change/"));
  for (const farm::Branch& branch : branches) {
    Change change;
    change.package = branch.name;
    change.cause = Cause::kHand;
    change.commit = branch.commit;
    const std::optional<Change> added = TRY(farm_.ledger->add(change));
    count += added ? 1 : 0;
  }
  return count;
}

Result<int> FarmSteps::look_upstream(Session& session, const Distribution& os) {
  const std::vector<farm::Watched> due = TRY(farm_.schedule.due(watched_));
  if (due.empty()) return 0;
  Task task(session.env.events, "ask upstream");
  const watch::Feeds feeds = watch::feeds_of_machine(session.env);
  std::optional<std::set<std::string>> vulnerable;  // asked for when something is newer
  std::vector<const definition::Definition*> definitions;
  for (const farm::Watched& each : due) definitions.push_back(os.find(each.definition));
  const std::vector<Result<watch::Observation>> answers =
      watch::observe_all(definitions, feeds, os.sources, session.env, task);
  int count = 0;
  for (std::size_t i = 0; i < due.size() && !session.env.stop.stop_requested(); ++i) {
    const auto& [name, rule] = due[i];
    const definition::Definition& definition = *definitions[i];
    const Result<watch::Observation>& seen = answers[i];
    if (!seen) {
      TRY(farm_.schedule.failed(name, first_line(seen.error().render()), rule));
      continue;
    }
    const watch::Release newest = seen->releases.empty() ? watch::Release{} : seen->releases.front();
    const farm::Upstream upstream =
        TRY(farm_.schedule.answered(name, newest.version, std::string(watch::name_of(seen->feed)), rule));
    if (newest.version.empty() || !is_newer(newest.version, definition.version)) continue;
    if (!vulnerable) vulnerable = TRY(vulnerable_definitions(session));
    Change change;
    change.package = name;
    change.from = definition.version;
    change.to = newest.version;
    if (vulnerable->contains(name)) change.cause = Cause::kSecurity;
    if (definition.update.manual) change.state = farm::State::kHeld;  // a person decides: `nacre farm release`
    if (change.cause != Cause::kSecurity)
      change.not_before =
          farm::cooldown_until(rule, newest.published, upstream.newest_seen, session.env.clock.now_seconds());
    const std::optional<Change> added = TRY(farm_.ledger->add(change));
    count += added ? 1 : 0;
  }
  task.finish(fmt::format("{} of {} definitions, {} newer", due.size(), os.definitions.size(), count));
  return count;
}

// ---- advance

Result<StepOutcome> FarmSteps::advance(Change& change, Stage stage, std::stop_token stop) {
  change.log = fmt::format("{}.log", change.id);
  LogFile log(session_.env.events, farm_.places.folder / "logs" / change.log);
  Env env{session_.env.processes, session_.env.clock, session_.env.http, session_.env.store, log, stop};
  Session session{env,
                  session_.signer,
                  session_.sandbox,
                  session_.home,
                  session_.os_dir,
                  session_.program,
                  session_.builder_id,
                  session_.json};
  switch (stage) {
    case Stage::kSeen: return StepOutcome{};
    case Stage::kProposed: return change.to.empty() ? take_over(change) : propose(change, session);
    case Stage::kFetched: return fetch(change, session);
    case Stage::kBuilt: return flow(change, FlowOptions::Until::kBuilt, session);
    case Stage::kTested: return flow(change, FlowOptions::Until::kTested, session);
    case Stage::kGated: return gate(change, session);
    case Stage::kPublished: return publish(change, session);
    case Stage::kImaged: return push(change, session);
    case Stage::kPromoted: return promote(session);
  }
  return StepOutcome{};
}

Result<StepOutcome> FarmSteps::propose(Change& change, Session& session) {
  Path tree;
  {
    const std::lock_guard lock(mutex_);
    const os::FileLock lease = TRY(own_repository());
    const std::string head = TRY(repository_.head(repository_.main()));
    change.branch = branch_of(change);
    TRY(repository_.remove(change.branch));
    tree = TRY(repository_.check_out(change.branch, head));
  }
  session.os_dir = tree;
  Workshop shop = TRY(open_workshop(session, host_arch()));
  const definition::Definition* definition = shop.os.find(change.package);
  if (definition == nullptr) return StepOutcome{Way::kDrop, {}, "the definition is gone"};
  const watch::Feeds feeds = watch::feeds_of_machine(session.env);
  const watch::Observation seen = TRY(watch::observe(*definition, feeds, shop.os.sources, session.env));
  std::string why_not;
  const std::optional<watch::Proposal> proposal =
      TRY(watch::propose(*definition, seen, shop.os.sources, feeds, shop.places, session.env, &why_not));
  if (!proposal) return StepOutcome{Way::kDrop, {}, why_not};
  TRY(apply_proposal(*proposal, shop));
  change.from = proposal->from;
  change.to = proposal->to;
  std::string message = fmt::format("{}: update {} to {}\n\nSeen at {}.", change.package, proposal->from, proposal->to,
                                    watch::name_of(proposal->feed));
  for (const watch::Dropped& dropped : proposal->dropped)
    message += fmt::format("\nDropped {}: {}.", dropped.name, dropped.why);
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  change.commit = TRY(repository_.commit(change.branch, message, farm::Repository::Amend::kNo));
  return StepOutcome{Way::kOn, {}, fmt::format("branch {}", change.branch)};
}

/// A change by hand gets a branch of the farm's own at its commit, on top of main as it is now.
Result<StepOutcome> FarmSteps::take_over(Change& change) {
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  change.branch = branch_of(change);
  TRY(repository_.remove(change.branch));
  TRY(repository_.check_out(change.branch, change.commit));
  TRY(repository_.rebase(change.branch));
  return StepOutcome{Way::kOn, {}, fmt::format("branch {}", change.branch)};
}

Result<StepOutcome> FarmSteps::fetch(Change& change, Session& session) {
  session.os_dir = TRY(tree_of(change));
  Workshop shop = TRY(open_workshop(session, host_arch()));
  std::size_t sources = 0;
  for (const definition::Definition& definition : shop.os.definitions) {
    const auto fetched = TRY(build::fetch_sources(definition, shop.os.sources, shop.places, session.env));
    sources += fetched.size();
  }
  return StepOutcome{Way::kOn, {}, fmt::format("{} sources", sources)};
}

Result<Workshop> FarmSteps::open_shop(const Change& change, Session& session) {
  session.os_dir = TRY(tree_of(change));
  return open_workshop(session, host_arch());
}

Result<FlowReport> FarmSteps::run(const Change& change, const FlowOptions& options, Workshop& shop) {
  FlowReport report = TRY(run_flow(shop, options));
  // Epochs that the flow wrote.
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  TRY(repository_.commit(change.branch, "next epochs of what is built anew", amend_of(change)));
  return report;
}

Result<StepOutcome> FarmSteps::flow(Change& change, FlowOptions::Until until, Session& session) {
  FlowOptions options;
  options.until = until;
  Workshop shop = TRY(open_shop(change, session));
  const FlowReport report = TRY(run(change, options, shop));
  if (until == FlowOptions::Until::kBuilt) return StepOutcome{Way::kOn, {}, summary_of(report)};
  return StepOutcome{
      Way::kOn, {}, fmt::format("{} tests passed, {} had passed before", report.tests.ran, report.tests.known)};
}

Result<StepOutcome> FarmSteps::gate(Change& change, Session& session) {
  FlowOptions options;
  options.until = FlowOptions::Until::kComposed;
  Workshop shop = TRY(open_shop(change, session));
  const FlowReport report = TRY(run(change, options, shop));
  // Who brings a waiver must not bring the key for it: people's keys are those of main.
  const Path main = TRY(view_of_main());
  Judgement judgement = TRY(judge_candidate(report, main / "keys" / "people", shop));
  const farm::GateReport& judged = judgement.gates;
  TRY(os::write_file(farm_.places.folder / "logs" / fmt::format("{}.gates.json", change.id),
                     codec::to_pretty_json(farm::to_json(judged))));
  session.env.events.emit({EventKind::kNote, 0, 0, "gates", farm::render(judged)});
  if (judged.refused())
    return Error::make(ErrorKind::kDenied, "the gates refuse it:\n  {}", join(farm::refusals(judged), "\n  "))
        .hint("mend it, or let a person waive it (nacre farm waive --help)");
  std::size_t closed = 0;
  if (judgement.known) closed = TRY(close_advisories(report, *std::move(judgement.known), session));
  if (closed > 0) {
    const std::lock_guard lock(mutex_);
    const os::FileLock lease = TRY(own_repository());
    TRY(repository_.commit(change.branch, "advisories that this closes", amend_of(change)));
  }
  return StepOutcome{Way::kOn,
                     {},
                     fmt::format("{} images, {} verdicts, {} waived", report.images.size(), judged.verdicts.size(),
                                 judged.count(farm::GateState::kWaived))};
}

Result<StepOutcome> FarmSteps::publish(Change& change, Session& session) {
  const Path tree = TRY(tree_of(change));
  const farm::Policy policy = TRY(load_policy(tree));
  if (policy.merge_for(change.package) == farm::Merge::kApprove && change.approved_by.empty())
    return StepOutcome{Way::kApproval, {}, "green; farm.yaml wants a person's approval"};
  std::string commit;
  {
    const std::lock_guard lock(mutex_);
    const os::FileLock lease = TRY(own_repository());
    const std::string head = TRY(repository_.head(repository_.main()));
    commit = TRY(repository_.head(change.branch));
    const bool merged = TRY(repository_.contains(repository_.main(), commit));
    const bool on_top = TRY(repository_.contains(change.branch, head));
    if (!merged && !on_top)
      return StepOutcome{Way::kBack, Stage::kSeen, fmt::format("{} moved meanwhile", repository_.main())};
    if (!merged) TRY(repository_.advance_main(head, commit));
  }
  FlowOptions options;
  options.reason = reason_of(change);
  Workshop shop = TRY(open_shop(change, session));
  const FlowReport report = TRY(run(change, options, shop));
  TRY(farm_.ledger->set_note(std::string(kPublishedMain), commit));
  change.serial = report.serial;
  if (!report.published) return StepOutcome{Way::kOn, {}, fmt::format("serial {} holds all of it", report.serial)};
  return StepOutcome{Way::kOn, {}, fmt::format("serial {}", report.serial)};
}

Result<StepOutcome> FarmSteps::push(Change& change, Session& session) {
  const index::Serial serial = TRY(index::load_serial(session.env, Edition::kCommunity, change.serial));
  TRY(refresh_layout(serial, session));
  const Path tree = TRY(tree_of(change));
  const farm::Policy policy = TRY(load_policy(tree));
  const std::string registry = registry_of(policy);
  if (registry.empty()) return StepOutcome{Way::kOn, {}, fmt::format("{} images, no registry", serial.images.size())};
  const std::size_t count = TRY(push_serial(serial, registry, session));
  return StepOutcome{Way::kOn, {}, fmt::format("{} images pushed", count)};
}

Result<StepOutcome> FarmSteps::promote(Session& session) {
  const std::optional<index::Channel> edge = TRY(index::follow_edge(session.env, Edition::kCommunity));
  const std::string where = !edge ? std::string("nothing is published")
                            : edge->pinned.empty()
                                ? fmt::format("edge is serial {}", edge->serial)
                                : fmt::format("edge stays at serial {}: {}", edge->serial, edge->pinned);
  session.os_dir = TRY(view_of_main());
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  const std::string stable = TRY(follow_stable(session, policy));
  if (const std::string registry = registry_of(policy); !registry.empty())
    (void)TRY(move_tags(registry, Edition::kCommunity, session));
  return StepOutcome{Way::kOn, {}, stable.empty() ? where : where + ", " + stable};
}

/// Moves `stable` to the newest serial that has soaked on edge; says so when it moved.
Result<std::string> FarmSteps::follow_stable(Session& session, const farm::Policy& policy) {
  TRY(note_soak(session.env, Edition::kCommunity, index::kStable, policy.stable_soak_seconds));
  const std::optional<index::FollowReport> report =
      TRY(follow_soaked(session, Edition::kCommunity, index::kStable, policy.stable_soak_seconds));
  if (!report || !report->moved()) return std::string();
  return fmt::format("stable is serial {}", report->channel.serial);
}

/// Tags of channels that people moved, or that a crash left behind. A registry that is down stops nothing: the next
/// look asks it again.
Result<> FarmSteps::follow_tags(Session& session, const farm::Policy& policy) {
  const std::string registry = registry_of(policy);
  TRY(note_registry(session.env, Edition::kCommunity, registry));
  if (registry.empty()) return {};
  const auto moved = move_tags(registry, Edition::kCommunity, session);
  if (!moved && session.env.stop.stop_requested()) return {};
  if (!moved) session.env.events.emit({EventKind::kWarning, 0, 0, "move tags", moved.error().render()});
  return {};
}

Result<> FarmSteps::settle(const Change& change) {
  const std::lock_guard lock(mutex_);
  const os::FileLock lease = TRY(own_repository());
  if (change.branch.empty()) return {};
  // A person's branch that was taken in is merged; one that moved on since is a new change.
  if (change.package.starts_with("change/")) {
    const auto head = repository_.head(change.package);
    if (head && *head == change.commit) TRY(repository_.remove(change.package));
  }
  return repository_.remove(change.branch);
}

}  // namespace nacre::cli
