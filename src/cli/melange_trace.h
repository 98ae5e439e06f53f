#pragma once

#include "base/events.h"
#include "codec/json.h"
#include "os/clock.h"
#include "os/file.h"

#include <map>
#include <mutex>
#include <string>

namespace nacre::cli {

/// Passes events on and keeps each task that ended as a span: one JSON object
/// with the fields that OpenTelemetry's exporter to a stream writes. Safe to
/// call from several threads.
class SpanRecorder final : public Events {
 public:
  SpanRecorder(Events& inner, os::Clock& clock);
  void emit(const Event& event) override;
  /// All spans so far, one a line, in the order in which they ended.
  std::string text() const;

 private:
  struct Open {
    std::string name;
    std::uint64_t parent = 0;
    double begin = 0;
  };
  std::string time_at(double monotonic) const;

  Events& inner_;
  os::Clock& clock_;
  std::int64_t wall_;  ///< Both clocks at the start.
  double monotonic_;
  std::string trace_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Open> open_;
  std::string text_;
};

}  // namespace nacre::cli
