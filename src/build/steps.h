#pragma once

#include "base/events.h"
#include "build/guest.h"

#include <deque>

namespace nacre::build {

/// The log of a build: every line as it came, with a header for each step. Kept in a file, bounded.
class Log {
 public:
  static constexpr std::uint64_t kMaxBytes = 256u << 20;
  static constexpr std::size_t kTailLines = 20;

  static Result<Log> create(const os::Path& file);
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

/// Runs steps in a guest, one process each, and keeps what happened. Internal to the room.
class StepRunner {
 public:
  StepRunner(Guest& guest, sandbox::Sandbox& sandbox, Env& env, const Task& task, Log log)
      : guest_(guest), sandbox_(sandbox), env_(env), task_(task), log_(std::move(log)) {}

  /// ldconfig, where the root has it: libraries of all trees must be known before the first program
  /// runs.
  Result<> make_loader_cache();

  /// Steps in order, children after their parent. `part` is the package that they make or test.
  Result<> run(const std::vector<definition::Step>& steps, const std::string& part);

  const std::vector<StepRecord>& records() const { return records_; }

 private:
  struct Context {
    std::string part, label;  ///< Name of the parent.
    std::string directory;
    definition::Pairs environment;
  };
  Result<> run_all(const std::vector<definition::Step>& steps, const Context& context);
  Result<> run_one(definition::Step step, const Context& context, const std::string& label);
  Result<> judge(const definition::Step& step, const std::string& label, const std::string& part,
                 const sandbox::SandboxCommand& command, const os::Exit& exit);
  Result<os::Exit> enter(sandbox::SandboxCommand& command, const Task& task);

  Guest& guest_;
  sandbox::Sandbox& sandbox_;
  Env& env_;
  const Task& task_;
  Log log_;
  std::vector<StepRecord> records_;
};

// failed.cc

/// Remembers where a build or test stopped, so that reopen_failed() can go there.
Result<> remember_failure(const Guest& guest, const sandbox::SandboxCommand& command,
                          const std::string& script, const std::string& step, Env& env);
Result<> forget_failure(const std::string& name, Env& env);

}  // namespace nacre::build
