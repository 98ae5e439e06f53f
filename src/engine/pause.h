#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "engine/reapi.h"

/// Internal to the room.
namespace nacre::engine {

/// Waits between tries, longer each time, and says when it is enough.
class Pause {
 public:
  explicit Pause(const Patience& patience, int times = 1) : patience_(patience), next_(patience.first_pause_seconds) {
    patience_.tries *= times;
  }

  /// Waits; false, at once, after the last try or when `stop` is requested.
  bool again(std::stop_token stop) {
    if (++tries_ >= patience_.tries) return false;
    std::mutex mutex;
    std::condition_variable_any asleep;
    std::unique_lock lock(mutex);
    asleep.wait_for(lock, stop, std::chrono::duration<double>(next_), [] { return false; });
    next_ = std::min(next_ * 2, 20.0);
    return !stop.stop_requested();
  }
  /// After an answer of some kind.
  void reset() {
    tries_ = 0;
    next_ = patience_.first_pause_seconds;
  }

 private:
  Patience patience_;
  double next_;
  int tries_ = 0;
};

}  // namespace nacre::engine
