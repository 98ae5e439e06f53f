#include "cli/farm_steps.h"

#include "apk/version.h"
#include "base/events.h"
#include "base/lines.h"
#include "base/number.h"
#include "base/text.h"
#include "build/fetch.h"
#include "cli/channel_tags.h"
#include "cli/cut_off.h"
#include "cli/farm_gates.h"
#include "cli/promotion.h"
#include "cli/proposals.h"
#include "cli/push.h"
#include "cli/streams.h"
#include "codec/digest.h"
#include "index/channels.h"
#include "os/clock.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using farm::Cause;
using farm::Change;
using farm::Stage;
using farm::StepOutcome;
using Way = farm::StepOutcome::Way;

// Notes of the ledger: the commit of main that was published last, and that a change was made of last.
constexpr std::string_view kPublishedMain = "published-main", kSeenMain = "seen-main";
constexpr const char* kView = "farm/view";  // a work tree of main as it is now, to read definitions from

/// A branch can be checked out by one control plane only: in a repository that several may share, each has its own.
std::string view_name(const FarmPlaces& places) {
  if (places.repository == places.folder / "definitions.git") return kView;
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  const Sha256 whose = codec::sha256(fmt::format("{} {}", host, places.folder.string()));
  return fmt::format("{}-{}", kView, whose.hex().substr(0, 8));
}

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

/// Rules for definitions that are not there: a typing error in `merge:` lets pass what a person was to look at.
void warn_of_unknown(const Distribution& os, const farm::Policy& policy, Events& events) {
  std::vector<std::string> known;
  for (const definition::Definition& definition : os.definitions) known.push_back(definition.name);
  const auto warn = [&](const std::string& block, const std::string& name) {
    if (os.find(name) != nullptr) return;
    const std::string near = nearest_hint(name, known);
    events.emit({EventKind::kWarning, 0, 0, "farm.yaml",
                 fmt::format("farm.yaml has a rule under `{}: packages:` for '{}', and there is no such definition{}",
                             block, name, near.empty() ? "" : "; " + near)});
  };
  for (const auto& [name, rule] : policy.watch_of) warn("watch", name);
  for (const auto& [name, rule] : policy.merge_of) warn("merge", name);
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
                                                     {Made::kPostponed, "postponed"},
                                                     {Made::kKept, "kept"}};
  std::vector<std::string> parts;
  for (const auto& [made, word] : words)
    if (count[made] > 0) parts.push_back(fmt::format("{} {}", count[made], word));
  return join(parts, ", ");
}

/// Whether it is a branch that a person pushed.
bool is_branch(const Change& change) { return change.to.empty() && change.package.starts_with("change/"); }

/// The farm's own proposals stay one commit; what a person wrote is not rewritten.
farm::Repository::Amend amend_of(const Change& change) {
  return change.to.empty() ? farm::Repository::Amend::kNo : farm::Repository::Amend::kYes;
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

Result<store::Lease> FarmSteps::own_repository() {
  Result<store::Lease> lease = wait_for_lease("farm/repository", session_.env);
  if (lease) repository_.clear_leftovers();
  return lease;
}

std::string FarmSteps::registry_of(const farm::Policy& policy) const {
  return farm_.places.registry.empty() ? policy.registry : farm_.places.registry;
}

Result<Path> FarmSteps::tree_of(const Change& change) {
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  return repository_.check_out(change.branch, change.commit);
}

// ---- look

Result<Path> FarmSteps::view_of_main() {
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  const std::string head = TRY(repository_.head(repository_.main()));
  const std::string name = view_name(farm_.places);
  const auto view = repository_.head(name);
  if (!view || *view != head) TRY(repository_.remove(name));
  return repository_.check_out(name, head);
}

Result<int> FarmSteps::look(std::stop_token stop) {
  const Path tree = TRY(view_of_main());
  Env env{session_.env.processes, session_.env.clock, session_.env.http, session_.env.store, session_.env.events, stop};
  Session session{env,  session_.signer,  session_.sandbox,    session_.home,
                  tree, session_.program, session_.builder_id, session_.json};
  int added = TRY(look_at_main());
  added += TRY(look_at_branches());
  // A definition on main that cannot be read, an upstream, or a channel whose judge fails: the others go on.
  const Result<int> definitions = look_at_definitions(session);
  Result<> channels = look_at_channels(session);
  TRY(clear_ended());
  if (!definitions) return Error::make(definitions.error().kind(), "{}", definitions.error().render());
  if (!channels) return std::move(channels).error();
  return added + *definitions;
}

Result<int> FarmSteps::look_at_definitions(Session& session) {
  const Distribution os =
      TRY(load_distribution(session.os_dir, host_arch()), "reading branch '{}'", repository_.main());
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  TRY(clear_logs(policy));
  watched_ = watched(os, policy);
  warn_of_unknown(os, policy, session.env.events);
  int added = TRY(look_at_streams(session));
  added += TRY(look_at_postponed(os));
  added += TRY(look_upstream(session, os));
  return added;
}

/// Branches and work trees of changes that came to their end without being published.
Result<> FarmSteps::clear_ended() {
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  const std::vector<std::string> branches = TRY(repository_.branches("farm/"));
  for (const std::string& branch : branches) {
    const auto id = farm::change_of_branch(branch);
    if (!id) continue;
    const Result<Change> change = farm_.ledger->get(*id);
    if (change && !is_live(change->state)) TRY(repository_.remove(branch));
  }
  return {};
}

/// Files "ID.…" of changes that ended, once nobody wrote to them for as long as farm.yaml keeps them.
Result<> FarmSteps::clear_logs(const farm::Policy& policy) {
  const auto oldest = std::filesystem::file_time_type::clock::now() - std::chrono::seconds(policy.keep_logs_seconds);
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(farm_.places.folder / "logs", failed)) {
    const std::string name = file.path().filename().string();
    const auto id = whole_number<std::int64_t>(std::string_view(name).substr(0, name.find('.')));
    const auto written = file.last_write_time(failed);
    if (failed || !id || written > oldest) continue;
    Result<Change> change = farm_.ledger->get(*id);
    if (!change && change.error().kind() != ErrorKind::kNotFound) return std::move(change).error();
    if (!change || !is_live(change->state)) std::filesystem::remove(file.path(), failed);
  }
  return {};
}

/// What soaks becomes due without any change, and people move channels.
Result<> FarmSteps::look_at_channels(Session& session) {
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  TRY(follow_stable(session, policy));
  return follow_tags(session, policy);
}

/// Definitions past their grace leave although nothing else changes.
Result<int> FarmSteps::look_at_streams(Session& session) {
  const std::optional<index::Serial> newest = TRY(index::head(session.env, Edition::kCommunity));
  if (!newest) return 0;
  const std::map<std::string, std::string> packages = TRY(ended_in(*newest, session.os_dir, session.env.clock));
  if (packages.empty()) return 0;
  std::set<std::string> definitions;
  for (const auto& [package, definition] : packages) definitions.insert(definition);
  return add_rebuild("end of life: " + join(std::vector<std::string>(definitions.begin(), definitions.end()), ", "));
}

/// A change of main as it is: time alone brought it about. How many were added: none when it is known.
Result<int> FarmSteps::add_rebuild(const std::string& what) {
  Change change;
  change.package = what;
  change.cause = Cause::kRebuild;
  change.commit = TRY(repository_.head(repository_.main()));
  const std::optional<Change> added = TRY(farm_.ledger->add(change));
  return added ? 1 : 0;
}

/// Builds that were put off, and that nothing else brought about in the meantime.
Result<int> FarmSteps::look_at_postponed(const Distribution& os) {
  const std::vector<CutOff> postponed = TRY(postponed_builds(session_.env));
  const std::int64_t now = session_.env.clock.now_seconds();
  std::vector<std::string> due;
  for (const CutOff& cut : postponed)
    if (cut.postponed_until <= now && os.find(cut.definition) != nullptr) due.push_back(cut.definition);
  if (due.empty()) return 0;
  return add_rebuild("put off until now: " + join(due, ", "));
}

Result<std::int64_t> FarmSteps::next_look() {
  // People push when they like: a minute is soon enough for them, and cheap.
  const std::int64_t minute = session_.env.clock.now_seconds() + 60;
  const std::int64_t upstream = TRY(farm_.schedule.next_due(watched_));
  return std::min(minute, upstream);
}

Result<int> FarmSteps::look_at_main() {
  farm::Ledger& ledger = *farm_.ledger;
  const std::string head = TRY(repository_.head(repository_.main()));
  const std::optional<std::string> published = TRY(ledger.note(std::string(kPublishedMain)));
  if (published && *published == head) return 0;
  const std::vector<Change> live = TRY(ledger.list(farm::Ledger::Which::kLive));
  for (const Change& change : live) {
    const Result<std::string> branch = repository_.head(change.branch);
    if (change.commit == head || (branch && *branch == head)) return 0;  // merged, and about to be published
  }
  // A person had their word on this commit when somebody cancelled it; main may go elsewhere and come back to it.
  const std::optional<std::string> seen = TRY(ledger.note(std::string(kSeenMain)));
  if (seen && *seen == head) return 0;
  for (const Change& change : live)
    if (change.to.empty() && !is_branch(change))
      (void)TRY(ledger.supersede(change.id, fmt::format("{} moved on", repository_.main())));
  Change change;
  const std::string subject = TRY(repository_.subject(head));
  change.package = !published ? "the distribution" : subject.empty() ? "commit " + head.substr(0, 12) : subject;
  change.cause = Cause::kHand;
  change.stage = Stage::kSeen;
  change.commit = head;
  const std::optional<Change> added =
      TRY(ledger.add(change, seen ? farm::Ledger::Again::kYes : farm::Ledger::Again::kNo));
  TRY(ledger.set_note(std::string(kSeenMain), head));
  return added ? 1 : 0;
}

Result<int> FarmSteps::look_at_branches() {
  farm::Ledger& ledger = *farm_.ledger;
  // What a person took back, or pushed anew, is not what is to be done any more.
  const std::vector<Change> live = TRY(ledger.list(farm::Ledger::Which::kLive));
  for (const Change& change : live) {
    if (!is_branch(change)) continue;
    const Result<std::string> head = repository_.head(change.package);
    if (head && *head == change.commit) continue;
    const bool merged = TRY(repository_.contains(repository_.main(), change.commit));
    if (!merged) (void)TRY(ledger.supersede(change.id, head ? "the branch was pushed anew" : "the branch is gone"));
  }
  int count = 0;
  const std::vector<farm::Branch> branches = TRY(repository_.unmerged("change/"));
  for (const farm::Branch& branch : branches) {
    Change change;
    change.package = branch.name;
    change.cause = Cause::kHand;
    change.commit = branch.commit;
    const std::optional<Change> added = TRY(ledger.add(change));
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
    const std::vector<watch::Release> newer = watch::candidates(definition, seen->releases);
    if (newer.empty()) continue;
    if (!vulnerable) {
      // Data that cannot be read delays nobody here: the gate says so, and a change becomes urgent at a later look.
      auto asked = vulnerable_definitions(session);
      if (!asked) session.env.events.emit({EventKind::kWarning, 0, 0, "vulnerabilities", asked.error().render()});
      vulnerable = asked ? *std::move(asked) : std::set<std::string>();
    }
    Change change;
    change.package = name;
    change.from = definition.version;
    farm::Pick pick;
    if (vulnerable->contains(name)) {
      change.cause = Cause::kSecurity;
    } else {
      std::vector<std::int64_t> published;
      for (const watch::Release& release : newer) published.push_back(release.published);
      pick = farm::pick_release(rule, published, upstream.newest_seen, session.env.clock.now_seconds());
    }
    change.to = newer[pick.index].version;
    change.not_before = pick.not_before;
    if (definition.update.manual) change.state = farm::State::kHeld;  // a person decides: `nacre farm release`
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
  Result<StepOutcome> outcome = step(change, stage, session);
  // The branch may go on; what failed is looked at as it was.
  if (!outcome && !stop.stop_requested()) (void)keep_diff(change);
  return outcome;
}

Result<StepOutcome> FarmSteps::step(Change& change, Stage stage, Session& session) {
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
    const store::Lease lease = TRY(own_repository());
    const std::string head = TRY(repository_.head(repository_.main()));
    change.branch = farm::branch_name(change);
    TRY(repository_.remove(change.branch));
    tree = TRY(repository_.check_out(change.branch, head));
  }
  session.os_dir = tree;
  Workshop shop = TRY(open_workshop(session, host_arch()));
  const definition::Definition* definition = shop.os.find(change.package);
  if (definition == nullptr) return StepOutcome{Way::kDrop, {}, "the definition is gone"};
  const watch::Feeds feeds = watch::feeds_of_machine(session.env);
  watch::Observation seen = TRY(watch::observe(*definition, feeds, shop.os.sources, session.env));
  // The release that the change is of: a newer one has its own change, and its own time.
  const auto is_it = [&](const watch::Release& release) { return release.version == change.to; };
  if (std::none_of(seen.releases.begin(), seen.releases.end(), is_it)) {
    if (seen.unreachable.empty()) return StepOutcome{Way::kDrop, {}, fmt::format("upstream has no {} now", change.to)};
    return Error::make(ErrorKind::kUnavailable, "{} does not answer, and {} does not know {} {}",
                       join(seen.unreachable, ", "), watch::name_of(seen.feed), change.package, change.to);
  }
  std::erase_if(seen.releases, [&](const watch::Release& release) { return is_newer(release.version, change.to); });
  std::string why_not;
  const std::optional<watch::Proposal> proposal =
      TRY(watch::propose(*definition, seen, shop.os.sources, feeds, shop.places, session.env, &why_not));
  if (!proposal) return StepOutcome{Way::kDrop, {}, why_not};
  if (!proposal->problem.empty() && proposal->problem_kind != ErrorKind::kUnavailable)  // it does not pass by itself
    return Error::make(ErrorKind::kConflict, "{} {} cannot be proposed: {}", proposal->package, proposal->to,
                       proposal->problem)
        .hint(fmt::format("mend the definition on a branch change/{}", proposal->package));
  TRY(apply_proposal(*proposal, ByHand::kYes, shop));
  change.from = proposal->from;
  change.to = proposal->to;
  std::string message = fmt::format("{}: update {} to {}\n\nSeen at {}.", change.package, proposal->from, proposal->to,
                                    watch::name_of(proposal->feed));
  for (const watch::Dropped& dropped : proposal->dropped)
    message += fmt::format("\nDropped {}: {}.", dropped.name, dropped.why);
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  change.commit = TRY(repository_.commit(change.branch, message, farm::Repository::Amend::kNo));
  return StepOutcome{Way::kOn, {}, fmt::format("branch {}", change.branch)};
}

/// A change by hand gets a branch of the farm's own at its commit, on top of main as it is now.
Result<StepOutcome> FarmSteps::take_over(Change& change) {
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  change.branch = farm::branch_name(change);
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
  const farm::Policy policy = TRY(load_policy(session.os_dir));
  Workshop shop = TRY(open_workshop(session, host_arch()));
  shop.postpone_seconds = policy.postpone_seconds;
  if (change.cause == Cause::kSecurity) shop.urgent.insert(change.package);
  return shop;
}

Result<FlowReport> FarmSteps::run(const Change& change, const FlowOptions& options, Workshop& shop) {
  FlowReport report = TRY(run_flow(shop, options));
  // Epochs that the flow wrote.
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
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
  // A change is not judged by what it brings along: the rules, and the keys of who may waive, are those of main.
  const Path main = TRY(view_of_main());
  Judgement judgement = TRY(judge_candidate(report, main, shop));
  const farm::GateReport& judged = judgement.gates;
  TRY(farm_.ledger->set_note(std::string(kVulnerabilityData),
                             judgement.known ? "data of " + os::rfc3339(judgement.known->found.data_date)
                                             : "not asked about: NACRE_OSV names no data"));
  TRY(os::write_file(farm_.places.folder / "logs" / fmt::format("{}.gates.txt", change.id), farm::render(judged)));
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
    const store::Lease lease = TRY(own_repository());
    TRY(repository_.commit(change.branch, "advisories that this closes", amend_of(change)));
  }
  std::string note = fmt::format("{} images, {} verdicts, {} waived", report.images.size(), judged.verdicts.size(),
                                 judged.count(farm::GateState::kWaived));
  if (!judgement.known) note += "; known vulnerabilities were not asked about: NACRE_OSV names no data";
  return StepOutcome{Way::kOn, {}, std::move(note)};
}

/// By what it changes, whatever the branch is called; of what is merged already since it was published last.
Result<bool> FarmSteps::needs_approval(const Change& change, const std::string& head, const std::string& commit,
                                       const std::vector<farm::Policy>& policies) {
  std::vector<std::string> parts = {change.package};
  if (change.to.empty()) {
    const std::optional<std::string> published = TRY(farm_.ledger->note(std::string(kPublishedMain)));
    auto changed = repository_.changed_definitions(published.value_or(head), commit);
    if (!changed) changed = repository_.changed_definitions(head, commit);  // history was rewritten
    parts = TRY(std::move(changed));
    if (parts.empty()) parts = {""};
  }
  for (const farm::Policy& policy : policies)
    for (const std::string& part : parts)
      if (policy.merge_for(part) == farm::Merge::kApprove) return true;
  return false;
}

/// What the change adds to what is published, for who looks at why it failed.
Result<> FarmSteps::keep_diff(const Change& change) {
  if (change.branch.empty()) return {};
  constexpr std::size_t kLongest = 4u << 20;
  const std::lock_guard lock(mutex_);
  const store::Lease lease = TRY(own_repository());
  // What a person pushed to main is in main already: what was published last is what it is compared with.
  const std::optional<std::string> published = TRY(farm_.ledger->note(std::string(kPublishedMain)));
  auto read = repository_.diff(change.branch, published.value_or(""));
  if (!read) read = repository_.diff(change.branch);  // history was rewritten
  std::string diff = TRY(std::move(read));
  if (diff.size() > kLongest) diff = diff.substr(0, diff.rfind('\n', kLongest) + 1) + "…";
  if (!diff.empty()) diff += '\n';
  return os::write_file(farm_.places.folder / "logs" / fmt::format("{}.diff", change.id), diff);
}

Result<StepOutcome> FarmSteps::publish(Change& change, Session& session) {
  // The rules of main, too: a change does not free itself of them.
  const Path main = TRY(view_of_main());
  const Path tree = TRY(tree_of(change));
  std::vector<farm::Policy> policies;
  for (const Path& folder : {main, tree}) policies.push_back(TRY(load_policy(folder)));
  std::string commit;
  {
    const std::lock_guard lock(mutex_);
    const store::Lease lease = TRY(own_repository());
    const std::string head = TRY(repository_.head(repository_.main()));
    commit = TRY(repository_.head(change.branch));
    const bool merged = TRY(repository_.contains(repository_.main(), commit));
    const bool on_top = TRY(repository_.contains(change.branch, head));
    if (!merged && !on_top)
      return StepOutcome{Way::kBack, Stage::kSeen, fmt::format("{} moved meanwhile", repository_.main())};
    if (change.approved_by.empty()) {
      const std::vector<std::string> rules =
          merged ? std::vector<std::string>() : TRY(repository_.changed_rules(head, commit));
      if (!rules.empty())
        return StepOutcome{Way::kApproval, {}, "green; it changes " + join(rules, ", ") + ", which a person approves"};
      const bool waits = TRY(needs_approval(change, head, commit, policies));
      if (waits) return StepOutcome{Way::kApproval, {}, "green; farm.yaml wants a person's approval"};
    }
    if (!merged) TRY(repository_.advance_main(head, commit));
  }
  FlowOptions options;
  options.reason = reason_of(change);
  Workshop shop = TRY(open_shop(change, session));
  const FlowReport report = TRY(run(change, options, shop));
  TRY(farm_.ledger->set_note(std::string(kPublishedMain), commit));
  std::set<std::string> kept;  // with the root that main gives them
  for (const BuiltRow& row : report.built)
    if (row.made == Made::kKept) kept.insert(row.definition);
  TRY(forget_postponed(session.env, kept));
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
  const store::Lease lease = TRY(own_repository());
  if (change.branch.empty()) return {};
  // A person's branch that was taken in is merged; one that moved on since is a new change.
  if (is_branch(change)) {
    const auto head = repository_.head(change.package);
    if (head && *head == change.commit) TRY(repository_.remove(change.package));
  }
  return repository_.remove(change.branch);
}

}  // namespace nacre::cli
