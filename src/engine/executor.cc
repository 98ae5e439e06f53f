#include "engine/executor.h"

namespace nacre::engine {

Executor::~Executor() = default;

Executor::Id Executor::submit(Job job, Listener listener) {
  auto running = std::make_shared<Running>();
  const std::lock_guard lock(mutex_);
  const Id id = next_++;
  running_[id] = running;
  running->thread = std::jthread(
      [this, job = std::move(job), listener = std::move(listener), at = running.get()](const std::stop_token& stop) {
        auto outcome = perform(job, listener, stop);
        const std::lock_guard guard(mutex_);
        at->outcome.emplace(std::move(outcome));
        ended_.notify_all();
      });
  return id;
}

Result<Outcome> Executor::wait(Id id, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return Error::make(ErrorKind::kInternal, "no job {} to wait for", id);
  const std::shared_ptr<Running> running = found->second;
  // The callback may run in the thread that holds the lock, so it takes none.
  const std::stop_callback on_stop(stop, [&] { running->thread.request_stop(); });
  ended_.wait(lock, [&] { return running->outcome.has_value(); });
  running_.erase(id);
  lock.unlock();
  running->thread.join();
  return std::move(*running->outcome);
}

void Executor::cancel(Id id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found != running_.end()) found->second->thread.request_stop();
}

void Executor::end_all() {
  std::map<Id, std::shared_ptr<Running>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(running_);
  }
  for (auto& [id, running] : all) running->thread.request_stop();
  for (auto& [id, running] : all)
    if (running->thread.joinable()) running->thread.join();
}

std::int64_t timeout_class(double seconds) {
  constexpr std::int64_t kHour = 3600;
  if (seconds <= 0) return 12 * kHour;
  for (const std::int64_t hours : {1, 4, 12})
    if (seconds <= static_cast<double>(hours * kHour)) return hours * kHour;
  return 48 * kHour;
}

}  // namespace nacre::engine
