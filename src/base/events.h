#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace nacre {

/// What a room tells whoever watches. Sinks (cli/progress.h) draw the live tree, plain lines or JSON.
enum class EventKind {
  kStarted,   ///< A task began; `name` says which.
  kProgress,  ///< `done` of `total` (bytes or items); total 0 when unknown.
  kOutput,    ///< One line that a child process printed; `detail` holds it.
  kNote,      ///< Something worth a line in every sink.
  kWarning,   ///< Something a person should look at; nothing failed.
  kFinished,  ///< `detail` says how ("cached", "12 files"); `failed` says whether it went wrong.
};

struct Event {
  EventKind kind = EventKind::kNote;
  std::uint64_t task = 0;    ///< 0 for events outside any task.
  std::uint64_t parent = 0;  ///< 0 for a task at the top.
  std::string name;
  std::string detail;
  std::uint64_t done = 0, total = 0;
  bool failed = false;
};

/// Where events go. Implementations are safe to call from several threads.
class Events {
 public:
  virtual ~Events() = default;
  virtual void emit(const Event& event) = 0;
};

/// Drops everything; for tests and for calls whose progress nobody watches.
class NoEvents final : public Events {
 public:
  void emit(const Event&) override {}
};

/// One task in the tree. Says kFinished (failed) on destruction unless finish() was called, so that
/// an early return through TRY shows as a failure.
class Task {
 public:
  Task(Events& events, std::string name, const Task* parent = nullptr);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void progress(std::uint64_t done, std::uint64_t total) const;
  void output(std::string_view line) const;
  void note(std::string_view text) const;
  void warn(std::string_view text) const;
  void finish(std::string_view how = {});

  std::uint64_t id() const { return id_; }
  Events& events() const { return events_; }

 private:
  void emit(EventKind kind, std::string_view detail, std::uint64_t done = 0,
            std::uint64_t total = 0, bool failed = false) const;

  Events& events_;
  std::uint64_t id_;
  std::uint64_t parent_;
  std::string name_;
  bool finished_ = false;
};

}  // namespace nacre
