#include "base/events.h"

namespace nacre {
namespace {

std::uint64_t next_task() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Task::Task(Events& events, std::string name, const Task* parent)
    : events_(events), id_(next_task()), parent_(parent ? parent->id_ : 0), name_(std::move(name)) {
  emit(EventKind::kStarted, {});
}

Task::~Task() {
  if (!finished_) emit(EventKind::kFinished, "failed", 0, 0, true);
}

void Task::progress(std::uint64_t done, std::uint64_t total) const {
  emit(EventKind::kProgress, {}, done, total);
}
void Task::output(std::string_view line) const { emit(EventKind::kOutput, line); }
void Task::note(std::string_view text) const { emit(EventKind::kNote, text); }
void Task::warn(std::string_view text) const { emit(EventKind::kWarning, text); }

void Task::finish(std::string_view how) {
  if (finished_) return;
  finished_ = true;
  emit(EventKind::kFinished, how);
}

void Task::emit(EventKind kind, std::string_view detail, std::uint64_t done, std::uint64_t total,
                bool failed) const {
  events_.emit(Event{kind, id_, parent_, name_, std::string(detail), done, total, failed});
}

}  // namespace nacre
