#pragma once

#include "farm/change.h"
#include "os/clock.h"
#include "store/database.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::farm {

/// How a step is tried again, by the kind of its error.
struct RetryPolicy {
  int attempts = 6;                      ///< Of one step, for errors that may pass (kUnavailable); then quarantine.
  std::int64_t first_wait_seconds = 30;  ///< Doubled each time.
  std::int64_t longest_wait_seconds = 6 * 3600;
  std::int64_t lease_seconds = 120;  ///< Without a heartbeat for so long a step is given to another worker.
};
/// Seconds to wait after the `attempt`th failure (from 1): doubled, bounded, and spread by up to a quarter by `id`, so
/// that changes that failed together do not come back together.
std::int64_t wait_after(const RetryPolicy& policy, int attempt, std::int64_t id);

/// All changes and what became of them: the durable state machine. Each call is one transaction; a crash at any point
/// leaves the state before it or after it. Many workers and many control planes may share one ledger.
///
/// What machines do is kept with Durability::kLater: every step finds its own work done when it is run again. What
/// people say is on disk before the call returns.
class Ledger {
 public:
  static Result<std::unique_ptr<Ledger>> open(const std::string& url, os::Clock& clock, RetryPolicy policy = {});

  /// Takes a new change. One with a release that may begin now supersedes older live ones of the same definition that
  /// are not merged yet; one that waits does so when it begins, so that releases which come faster than their cooldown
  /// do not keep each other from ever being taken. nullopt: the same release (or commit) of the same definition is
  /// known already, also when it is done, red or cancelled; a live one becomes as urgent as this one would have been.
  enum class Again {
    kNo,
    kYes,  ///< One that came to an end is taken once more.
  };
  Result<std::optional<Change>> add(Change change, Again again = Again::kNo);

  /// The most urgent change that may go on: ready and due, or running with a lease that ran out. The caller becomes its
  /// `owner` for the lease's time. nullopt: none now.
  Result<std::optional<Change>> claim(const std::string& owner);
  /// Makes a lease longer. kConflict: it was given to somebody else (or a person took the change away): stop.
  Result<> heartbeat(const Change& change);
  /// The step went well: the change has `stage` behind it and is ready for the next, or done after the last. Takes
  /// branch, commit, from, to, serial and not_before from `change`. kConflict like heartbeat().
  Result<> complete(const Change& change, Stage stage, const std::string& note, double seconds);
  /// The step found that it cannot go on yet: kWaiting (approval), kReady later (`not_before`) or at an earlier stage.
  Result<> put_back(const Change& change, Stage stage, State state, const std::string& note);
  /// The step failed: ready again after a wait, quarantined, or red, as the kind of the error says.
  Result<State> fail(const Change& change, const Error& error, const std::string& log, double seconds);

  // What people say. kNotFound for a change that is not there, kConflict when its state does not allow it: what is
  // being published can neither be held nor cancelled.
  Result<> hold(std::int64_t id, const std::string& who);
  Result<> release(std::int64_t id, const std::string& who);  ///< From held.
  Result<> retry(std::int64_t id, const std::string& who);    ///< From red or quarantined: at once.
  Result<> approve(std::int64_t id, const std::string& who);
  Result<> cancel(std::int64_t id, const std::string& who, const std::string& why);
  /// What was done elsewhere made it pointless. False, and nothing is changed: it runs, is published, or came to an
  /// end.
  Result<bool> supersede(std::int64_t id, const std::string& why);
  /// Stops or allows claims of all changes; what runs ends.
  Result<> pause(bool paused, const std::string& who);
  Result<bool> paused();

  Result<Change> get(std::int64_t id);
  /// By urgency, then by age. `live_only`: without done, cancelled and superseded ones.
  enum class Which { kAll, kLive };
  Result<std::vector<Change>> list(Which which);
  Result<std::vector<Transition>> history(std::int64_t id);
  /// The newest of all changes first.
  Result<std::vector<Transition>> recent(std::size_t at_most);
  /// When the next change becomes due, or the next lease runs out; nullopt: nothing waits.
  Result<std::optional<std::int64_t>> next_due();

  /// For who starts, and from time to time: leases of `gone` owners are free at once; waits that a clock which jumped
  /// made longer than any policy allows are cut, those set by a clock that was ahead begin now. Returns how many leases
  /// were freed.
  Result<int> recover(const std::function<bool(const std::string& owner)>& is_gone);

  // Small records of the control plane itself ("main-published" -> commit).
  Result<std::optional<std::string>> note(const std::string& name);
  Result<> set_note(const std::string& name, const std::string& value);

  /// Copies all of another ledger, inside a transaction of ours; how many changes. As store::copy_rows(): 0 when they
  /// are here already, which may have gone on since, and then nothing else is copied.
  Result<std::size_t> take(Ledger& other);

  store::Database& database() { return *database_; }

 private:
  Ledger(std::unique_ptr<store::Database> database, os::Clock& clock, RetryPolicy policy)
      : database_(std::move(database)), clock_(clock), policy_(policy) {}
  Result<> record(const Change& change, const std::string& who, const std::string& note, double seconds);
  Result<std::int64_t> next_id(std::string_view counter);
  /// Checks the lease inside a transaction; the change as it stands.
  Result<Change> leased(const Change& change);
  Result<> write(const Change& change);
  /// Within a transaction: older live changes of the definition, to another release, give way.
  Result<> supersede_older(const Change& change, const std::vector<Change>& others);
  Result<std::vector<Change>> of_package(const std::string& package);
  Result<> person(std::int64_t id, const std::string& who, const std::string& what,
                  const std::function<Result<>(Change&)>& edit);

  std::unique_ptr<store::Database> database_;
  os::Clock& clock_;
  RetryPolicy policy_;
};

}  // namespace nacre::farm
