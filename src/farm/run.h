#pragma once

#include "base/env.h"
#include "farm/ledger.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nacre::farm {

/// What one step came to when it did not fail.
struct StepOutcome {
  enum class Way {
    kOn,        ///< The stage is reached.
    kApproval,  ///< A person's word is missing.
    kLater,     ///< Not before `change.not_before`.
    kBack,      ///< The ground moved: again from `back_to` on.
    kDrop,      ///< There is nothing left to do: the end.
  };
  Way way = Way::kOn;
  Stage back_to = Stage::kSeen;
  std::string note;
};

/// What a farm does at each stage. The loop decides when, how often and by whom; these decide what. Each step finds its
/// own work done when it is run a second time.
class Steps {
 public:
  virtual ~Steps() = default;
  /// Asks the upstreams that are due and looks for what people changed. What is new is in the ledger afterwards; one
  /// upstream that fails stops nobody else. How many changes were added; an error when a part of it could not be looked
  /// at: what the other parts found is in the ledger all the same.
  virtual Result<int> look(std::stop_token stop) = 0;
  /// When look() has something to ask next; 0: now. Seconds since 1970.
  virtual Result<std::int64_t> next_look() = 0;
  /// Does what leads from the stage before to `stage`. May change branch, commit, from, to, serial and not_before.
  virtual Result<StepOutcome> advance(Change& change, Stage stage, std::stop_token stop) = 0;
  /// After a change was promoted: clears away what it worked with.
  virtual Result<> settle(const Change& change) = 0;
};

struct RunOptions {
  enum class Until {
    kStopped,  ///< A service: sleeps when there is nothing to do.
    kIdle,     ///< Until nothing is due: for cron and CI.
  };
  Until until = Until::kIdle;
  unsigned workers = 1;
  double longest_sleep_seconds = 30;
};

/// What a run did.
struct RunReport {
  int added = 0, steps = 0, done = 0, red = 0, waiting = 0, later = 0;
  int recovered = 0;                  ///< Steps of workers that were gone.
  std::vector<std::int64_t> changes;  ///< That moved, in order of their first step.
  std::optional<Error> look;          ///< Of a run until idle: what could not be looked at.
};

/// The loop: look, claim, do, record. Several may run over one ledger at once. Ends with env.stop, or when nothing is
/// due; a step under way when the stop is requested is given back as it was.
Result<RunReport> run(Ledger& ledger, Steps& steps, const RunOptions& options, Env& env);

/// "HOST:PID:START": who holds a lease. START tells a process from a later one with its number.
std::string this_worker();
/// Whether the holder is a process of this machine that has ended. Of other machines nothing is known.
bool is_gone(const std::string& owner);

}  // namespace nacre::farm
