#include "cli/melange_trace.h"

#include "base/text.h"
#include "codec/digest.h"

#include <cmath>

namespace nacre::cli {
namespace {

using codec::Json;

Json span_context(const std::string& trace, std::uint64_t task) {
  Json out;
  out.set("TraceID", trace).set("SpanID", fmt::format("{:016x}", task)).set("TraceFlags", "01");
  return out;
}

}  // namespace

SpanRecorder::SpanRecorder(Events& inner, os::Clock& clock)
    : inner_(inner),
      clock_(clock),
      wall_(clock.now_seconds()),
      monotonic_(clock.monotonic_seconds()),
      trace_(codec::sha256(fmt::format("{} {}", wall_, monotonic_)).hex().substr(0, 32)) {}

std::string SpanRecorder::time_at(double monotonic) const {
  const double since = std::max(monotonic - monotonic_, 0.0), whole = std::floor(since);
  std::string out = os::rfc3339(wall_ + static_cast<std::int64_t>(whole));
  if (out.ends_with('Z')) out.pop_back();
  return fmt::format("{}.{:06}Z", out, std::min(static_cast<int>((since - whole) * 1e6), 999'999));
}

void SpanRecorder::emit(const Event& event) {
  inner_.emit(event);
  if (event.kind != EventKind::kStarted && event.kind != EventKind::kFinished) return;
  const double now = clock_.monotonic_seconds();
  const std::lock_guard lock(mutex_);
  if (event.kind == EventKind::kStarted) {
    open_[event.task] = {event.name, event.parent, now};
    return;
  }
  const auto found = open_.find(event.task);
  if (found == open_.end()) return;
  Json row, status;
  row.set("Name", found->second.name).set("SpanContext", span_context(trace_, event.task));
  if (found->second.parent != 0) row.set("Parent", span_context(trace_, found->second.parent));
  row.set("StartTime", time_at(found->second.begin)).set("EndTime", time_at(now));
  status.set("Code", event.failed ? "Error" : "Ok").set("Description", event.detail);
  row.set("Status", std::move(status));
  text_ += codec::to_json(row) + "\n";
  open_.erase(found);
}

std::string SpanRecorder::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

}  // namespace nacre::cli
