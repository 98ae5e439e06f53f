#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "engine/cas.h"
#include "engine/messages.h"

namespace nacre::engine {

enum class Lookup {
  kCached,  ///< A kept result of the same action will do.
  kRun,     ///< Run it whatever is known.
};

/// An action to run.
struct Job {
  Digest action;  ///< Of an Action in the executor's CAS.
  Lookup lookup = Lookup::kCached;
  int priority = 0;  ///< As the API has it: a smaller number is sooner. 0 means nothing.
  /// Puts the inputs (back) into the CAS: before the first try, and when the engine says that some are gone.
  std::function<Result<>()> upload;
};

/// What a job came to. A command that fails is a result, with its exit code.
struct Outcome {
  ActionResult result;
  bool cached = false;
  int tries = 1;  ///< So often the engine was asked to run it.
};

/// What happens to a job before it ends. Called from threads of the executor, perhaps from several at once.
struct Listener {
  std::function<void(Stage)> on_stage;
  std::function<void(std::string_view line)> on_line;  ///< Of its output, where the engine has that while it runs.
  std::function<void(std::string_view note)> on_note;  ///< "the stream ended (…): waiting for it again"
};

/// Runs actions: on this machine, or through the Remote Execution API. Safe to use from several threads.
class Executor {
 public:
  virtual ~Executor();

  virtual Result<Capabilities> capabilities(std::stop_token stop) = 0;

  using Id = std::uint64_t;
  /// Begins; the listener lives until wait() has answered.
  Id submit(Job job, Listener listener);
  /// Its outcome, once. When `stop` is requested the job is cancelled and the error is kUnavailable "interrupted".
  /// kUnavailable when the engine could not run it, kInvalid when it would not.
  Result<Outcome> wait(Id id, std::stop_token stop);
  /// Asks for its end. Engines without such a request end it some time after nobody waits for it.
  void cancel(Id id);

 protected:
  /// The whole life of a job.
  virtual Result<Outcome> perform(const Job& job, const Listener& listener, std::stop_token stop) = 0;
  /// Derived classes call it first in their destructor: perform() must not outlive them.
  void end_all();

 private:
  struct Running {
    std::optional<Result<Outcome>> outcome;
    std::jthread thread;
  };
  std::mutex mutex_;
  std::condition_variable ended_;
  std::map<Id, std::shared_ptr<Running>> running_;
  Id next_ = 1;
};

/// Timeouts are part of an action's key: 1, 4, 12 or 48 hours, the first that is not less. 0 asks for 12 hours.
std::int64_t timeout_class(double seconds);

}  // namespace nacre::engine
