#pragma once

#include <condition_variable>
#include <mutex>

#include "engine/executor.h"
#include "os/process.h"

namespace nacre::engine {

/// Runs actions as processes of this machine, so many at once; the others wait. Reads the same Action, Command and
/// Directory from the store's blobs as a remote engine reads from its CAS, and honours the platform as one does: an
/// action that asks for what this machine is not is refused. Results with exit code 0 are kept (state `action`).
///
/// The command has the caller's powers, in a directory of its own that holds a copy of the input root: what confines it
/// is inside the action (nacre-worker). Nothing of the caller's environment but what the worker's machine sets for
/// workers (NACRE_WORKER_…) reaches it.
class LocalExecutor final : public Executor {
 public:
  LocalExecutor(store::Store& store, os::Processes& processes, unsigned slots);
  ~LocalExecutor() override { end_all(); }
  Result<Capabilities> capabilities(std::stop_token stop) override;

  /// What actions may ask for: OSFamily, ISA.
  static Properties platform();

 protected:
  Result<Outcome> perform(const Job& job, const Listener& listener, std::stop_token stop) override;

 private:
  Result<> take_slot(std::stop_token stop);
  Result<std::optional<ActionResult>> kept(const Digest& action);
  Result<ActionResult> run(const Action& action, const Listener& listener, std::stop_token stop);
  Result<os::Path> stage(const Action& action, const os::Path& folder);

  store::Store& store_;
  LocalCas cas_;
  os::Processes& processes_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  unsigned slots_;
};

}  // namespace nacre::engine
