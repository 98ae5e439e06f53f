#include "cli/progress.h"

#include "base/text.h"
#include "codec/json.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>

namespace nacre::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Running {
  std::string name;
  std::uint64_t parent = 0;
  SteadyClock::time_point since = SteadyClock::now();
  std::uint64_t done = 0, total = 0;
  std::string last_line;
};

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// Lines as tasks begin and end; child output only in the log files.
class PlainProgress final : public Events {
 public:
  void emit(const Event& event) override {
    const std::lock_guard lock(mutex_);
    switch (event.kind) {
      case EventKind::kStarted: running_[event.task] = {event.name, event.parent, SteadyClock::now(), 0, 0, {}}; break;
      case EventKind::kNote: line("note     ", event); break;
      case EventKind::kWarning: line("warning  ", event); break;
      case EventKind::kFinished: finished(event); break;
      default: break;
    }
    if (!running_.empty() && seconds_since(printed_at_) > kSilence) still_running();
  }

 private:
  static constexpr double kSilence = 20;  // seconds after which a line says what is still going on

  void line(const char* mark, const Event& event) {
    fmt::print(stderr, "{}{}: {}\n", mark, event.name, event.detail);
    printed_at_ = SteadyClock::now();
  }
  void still_running() {
    std::string text;
    for (const auto& [id, task] : running_)
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", task.name, human_duration(seconds_since(task.since)));
    fmt::print(stderr, "running  {}\n", text);
    printed_at_ = SteadyClock::now();
  }
  void finished(const Event& event) {
    const double took = seconds_since(running_[event.task].since);
    running_.erase(event.task);
    fmt::print(stderr, "{}{}{}{} ({})\n", event.failed ? "FAILED   " : "done     ", event.name,
               event.detail.empty() ? "" : ": ", event.detail, human_duration(took));
    printed_at_ = SteadyClock::now();
  }

  std::mutex mutex_;
  std::map<std::uint64_t, Running> running_;
  SteadyClock::time_point printed_at_ = SteadyClock::now();
};

class JsonProgress final : public Events {
 public:
  void emit(const Event& event) override {
    constexpr const char* kNames[] = {"started", "progress", "output", "note", "warning", "finished"};
    codec::Json json;
    json.set("event", kNames[static_cast<int>(event.kind)]).set("task", event.task).set("name", event.name);
    if (event.parent != 0) json.set("parent", event.parent);
    if (!event.detail.empty()) json.set("detail", event.detail);
    if (event.kind == EventKind::kProgress) json.set("done", event.done).set("total", event.total);
    if (event.kind == EventKind::kFinished) json.set("failed", event.failed);
    const std::lock_guard lock(mutex_);
    fmt::print(stderr, "{}\n", codec::to_json(json));
  }

 private:
  std::mutex mutex_;
};

/// Finished tasks scroll by; running ones are redrawn below them, the last output line of each beside it.
class TreeProgress final : public Events {
 public:
  ~TreeProgress() override { erase(); }

  void emit(const Event& event) override {
    const std::lock_guard lock(mutex_);
    switch (event.kind) {
      case EventKind::kStarted: running_[event.task] = {event.name, event.parent, SteadyClock::now(), 0, 0, {}}; break;
      case EventKind::kProgress:
        running_[event.task].done = event.done;
        running_[event.task].total = event.total;
        break;
      case EventKind::kOutput: running_[event.task].last_line = event.detail; break;
      case EventKind::kNote:
      case EventKind::kWarning: above(fmt::format("  {}: {}", event.name, event.detail)); break;
      case EventKind::kFinished: finished(event); break;
    }
    if (event.kind != EventKind::kOutput || seconds_since(drawn_at_) > 0.1) draw();
  }

 private:
  void finished(const Event& event) {
    const double took = seconds_since(running_[event.task].since);
    running_.erase(event.task);
    above(fmt::format("{} {}{}{} ({})", event.failed ? "\033[31m✗\033[0m" : "\033[32m✓\033[0m", event.name,
                      event.detail.empty() ? "" : ": ", event.detail, human_duration(took)));
  }

  void above(const std::string& text) {
    erase();
    fmt::print(stderr, "{}\n", text);
  }

  void erase() {
    for (; drawn_ > 0; --drawn_) std::fputs("\033[1A\033[2K", stderr);
    std::fflush(stderr);
  }

  static std::size_t width() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
  }

  int depth(const Running& task) const {
    int out = 0;
    for (auto parent = running_.find(task.parent); parent != running_.end() && out < 8;
         parent = running_.find(parent->second.parent))
      ++out;
    return out;
  }

  void draw() {
    erase();
    const std::size_t columns = width() - 1;
    for (const auto& [id, task] : running_) {
      std::string text(static_cast<std::size_t>(depth(task)) * 2, ' ');
      text += "• " + task.name + " " + human_duration(seconds_since(task.since));
      if (task.total > 0) text += fmt::format("  {}/{}", task.done, task.total);
      if (!task.last_line.empty()) text += "  │ " + task.last_line;
      std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 32; });
      fmt::print(stderr, "{}\n", text.substr(0, columns));
      ++drawn_;
    }
    std::fflush(stderr);
    drawn_at_ = SteadyClock::now();
  }

  std::mutex mutex_;
  std::map<std::uint64_t, Running> running_;
  int drawn_ = 0;
  SteadyClock::time_point drawn_at_ = SteadyClock::now();
};

}  // namespace

std::unique_ptr<Events> make_progress(ProgressStyle style) {
  if (style == ProgressStyle::kNone) return std::make_unique<NoEvents>();
  if (style == ProgressStyle::kJson) return std::make_unique<JsonProgress>();
  if (style == ProgressStyle::kAuto && isatty(STDERR_FILENO) != 0) return std::make_unique<TreeProgress>();
  return std::make_unique<PlainProgress>();
}

}  // namespace nacre::cli
