#include "os/process.h"

#include "base/text.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

namespace nacre::os {
namespace {

using Steady = std::chrono::steady_clock;

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error(errno, "make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::vector<std::string> environment_of(const Command& command) {
  if (!command.inherit_env) return command.env;
  std::map<std::string, std::string> merged;
  const auto put = [&](std::string_view entry) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string_view::npos) merged[std::string(entry.substr(0, equals))] = entry;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) put(*entry);
  for (const std::string& entry : command.env) put(entry);
  std::vector<std::string> out;
  for (auto& [name, entry] : merged) out.push_back(entry);
  return out;
}

/// argv[0] as execve wants it: the first PATH entry that holds an executable of that name.
Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  const std::string folders = path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& folder : split(folders, ':')) {
    const std::string candidate = folder + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error::make(ErrorKind::kNotFound, "no program '{}' in PATH", name)
      .hint("`nacre doctor` says how to install it");
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// What the child does between fork and exec; only async-signal-safe calls. Writes errno to
/// `report` when it fails.
[[noreturn]] void become(const Command& command, const char* program, char** argv, char** env,
                         const Pipe& in, const Pipe& out, const Pipe& err, int report,
                         pid_t parent) {
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  bool ok = ::dup2(in.read.get(), 0) >= 0 && ::dup2(out.write.get(), 1) >= 0 &&
            ::dup2(err.write.get(), 2) >= 0;
  if (ok && command.gid) ok = ::setgroups(0, nullptr) == 0 && ::setgid(*command.gid) == 0;
  if (ok && command.uid) ok = ::setuid(*command.uid) == 0;
  // After the change of user, which clears it; a parent that died before is noticed by hand.
  if (ok) ok = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  if (::getppid() != parent) ::_exit(127);
  if (ok && !command.working_dir.empty()) ok = ::chdir(command.working_dir.c_str()) == 0;
  if (ok) ::execve(program, argv, env);
  const int failure = errno;
  (void)!::write(report, &failure, sizeof failure);
  ::_exit(127);
}

/// Cuts a stream into lines, or keeps it whole within a bound.
class Capture {
 public:
  Capture(const Command& command, std::string& whole) : command_(command), whole_(whole) {}

  bool add(std::string_view bytes) {
    if (!command_.on_line) {
      whole_.append(bytes);
      return whole_.size() <= command_.max_output_bytes;
    }
    line_.append(bytes);
    for (std::size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1))
      command_.on_line(std::string_view(line_).substr(0, end));
    if (line_.size() > kMaxLine) flush();
    return true;
  }
  void flush() {
    if (!line_.empty()) command_.on_line(line_);
    line_.clear();
  }

 private:
  static constexpr std::size_t kMaxLine = 1 << 16;
  const Command& command_;
  std::string& whole_;
  std::string line_;
};

/// Moves bytes between a running child and us until it has ended and its streams are closed.
class Conversation {
 public:
  Conversation(const Command& command, int pid, Pipe in, Pipe out, Pipe err)
      : command_(command), pid_(pid), in_(std::move(in.write)), out_(std::move(out.read)),
        err_(std::move(err.read)), out_lines_(command, exit_.out), err_lines_(command, exit_.err) {
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
  }

  Result<Exit> run(std::stop_token stop) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const auto start = Steady::now();
    bool stopped = false, too_much = false;
    while (out_ || err_ || !reaped_) {
      if (stop.stop_requested()) stopped = true;
      const double gone = std::chrono::duration<double>(Steady::now() - start).count();
      if (command_.timeout_seconds > 0 && gone > command_.timeout_seconds && !reaped_)
        exit_.timed_out = true;
      if (stopped || exit_.timed_out || too_much) ::kill(-pid_, SIGKILL);
      pollfd fds[4] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {in_.get(), POLLOUT, 0},
                       {reaped_ ? -1 : pidfd.get(), POLLIN, 0}};
      ::poll(fds, 4, 100);
      if (fds[0].revents != 0) too_much |= !pump(out_, out_lines_);
      if (fds[1].revents != 0) too_much |= !pump(err_, err_lines_);
      if (fds[2].revents != 0) feed();
      if (fds[3].revents != 0 || !pidfd || exit_.timed_out || stopped) reap();
      if (reaped_ && !drain_started_) {
        drain_started_ = true;
        drain_until_ = Steady::now() + std::chrono::seconds(2);
      }
      // A grandchild that was left behind may hold the pipes open: wait a little, then let go.
      if (reaped_ && Steady::now() > drain_until_) break;
    }
    if (command_.on_line) {
      out_lines_.flush();
      err_lines_.flush();
    }
    if (stopped) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (too_much)
      return Error::make(ErrorKind::kUnavailable, "'{}' printed more than {} bytes",
                         command_.argv[0], command_.max_output_bytes);
    return std::move(exit_);
  }

 private:
  static bool pump(Fd& fd, Capture& lines) {
    char buffer[1 << 16];
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got > 0) return lines.add({buffer, static_cast<std::size_t>(got)});
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) fd.reset();
    return true;
  }
  void feed() {
    const std::string_view rest = std::string_view(command_.stdin_bytes).substr(fed_);
    const ssize_t written = rest.empty() ? 0 : ::write(in_.get(), rest.data(), rest.size());
    if (written > 0) fed_ += static_cast<std::size_t>(written);
    const bool broken = written < 0 && errno != EAGAIN && errno != EINTR;
    if (broken || fed_ == command_.stdin_bytes.size()) in_.reset();
  }
  void reap() {
    int status = 0;
    if (reaped_ || ::waitpid(pid_, &status, exit_.timed_out ? 0 : WNOHANG) != pid_) return;
    reaped_ = true;
    exit_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    exit_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + exit_.signal;
  }

  const Command& command_;
  int pid_;
  Fd in_, out_, err_;
  Exit exit_;
  Capture out_lines_, err_lines_;
  std::size_t fed_ = 0;
  bool reaped_ = false, drain_started_ = false;
  Steady::time_point drain_until_{};
};

/// A program that was just written is "busy" while a child that another thread forked in the meantime still holds the
/// descriptor that wrote it: until that child's own exec. Three seconds, all in all.
constexpr int kBusyTries = 75;

struct Started {
  pid_t pid = 0;
  int failure = 0;  ///< errno of what kept the child from running the program; it is gone then.
  Pipe in, out, err;
};

Result<Started> start(const Command& command, const std::string& program) {
  std::vector<std::string> words = command.argv, environment = environment_of(command);
  std::vector<char*> argv = pointers(words), env = pointers(environment);
  Started out;
  out.in = TRY(make_pipe());
  out.out = TRY(make_pipe());
  out.err = TRY(make_pipe());
  Pipe report = TRY(make_pipe());
  const pid_t parent = ::getpid();
  out.pid = ::fork();
  if (out.pid < 0) return system_error(errno, "start a process");
  if (out.pid == 0) become(command, program.c_str(), argv.data(), env.data(), out.in, out.out, out.err,
                           report.write.get(), parent);
  ::setpgid(out.pid, out.pid);
  out.in.read.reset();
  out.out.write.reset();
  out.err.write.reset();
  report.write.reset();
  if (::read(report.read.get(), &out.failure, sizeof out.failure) == sizeof out.failure) ::waitpid(out.pid, nullptr, 0);
  else out.failure = 0;
  return out;
}

}  // namespace

Result<Exit> SystemProcesses::run(const Command& command, std::stop_token stop) {
  if (command.argv.empty()) return Error::make(ErrorKind::kInternal, "no program to run");
  const std::string program = TRY(find_program(command.argv[0]));
  static const bool no_sigpipe = (::signal(SIGPIPE, SIG_IGN), true);
  (void)no_sigpipe;
  for (int tries = 1;; ++tries) {
    Started started = TRY(start(command, program));
    if (started.failure == 0)
      return Conversation(command, started.pid, std::move(started.in), std::move(started.out),
                          std::move(started.err)).run(stop);
    if (stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (started.failure != ETXTBSY || tries == kBusyTries)
      return system_error(started.failure, fmt::format("run '{}'", program));
    std::this_thread::sleep_for(std::chrono::milliseconds(tries));
  }
}

void FakeProcesses::expect(std::vector<std::string> argv, Exit answer) {
  answers_.emplace_back(std::move(argv), std::move(answer));
}

Result<Exit> FakeProcesses::run(const Command& command, std::stop_token) {
  asked_.push_back(command);
  for (const auto& [argv, answer] : answers_)
    if (argv == command.argv) return answer;
  return Error::make(ErrorKind::kNotFound, "no answer was expected for '{}'",
                     join(command.argv, " "));
}

Result<std::string> run_or_fail(Processes& processes, const Command& command,
                                std::stop_token stop) {
  Exit exit = TRY(processes.run(command, stop));
  if (exit.ok()) return std::move(exit.out);
  std::vector<std::string> lines = split(trim(exit.err.empty() ? exit.out : exit.err), '\n');
  if (lines.size() > 12) lines.erase(lines.begin(), lines.end() - 12);
  const std::string how =
      exit.timed_out ? "ran out of time" : fmt::format("ended with exit code {}", exit.code);
  return Error::make(ErrorKind::kUnavailable, "'{}' {}:\n    {}", command.argv[0], how,
                     join(lines, "\n    "));
}

}  // namespace nacre::os
