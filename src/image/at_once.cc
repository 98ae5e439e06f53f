#include "image/at_once.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace nacre::image {

Result<> at_once(std::size_t count, const std::function<Result<>(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::map<std::size_t, Error> errors;
  const auto run = [&] {
    while (!failed) {
      const std::size_t i = next++;
      if (i >= count) return;
      auto done = work(i);
      if (done) continue;
      const std::lock_guard lock(mutex);
      errors.emplace(i, std::move(done).error());
      failed = true;
    }
  };
  const std::size_t width = std::min<std::size_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < width; ++i) threads.emplace_back(run);
  run();
  threads.clear();  // joins
  if (errors.empty()) return {};
  return std::move(errors.begin()->second);
}

}  // namespace nacre::image
