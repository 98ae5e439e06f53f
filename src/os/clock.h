#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace nacre::os {

/// Time as the program sees it; the fake moves only when told.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_seconds() = 0;     ///< Since 1970, UTC.
  virtual double monotonic_seconds() = 0;     ///< For durations.
  virtual void sleep(double seconds) = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t now_seconds() override;
  double monotonic_seconds() override;
  void sleep(double seconds) override;
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::int64_t start = 1'700'000'000) : now_(static_cast<double>(start)) {}
  std::int64_t now_seconds() override { return static_cast<std::int64_t>(now_); }
  double monotonic_seconds() override { return now_; }
  void sleep(double seconds) override { now_ += seconds; }

 private:
  double now_;
};

/// "2026-11-24T05:03:00Z" (RFC 3339, UTC).
std::string rfc3339(std::int64_t seconds);

}  // namespace nacre::os
