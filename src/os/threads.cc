#include "os/threads.h"

#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace nacre::os {

Result<> for_each(std::size_t count, unsigned threads, const std::function<Result<>(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::size_t failed_at = count;
  std::optional<Error> error;
  const auto run = [&] {
    while (!failed) {
      const std::size_t at = next++;
      if (at >= count) return;
      Result<> done = work(at);
      if (done) continue;
      failed = true;
      const std::lock_guard lock(mutex);
      if (at >= failed_at) continue;
      failed_at = at;
      error = std::move(done).error();
    }
  };
  {
    std::vector<std::jthread> others;
    const unsigned most = threads != 0 ? threads : worker_count();
    const std::size_t wanted = std::min<std::size_t>(count, most);
    for (std::size_t i = 1; i < wanted; ++i) others.emplace_back(run);
    run();
  }
  if (error) return *std::move(error);
  return {};
}

}  // namespace nacre::os
