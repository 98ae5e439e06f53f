#include "sandbox/watch.h"

#include "sandbox/disk_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace nacre::sandbox {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 1 << 16;
constexpr std::size_t kMaxCaptured = 64 << 20;
constexpr double kPatienceSeconds = 3;

/// Cuts a stream into lines, or keeps it whole within a bound.
class Stream {
 public:
  Stream(os::Fd& fd, const SandboxCommand& command, std::string& whole)
      : fd_(fd), command_(command), whole_(whole) {}

  /// False when it grew over the bound.
  bool pump() {
    char buffer[1 << 16];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return fd_.reset(), true;
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (command_.on_line) return cut(bytes), true;
    whole_.append(bytes);
    return whole_.size() <= kMaxCaptured;
  }
  void flush() {
    if (!line_.empty()) command_.on_line(line_);
    line_.clear();
  }

 private:
  void cut(std::string_view bytes) {
    for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos;) {
      line_.append(bytes.substr(0, end));
      command_.on_line(line_);
      line_.clear();
      bytes.remove_prefix(end + 1);
    }
    line_.append(bytes);
    if (line_.size() > kMaxLine) flush();
  }

  os::Fd& fd_;
  const SandboxCommand& command_;
  std::string& whole_;
  std::string line_;
};

class Watch {
 public:
  Watch(Line line, const SandboxCommand& command, std::stop_token stop)
      : line_(std::move(line)),
        command_(command),
        stop_(std::move(stop)),
        out_(line_.out, command, ending_.exit.out),
        err_(line_.err, command, ending_.exit.err),
        gone_(static_cast<int>(::syscall(SYS_pidfd_open, line_.pid, 0))) {
    if (command.limits.disk_bytes > 0 && !command.measured.empty())
      disk_.emplace(command.measured, command.limits.disk_bytes);
  }

  Ending run() {
    while (!reaped_ || line_.out || line_.err || line_.report || line_.status) {
      if (stop_.stop_requested()) end(ending_.interrupted);
      if (command_.limits.timeout_seconds > 0 &&
          seconds_since(start_) > command_.limits.timeout_seconds)
        end(ending_.exit.timed_out);
      if (disk_ && disk_->over()) end(ending_.disk_full);
      // Process 1 ends by itself when `life` closes; if it cannot, its death follows that of its
      // parent.
      if (ended_at_ && seconds_since(*ended_at_) > kPatienceSeconds) ::kill(line_.pid, SIGKILL);
      turn();
    }
    if (command_.on_line) {
      out_.flush();
      err_.flush();
    }
    if (disk_ && !ending_.disk_full) ending_.disk_full = disk_->over_at_end();
    finish();
    return std::move(ending_);
  }

 private:
  static double seconds_since(Steady::time_point then) {
    return std::chrono::duration<double>(Steady::now() - then).count();
  }
  /// Ends the sandbox; the first reason counts.
  void end(bool& reason) {
    if (ended_at_ || reaped_) return;
    reason = true;
    line_.life.reset();
    ended_at_ = Steady::now();
  }
  void turn() {
    pollfd fds[] = {{line_.out.get(), POLLIN, 0},
                    {line_.err.get(), POLLIN, 0},
                    {line_.report.get(), POLLIN, 0},
                    {line_.status.get(), POLLIN, 0},
                    {reaped_ ? -1 : gone_.get(), POLLIN, 0}};
    ::poll(fds, 5, gone_ || reaped_ ? 100 : 10);
    if (fds[0].revents != 0 && !out_.pump()) end(ending_.too_much);
    if (fds[1].revents != 0 && !err_.pump()) end(ending_.too_much);
    if (fds[2].revents != 0) read_report();
    if (fds[3].revents != 0) read_status();
    if (!reaped_ && (fds[4].revents != 0 || !gone_))
      reaped_ = ::waitpid(line_.pid, nullptr, WNOHANG) == line_.pid;
  }
  void read_report() {
    Report report;
    if (::read(line_.report.get(), &report, sizeof report) == sizeof report) {
      report.detail[sizeof report.detail - 1] = 0;
      ending_.failure = report;
    }
    line_.report.reset();
  }
  void read_status() {
    int status = 0;
    if (::read(line_.status.get(), &status, sizeof status) == sizeof status) status_ = status;
    line_.status.reset();
  }
  void finish() {
    os::Exit& exit = ending_.exit;
    // No status: process 1 was killed, by us or for want of memory.
    exit.signal = !status_ ? SIGKILL : WIFSIGNALED(*status_) ? WTERMSIG(*status_) : 0;
    exit.code = status_ && WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + exit.signal;
  }

  Line line_;
  const SandboxCommand& command_;
  std::stop_token stop_;
  Ending ending_;
  Stream out_, err_;
  os::Fd gone_;
  std::optional<DiskWatch> disk_;
  Steady::time_point start_ = Steady::now();
  std::optional<Steady::time_point> ended_at_;
  std::optional<int> status_;
  bool reaped_ = false;
};

}  // namespace

Ending watch(Line line, const SandboxCommand& command, std::stop_token stop) {
  return Watch(std::move(line), command, std::move(stop)).run();
}

}  // namespace nacre::sandbox
