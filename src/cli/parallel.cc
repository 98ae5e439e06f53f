#include "cli/parallel.h"

#include "os/file.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace nacre::cli {
namespace {

constexpr std::uint64_t kBytesForOne = std::uint64_t{2} << 30;

/// MemAvailable; 0 when the machine does not say.
std::uint64_t available_bytes() {
  const auto text = os::read_file("/proc/meminfo");
  constexpr std::string_view kField = "MemAvailable:";
  const std::size_t at = text ? text->find(kField) : std::string::npos;
  return at == std::string::npos ? 0 : std::strtoull(text->c_str() + at + kField.size(), nullptr, 10) * 1024;
}

/// What the threads share.
class Queue {
 public:
  explicit Queue(const plan::Plan& plan) : plan_(plan), open_(plan.steps.size(), true) {}

  /// The first step in the plan's order that may begin; waits for one. nullopt: nothing will come.
  std::optional<std::size_t> next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      bool left = false;
      for (std::size_t i = 0; i < open_.size() && !failed_; ++i) {
        if (!open_[i]) continue;
        left = true;
        if (!is_ready(plan_.steps[i])) continue;
        open_[i] = false;
        ++running_;
        return i;
      }
      if (!left || running_ == 0) return std::nullopt;
      changed_.wait(lock);
    }
  }

  void done(std::size_t index, bool ok) {
    const std::lock_guard lock(mutex_);
    if (ok)
      done_.insert(plan_.steps[index].name);
    else
      failed_ = true;
    --running_;
    changed_.notify_all();
  }

 private:
  /// What is not in the plan is not waited for.
  bool is_ready(const plan::PlannedStep& step) const {
    return std::all_of(step.after.begin(), step.after.end(), [&](const std::string& name) {
      const bool planned = std::any_of(plan_.steps.begin(), plan_.steps.end(),
                                       [&](const plan::PlannedStep& other) { return other.name == name; });
      return !planned || done_.contains(name);
    });
  }

  const plan::Plan& plan_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> open_;
  std::set<std::string> done_;
  std::size_t running_ = 0;
  bool failed_ = false;
};

}  // namespace

unsigned default_jobs() {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const std::uint64_t bytes = available_bytes();
  if (bytes == 0) return cores;
  return std::clamp(static_cast<unsigned>(std::min<std::uint64_t>(bytes / kBytesForOne, cores)), 1u, cores);
}

Result<> run_planned(const plan::Plan& plan, unsigned jobs,
                     const std::function<Result<>(const plan::PlannedStep& step, std::size_t index)>& work) {
  Queue queue(plan);
  std::vector<std::optional<Error>> errors(plan.steps.size());
  const auto serve = [&] {
    while (const std::optional<std::size_t> index = queue.next()) {
      auto result = work(plan.steps[*index], *index);
      if (!result) errors[*index] = std::move(result).error();
      queue.done(*index, !errors[*index]);
    }
  };
  std::vector<std::thread> threads;
  const std::size_t count = std::min<std::size_t>(std::max(jobs, 1u), plan.steps.size());
  for (std::size_t i = 1; i < count; ++i) threads.emplace_back(serve);
  serve();
  for (std::thread& thread : threads) thread.join();
  for (std::optional<Error>& error : errors)
    if (error) return *std::move(error);
  return {};
}

std::map<std::string, std::set<std::string>> seen_by_each(const plan::Plan& plan) {
  std::map<std::string, std::set<std::string>> out;
  for (const plan::PlannedStep& step : plan.steps) {  // in building order: what comes before is complete
    std::set<std::string>& seen = out[step.name];
    for (const std::string& name : step.after) {
      seen.insert(name);
      if (const auto before = out.find(name); before != out.end() && name != step.name)
        seen.insert(before->second.begin(), before->second.end());
    }
  }
  return out;
}

}  // namespace nacre::cli
