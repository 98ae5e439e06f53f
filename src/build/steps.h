#pragma once

#include "base/events.h"
#include "build/guest.h"
#include "codec/json.h"

#include <deque>

namespace nacre::build {

/// The log of a build: every line as it came, with a header for each step. Kept in a file, bounded.
class Log {
 public:
  static constexpr std::uint64_t kMaxBytes = 256u << 20;
  static constexpr std::size_t kTailLines = 20;

  static Result<Log> create(const os::Path& file);
  static Result<Log> open(const os::Path& file);  ///< Goes on with one that is there.
  Result<> add(std::string_view line);
  void begin_step() { tail_.clear(); }
  const std::deque<std::string>& tail() const {
    return tail_;
  }  ///< The step's last lines, fit for a terminal.

 private:
  Log(os::Fd fd, os::Path file) : fd_(std::move(fd)), file_(std::move(file)) {}
  os::Fd fd_;
  os::Path file_;
  std::uint64_t size_ = 0;
  std::deque<std::string> tail_;
};

/// One process of a build or test.
struct StepRun {
  std::string part, label;        ///< The package that it makes or tests; what messages call it.
  std::string script;
  definition::Pairs environment;  ///< Parents' first; later ones win.
  Place place;
  std::vector<std::string> used_by;  ///< "step 3 (zlib.yaml:41:5) uses autoconf/make"; the innermost first.
  std::vector<std::string> secrets;  ///< Names that its script or environment mentions below /run/secrets/.
  bool brings_sources = false;       ///< Does nothing else (StepRole::kSource).
};

/// What a definition runs, in order.
struct StepList {
  struct Part {
    std::string name;
    std::size_t begin = 0;  ///< Its first run; its output directory is made before.
  };
  std::vector<StepRun> runs;
  std::vector<Part> parts;
};

/// Adds the steps of a pipeline, children after their parent, without those that their `if` leaves out or that have
/// nothing to run. kInvalid when `required-steps` does not hold.
Result<> list_steps(const std::vector<definition::Step>& steps, const std::string& part, StepList& out);
/// Of all packages of a definition.
Result<StepList> list_steps(const definition::Definition& definition);

/// What the action key holds besides the steps, as a JSON object.
Result<codec::Json> input_json(const BuildRequest& request);
/// Those that this build's workspace begins with; none for most.
Result<std::vector<CompilerFile>> compiler_files_of(const BuildRequest& request);

/// Runs steps in a guest, one process each, and keeps what happened. Internal to the room.
class StepRunner {
 public:
  StepRunner(Guest& guest, sandbox::Sandbox& sandbox, Env& env, const Task& task, Log log)
      : guest_(guest), sandbox_(sandbox), env_(env), task_(task), log_(std::move(log)) {}

  /// ldconfig, where the root has it: libraries of all trees must be known before the first program
  /// runs.
  Result<> make_loader_cache();

  Result<> run(const StepRun& step);

  /// What a step would be run with.
  sandbox::SandboxCommand command_of(const StepRun& step) const;

  Log& log() { return log_; }
  const std::vector<StepRecord>& records() const { return records_; }
  const std::vector<std::string>& secrets_seen() const { return secrets_seen_; }
  void begin_with(std::vector<StepRecord> records) { records_ = std::move(records); }

 private:
  Result<> add_secrets(const StepRun& step, sandbox::SandboxCommand& command);
  Result<> judge(const StepRun& step, const sandbox::SandboxCommand& command, const os::Exit& exit);
  Result<os::Exit> enter(sandbox::SandboxCommand& command, const Task& task);

  Guest& guest_;
  sandbox::Sandbox& sandbox_;
  Env& env_;
  const Task& task_;
  Log log_;
  std::vector<StepRecord> records_;
  std::vector<std::string> secrets_seen_;
  std::string exceeded_;  ///< The limit that the step running or just run came up against.
};

// failed.cc

/// Remembers where a build or test stopped, so that reopen_failed() can go there.
Result<> remember_failure(const Guest& guest, const sandbox::SandboxCommand& command,
                          const std::string& script, const std::string& step, Env& env);
Result<> forget_failure(const std::string& name, Env& env);
/// A shell in the guest with what `next` would be run with.
Result<int> open_shell(sandbox::SandboxCommand command, const Guest& guest, const StepRun& next,
                       sandbox::Sandbox& sandbox, Env& env);

}  // namespace nacre::build
