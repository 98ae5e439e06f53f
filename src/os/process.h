#pragma once

#include "base/result.h"
#include "os/fd.h"
#include "os/file.h"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace nacre::os {

/// A program to run. The environment is exactly `env`; nothing is inherited unless inherit_env says so.
struct Command {
  std::vector<std::string> argv;      ///< argv[0] is looked up in PATH of the caller when it has no '/'.
  std::vector<std::string> env;       ///< "NAME=value".
  bool inherit_env = false;           ///< Start from the caller's environment, `env` on top.
  Path working_dir;                   ///< Empty: the caller's.
  std::string stdin_bytes;
  std::optional<unsigned> uid, gid;   ///< Both or neither; supplementary groups are cleared.
  double timeout_seconds = 0;         ///< 0: none. On expiry the process group is killed.
  std::uint64_t max_output_bytes = 64u << 20;  ///< Of each captured stream; more is kUnavailable.
  /// When set, every line of stdout and stderr goes here as it comes, and nothing is captured.
  std::function<void(std::string_view line)> on_line;
};

/// How a process ended.
struct Exit {
  int code = 0;         ///< Exit status, or 128 + signal.
  int signal = 0;       ///< 0 when it exited by itself.
  bool timed_out = false;
  std::string out, err; ///< Captured streams, when no on_line was given.
  bool ok() const { return code == 0 && signal == 0; }
};

/// A running child; killed (whole process group) and reaped on destruction.
class Child {
 public:
  virtual ~Child() = default;
  virtual int pid() const = 0;
  virtual Result<Exit> wait(std::stop_token stop) = 0;
  virtual void signal(int number) = 0;
};

/// Runs programs. Errors are about starting (kNotFound: no such program) or an interruption
/// (kUnavailable "interrupted"); a program that fails is an Exit, not an Error.
class Processes {
 public:
  virtual ~Processes() = default;
  virtual Result<Exit> run(const Command& command, std::stop_token stop = {}) = 0;
};

class SystemProcesses final : public Processes {
 public:
  Result<Exit> run(const Command& command, std::stop_token stop = {}) override;
};

/// Answers from a list of expectations; records what was asked. For tests.
class FakeProcesses final : public Processes {
 public:
  void expect(std::vector<std::string> argv, Exit answer);
  Result<Exit> run(const Command& command, std::stop_token stop = {}) override;
  const std::vector<Command>& asked() const { return asked_; }

 private:
  std::vector<std::pair<std::vector<std::string>, Exit>> answers_;
  std::vector<Command> asked_;
};

/// run() and turn a failure into kUnavailable with the last lines of what the program printed.
Result<std::string> run_or_fail(Processes& processes, const Command& command,
                                std::stop_token stop = {});

}  // namespace nacre::os
