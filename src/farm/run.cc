#include "farm/run.h"

#include "base/events.h"
#include "base/lines.h"
#include "base/text.h"
#include "os/file.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace nacre::farm {
namespace {

constexpr double kHeartbeatSeconds = 15, kShortestSleepSeconds = 0.5;

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

/// Field 22 of /proc/PID/stat: when it began, in ticks since the machine did. Empty: no such process.
std::string start_of(const std::string& pid) {
  const auto stat = os::read_file("/proc/" + pid + "/stat", 4096);
  if (!stat) return {};
  const std::size_t after_name = stat->rfind(')');
  if (after_name == std::string::npos) return {};
  const std::vector<std::string> fields = split_words(std::string_view(*stat).substr(after_name + 1));
  // A zombie has ended.
  return fields.size() > 19 && fields[0] != "Z" ? fields[19] : std::string();
}

/// Keeps a lease while a step runs; asks the step to stop when the lease is lost.
class Heartbeat {
 public:
  Heartbeat(Ledger& ledger, const Change& change, std::stop_token outer)
      : outer_(outer, [this] { stop_.request_stop(); }), thread_([this, &ledger, change](std::stop_token ending) {
          std::unique_lock lock(mutex_);
          while (!ending.stop_requested()) {
            wake_.wait_for(lock, ending, std::chrono::duration<double>(kHeartbeatSeconds), [] { return false; });
            if (ending.stop_requested()) return;
            const Result<> kept = ledger.heartbeat(change);
            if (!kept && kept.error().kind() == ErrorKind::kConflict) {
              stop_.request_stop();
              return;
            }
          }
        }) {}
  std::stop_token stop() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< Last: it ends before what it uses.
};

/// What the workers of one run share.
class Loop {
 public:
  Loop(Ledger& ledger, Steps& steps, const RunOptions& options, Env& env)
      : ledger_(ledger), steps_(steps), options_(options), env_(env), owner_(this_worker()) {}

  Result<RunReport> run() {
    while (true) {
      report_.recovered += TRY(ledger_.recover(is_gone));
      look();
      std::vector<std::jthread> workers;
      for (unsigned i = 0; i < std::max(1u, options_.workers); ++i) workers.emplace_back([this] { work(); });
      workers.clear();
      if (fault_) return *std::move(fault_);
      if (env_.stop.stop_requested()) break;
      const bool goes_on = TRY(sleep_until_due());
      if (!goes_on) break;
    }
    return std::move(report_);
  }

 private:
  /// An upstream, a definition or a repository that fails is a line in the log, not the end.
  void look() {
    auto added = steps_.look(env_.stop);
    if (added) report_.added += *added;
    if (added || env_.stop.stop_requested()) return;
    env_.events.emit({EventKind::kWarning, 0, 0, "look for changes", added.error().render()});
    if (options_.until == RunOptions::Until::kIdle && !report_.look) report_.look = std::move(added).error();
  }

  /// One worker: until nothing is due.
  void work() {
    while (!env_.stop.stop_requested()) {
      auto change = ledger_.claim(owner_);
      if (!change) return give_up(std::move(change).error());
      if (!*change) return;
      Result<> done = step(**change);
      if (!done) return give_up(std::move(done).error());
    }
  }

  /// The ledger itself failed: no worker can go on.
  void give_up(Error error) {
    const std::lock_guard lock(mutex_);
    if (!fault_) fault_ = std::move(error);
  }

  Result<> step(Change change) {
    const Stage stage = next_of(change.stage);
    const double start = env_.clock.monotonic_seconds();
    {
      const std::lock_guard lock(mutex_);
      if (std::find(report_.changes.begin(), report_.changes.end(), change.id) == report_.changes.end())
        report_.changes.push_back(change.id);
    }
    Task task(env_.events, fmt::format("change {}: {} {} -> {}", change.id, change.package, change.to, name_of(stage)));
    Heartbeat heartbeat(ledger_, change, env_.stop);
    Result<StepOutcome> outcome = steps_.advance(change, stage, heartbeat.stop());
    const double seconds = env_.clock.monotonic_seconds() - start;
    if (!outcome && heartbeat.stop().stop_requested()) {
      task.finish("stopped");
      return given_back(change);
    }
    Result<> recorded = outcome ? record(change, stage, *outcome, seconds) : failed(change, outcome.error(), seconds);
    // Somebody else has it now, or a person took it away: what was done will be found done.
    if (!recorded && recorded.error().kind() == ErrorKind::kConflict) {
      task.finish(recorded.error().render());
      return {};
    }
    // What is recorded is recorded; clearing away may have been stopped in the middle.
    if (!recorded && env_.stop.stop_requested()) {
      task.finish("stopped");
      return {};
    }
    TRY(std::move(recorded));
    task.finish(outcome ? outcome->note : first_line(outcome.error().render()));
    return {};
  }

  Result<> record(Change& change, Stage stage, const StepOutcome& outcome, double seconds) {
    switch (outcome.way) {
      case StepOutcome::Way::kOn:
        TRY(ledger_.complete(change, stage, outcome.note, seconds));
        count(stage == Stage::kPromoted ? &RunReport::done : nullptr);
        if (stage == Stage::kPromoted) return settle(change.id);
        return {};
      case StepOutcome::Way::kApproval:
        TRY(ledger_.put_back(change, change.stage, State::kWaiting, outcome.note));
        count(&RunReport::waiting);
        return {};
      case StepOutcome::Way::kLater:
        TRY(ledger_.put_back(change, change.stage, State::kReady, outcome.note));
        count(&RunReport::later);
        return {};
      case StepOutcome::Way::kDrop:
        TRY(ledger_.put_back(change, change.stage, State::kSuperseded, outcome.note));
        count(nullptr);
        return {};
      case StepOutcome::Way::kBack:
        TRY(ledger_.put_back(change, outcome.back_to, State::kReady, outcome.note));
        count(nullptr);
        return {};
    }
    return {};
  }

  Result<> failed(const Change& change, const Error& error, double seconds) {
    const State state = TRY(ledger_.fail(change, error, change.log, seconds));
    count(state == State::kReady ? &RunReport::later : &RunReport::red);
    return {};
  }

  Result<> settle(std::int64_t id) {
    const Change change = TRY(ledger_.get(id));
    return steps_.settle(change);
  }

  /// As if the step had never been begun.
  Result<> given_back(const Change& change) {
    const Result<> back = ledger_.put_back(change, change.stage, State::kReady, "stopped in the middle");
    if (!back && back.error().kind() != ErrorKind::kConflict)
      return Error::make(ErrorKind::kUnavailable, "{}", back.error().render());
    return {};
  }

  void count(int RunReport::*what) {
    const std::lock_guard lock(mutex_);
    ++report_.steps;
    if (what != nullptr) ++(report_.*what);
  }

  /// False: the run is over.
  Result<bool> sleep_until_due() {
    const std::int64_t now = env_.clock.now_seconds();
    const std::optional<std::int64_t> change = TRY(ledger_.next_due());
    const bool paused = TRY(ledger_.paused());
    if (options_.until == RunOptions::Until::kIdle) return !paused && change && *change <= now;
    const std::int64_t look = TRY(steps_.next_look());
    std::int64_t until = look == 0 ? now : look;
    if (change && !paused) until = std::min(until, *change);
    // `every: 0s` asks at each look, and no look follows another at once.
    double left = std::clamp(static_cast<double>(until - now), kShortestSleepSeconds, options_.longest_sleep_seconds);
    while (left > 0 && !env_.stop.stop_requested()) {
      const double nap = std::min(left, 0.2);
      env_.clock.sleep(nap);
      left -= nap;
    }
    return !env_.stop.stop_requested();
  }

  Ledger& ledger_;
  Steps& steps_;
  const RunOptions& options_;
  Env& env_;
  std::string owner_;
  std::mutex mutex_;  ///< Of what follows.
  RunReport report_;
  std::optional<Error> fault_;
};

}  // namespace

std::string this_worker() {
  const std::string pid = std::to_string(::getpid());
  return fmt::format("{}:{}:{}", host_name(), pid, start_of(pid));
}

bool is_gone(const std::string& owner) {
  const std::vector<std::string> parts = split(owner, ':');
  if (parts.size() != 3 || parts[0] != host_name()) return false;
  return parts[1].find_first_not_of("0123456789") != std::string::npos || start_of(parts[1]) != parts[2];
}

Result<RunReport> run(Ledger& ledger, Steps& steps, const RunOptions& options, Env& env) {
  return Loop(ledger, steps, options, env).run();
}

}  // namespace nacre::farm
