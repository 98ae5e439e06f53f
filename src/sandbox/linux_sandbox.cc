#include "base/text.h"
#include "os/file.h"
#include "sandbox/cgroup.h"
#include "sandbox/copied_root.h"
#include "sandbox/disk_watch.h"
#include "sandbox/launch.h"
#include "sandbox/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nacre::sandbox {
namespace {

struct Pipe {
  os::Fd read, write;
};

/// A daemon may run with its streams closed; 0 to 2 are the child's to give.
os::Fd above_streams(os::Fd fd) {
  return fd.get() > 2 ? std::move(fd) : os::Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return os::system_error(errno, "make a pipe");
  return Pipe{above_streams(os::Fd(ends[0])), above_streams(os::Fd(ends[1]))};
}

std::string step_text(const Launch& launch, const Report& report) {
  const std::size_t index = static_cast<std::size_t>(std::max(report.index, 0));
  const auto path_in = [&](const std::vector<Source>& sources) {
    return index < sources.size() ? sources[index].path : std::string("?");
  };
  switch (report.step) {
    case Step::kUserNamespace: return "enter the user namespace";
    case Step::kNamespaces: return "make the mount, pid, network, host name and ipc namespaces";
    case Step::kIdentity: return "become the sandbox's own user";
    case Step::kPrivateMounts: return "part the mounts from the host's";
    case Step::kProc: return "mount /proc";
    case Step::kStaging: return fmt::format("assemble the root in '{}'", launch.staging);
    case Step::kLayer: return fmt::format("mount layer '{}'", path_in(launch.layers));
    case Step::kUpper:
      return fmt::format("mount the upper directory's folder '{}'", launch.upper.path);
    case Step::kOverlay: return fmt::format("mount overlay with {} layers", launch.layers.size());
    case Step::kPivot: return "change to the new root";
    case Step::kAttachProc: return "cover the machine's parts of /proc";
    case Step::kDevices:
      return report.index < 0 ? "make /dev" : fmt::format("make '{}'", path_in(launch.devices));
    case Step::kTmp: return "mount /tmp";
    case Step::kBindPoint:
      return fmt::format("make '{}' in the root, to bind '{}'",
                         index < launch.binds.size() ? launch.binds[index].target : "?",
                         path_in(launch.binds));
    case Step::kBind: return fmt::format("bind '{}'", path_in(launch.binds));
    case Step::kSecrets: return "place the secrets on a tmpfs at /run/secrets";
    case Step::kHostname: return fmt::format("set the host name '{}'", launch.hostname);
    case Step::kLoopback: return "raise the loopback interface";
    case Step::kFork: return "start a process";
    case Step::kCgroup: return "enter the control groups";
    case Step::kTerminal: return "take the terminal";
    case Step::kCapabilities: return "drop the capabilities";
    case Step::kScope: return "close off the host's abstract sockets";
    case Step::kSeccomp: return "install the system call filter";
    case Step::kWorkingDir: return fmt::format("change to '{}' in the root", launch.working_dir);
    case Step::kExec: return fmt::format("run '{}'", launch.words[0]);
  }
  return "start the sandbox";
}

Error error_of(const Launch& launch, const Report& report) {
  if (report.step == Step::kExec && report.error == ENOENT)
    return Error::make(ErrorKind::kNotFound, "no program '{}' in the root", launch.words[0])
        .hint("add the package that has it to the environment");
  std::string what = step_text(launch, report);
  Error error = report.detail[0] != 0
                    ? os::system_error(report.error, fmt::format("{} ({})", what, report.detail))
                    : os::system_error(report.error, what);
  if (report.step == Step::kExec || report.step == Step::kWorkingDir) return error;
  return std::move(error).hint("`nacre doctor` says what this machine lacks");
}

/// Blocks signals around the fork, so that no handler of ours runs in the child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// Gives the terminal back to us, in the state that it had.
class TerminalKept {
 public:
  explicit TerminalKept(bool interactive)
      : on_(interactive && ::isatty(0) && ::tcgetattr(0, &state_) == 0) {}
  TerminalKept(const TerminalKept&) = delete;
  TerminalKept& operator=(const TerminalKept&) = delete;
  ~TerminalKept() {
    if (!on_) return;
    const SignalsBlocked quiet;  // SIGTTOU, for we are in the background
    ::tcsetpgrp(0, ::getpgrp());
    ::tcsetattr(0, TCSADRAIN, &state_);
  }

 private:
  termios state_{};
  bool on_;
};

void list_kept(Launch& launch) {
  launch.keep = {launch.user_ns.get(), launch.report, launch.life, launch.status, launch.in,
                 launch.out,           launch.err};
  launch.keep.insert(launch.keep.end(), launch.cgroups.begin(), launch.cgroups.end());
  for (const std::vector<Source>* sources : {&launch.layers, &launch.devices, &launch.binds})
    for (const Source& source : *sources) launch.keep.push_back(source.tree.get());
  launch.keep.push_back(launch.upper.tree.get());
  std::sort(launch.keep.begin(), launch.keep.end());
}

Result<Ending> start_and_watch(Launch& launch, const SandboxCommand& command,
                               std::stop_token stop) {
  Pipe report = TRY(make_pipe());
  Pipe status = TRY(make_pipe());
  Pipe life = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  const os::Fd in = above_streams(os::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!in) return os::system_error(errno, "open /dev/null");
  launch.report = report.write.get();
  launch.status = status.write.get();
  launch.life = life.read.get();
  launch.in = in.get();
  launch.out = out.write.get();
  launch.err = err.write.get();
  list_kept(launch);

  const TerminalKept terminal(command.interactive);
  Line line;
  {
    const SignalsBlocked blocked;
    line.pid = raw_fork();
    if (line.pid == 0) enter(launch);
  }
  if (line.pid < 0) return os::system_error(errno, "start a process");
  line.report = std::move(report.read);
  line.status = std::move(status.read);
  line.life = std::move(life.write);
  if (!command.interactive) {
    line.out = std::move(out.read);
    line.err = std::move(err.read);
  }
  for (os::Fd* end : {&report.write, &status.write, &life.read, &out.write, &err.write})
    end->reset();
  return watch(std::move(line), command, stop);
}

bool is_refused_overlay(const Ending& ending) {
  return ending.failure && ending.failure->step == Step::kOverlay &&
         ending.failure->error != ENOMEM;
}

class Run {
 public:
  Run(const SandboxCommand& command, RootMaking making, std::stop_token stop)
      : command_(command), making_(making), stop_(std::move(stop)) {}

  Result<os::Exit> go() {
    if (making_ == RootMaking::kCopy) return in_copy();
    if (const std::size_t layers = command_.root.lower.size(); layers > kMaxLayers) {
      note(fmt::format("the root is a copy, which is slow: an overlay takes {} layers, not {}",
                       kMaxLayers, layers));
      return in_copy();
    }
    Launch launch = TRY(prepare_somehow({}));
    Ending ending = TRY(attempt(launch));
    remove_work();
    if (!is_refused_overlay(ending)) return answer(launch, std::move(ending));
    note(fmt::format("the root is a copy, which is slow: {}",
                     error_of(launch, *ending.failure).render()));
    return in_copy();
  }

 private:
  /// With the best map of ids that the machine allows.
  Result<Launch> prepare_somehow(const Path& copied_root) {
    std::optional<Error> best;
    for (const IdMap& ids : possible_id_maps(command_.uid, command_.gid)) {
      auto launch = prepare(command_, ids, copied_root);
      if (launch && best) note("the sandbox shares ids with the host: " + best->render());
      if (launch) return launch;
      const bool matters = launch.error().kind() != ErrorKind::kNotFound;
      if (!best) best = std::move(launch).error();
      if (!matters) break;
    }
    return *std::move(best);
  }

  Result<Ending> attempt(Launch& launch) {
    std::vector<std::string> notes;
    const Cgroup group = Cgroup::make(command_.limits, notes);
    for (const std::string& text : notes) note(text);
    launch.cgroups = group.joins();
    if (!launch.own_network && !launch.scope_sockets)
      note("with network, the host's abstract unix sockets are in reach: no Landlock scopes here");
    if (!group.limits_pids()) launch.max_pids_rlimit = command_.limits.max_pids;
    Ending ending = TRY(start_and_watch(launch, command_, stop_));
    if (group.ran_out_of_memory())
      note(fmt::format("a process was killed: over the memory limit of {}",
                       human_bytes(command_.limits.memory_bytes)));
    exceeded_ = exceeded(ending, group);
    return ending;
  }

  std::string disk_text() const { return fmt::format("the disk limit of {}", human_bytes(command_.limits.disk_bytes)); }

  /// The limit that made a command fail, as far as can be told. A build that goes on without the process that was
  /// killed, or could not be started, does not fail.
  std::string exceeded(const Ending& ending, const Cgroup& group) const {
    const Limits& limits = command_.limits;
    if (ending.disk_full) return disk_text();
    if (ending.failure || ending.exit.timed_out || ending.exit.ok()) return {};
    if (group.ran_out_of_memory()) return fmt::format("the memory limit of {}", human_bytes(limits.memory_bytes));
    if (group.ran_out_of_pids()) return fmt::format("the limit of {} processes", limits.max_pids);
    return {};
  }

  Result<os::Exit> in_copy() {
    CopiedRoot root = TRY(CopiedRoot::make(command_.root), "copying the root");
    Launch launch = TRY(prepare_somehow(root.path()));
    Ending ending = TRY(attempt(launch));
    TRY(root.keep_changes(), "moving what changed into '{}'", command_.root.upper.string());
    // What the command wrote into its root is in a measured directory only now.
    if (const std::uint64_t limit = command_.limits.disk_bytes; limit > 0 && !command_.measured.empty()) {
      ending.disk_full = ending.disk_full || disk_usage(command_.measured, limit).value_or(limit + 1) > limit;
      if (ending.disk_full) exceeded_ = disk_text();
    }
    return answer(launch, std::move(ending));
  }

  Result<os::Exit> answer(const Launch& launch, Ending ending) const {
    if (!exceeded_.empty()) {
      if (ending.exit.ok()) ending.exit.code = 1;
      if (command_.on_exceeded) command_.on_exceeded(exceeded_);
    }
    if (ending.failure) return error_of(launch, *ending.failure);
    if (ending.interrupted) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (ending.too_much)
      return Error::make(ErrorKind::kUnavailable, "'{}' printed too much to keep",
                         command_.argv[0]);
    return std::move(ending.exit);
  }

  /// A failure to tidy up is no failure of the command.
  void remove_work() const {
    (void)os::remove_tree(command_.root.upper.string() + ".work").has_value();
  }

  void note(const std::string& text) const {
    if (command_.on_note) return command_.on_note(text);
    if (command_.on_line) command_.on_line("note: " + text);
  }

  const SandboxCommand& command_;
  RootMaking making_;
  std::stop_token stop_;
  std::string exceeded_;
};

}  // namespace

Result<os::Exit> LinuxSandbox::run(const SandboxCommand& command, std::stop_token stop) {
  return Run(command, making_, std::move(stop)).go();
}

}  // namespace nacre::sandbox
