#include "sandbox/disk_watch.h"

#include "os/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <chrono>
#include <condition_variable>
#include <set>

namespace nacre::sandbox {
namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kDeepest = 256;
constexpr Seconds kTick{0.1}, kBetween{1};
constexpr double kShare = 0.05;  ///< Of the time, for measuring.

class Usage {
 public:
  Usage(std::uint64_t enough, std::stop_token stop) : enough_(enough), stop_(std::move(stop)) {}

  bool add(const Path& folder) { return add(os::Fd(::open(folder.c_str(), kFlags)), 0); }
  std::uint64_t sum() const { return sum_; }

 private:
  static constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

  bool add(os::Fd folder, int depth) {
    if (!folder) return true;  // gone meanwhile
    if (depth > kDeepest) return false;
    DIR* list = ::fdopendir(folder.get());
    if (list == nullptr) return true;
    const int fd = folder.release();  // the list closes it
    bool fine = true;
    while (fine && sum_ <= enough_) {
      const dirent* entry = ::readdir(list);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      fine = !stop_.stop_requested() && add_entry(fd, entry->d_name, depth);
    }
    ::closedir(list);
    return fine;
  }

  bool add_entry(int folder, const char* name, int depth) {
    struct stat status {};
    if (::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    const bool one_name = S_ISDIR(status.st_mode) || status.st_nlink < 2;
    if (one_name || seen_.insert({status.st_dev, status.st_ino}).second)
      sum_ += static_cast<std::uint64_t>(status.st_blocks) * 512;
    return !S_ISDIR(status.st_mode) || add(os::Fd(::openat(folder, name, kFlags)), depth + 1);
  }

  std::uint64_t enough_, sum_ = 0;
  std::stop_token stop_;
  std::set<std::pair<dev_t, ino_t>> seen_;  ///< Files with several names.
};

}  // namespace

std::optional<std::uint64_t> disk_usage(const std::vector<Path>& folders, std::uint64_t enough, std::stop_token stop) {
  Usage usage(enough, std::move(stop));
  for (const Path& folder : folders)
    if (!usage.add(folder)) return std::nullopt;
  return usage.sum();
}

DiskWatch::DiskWatch(std::vector<Path> folders, std::uint64_t limit)
    : folders_(std::move(folders)),
      limit_(limit),
      free_then_(free_bytes()),
      thread_([this](const std::stop_token& stop) { watch(stop); }) {}

bool DiskWatch::over_at_end() {
  thread_ = {};  // stops and joins
  if (!over_) measure({});
  return over_;
}

std::uint64_t DiskWatch::free_bytes() const {
  struct statvfs status {};
  if (folders_.empty() || ::statvfs(folders_.front().c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_bfree} * status.f_frsize;
}

void DiskWatch::measure(const std::stop_token& stop) {
  free_then_ = free_bytes();
  const std::optional<std::uint64_t> usage = disk_usage(folders_, limit_, stop);
  if (stop.stop_requested()) return;
  last_ = usage.value_or(0);
  if (!usage || *usage > limit_) over_ = true;
}

void DiskWatch::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  Steady::time_point next = Steady::now();
  while (!stop.stop_requested() && !over_) {
    const std::uint64_t room = limit_ > last_ ? limit_ - last_ : 0, free_now = free_bytes();
    // Whoever took it: half of the room is gone, or so it may be.
    const bool filling = free_then_ > free_now && free_then_ - free_now > room / 2;
    if (filling || Steady::now() >= next) {
      const Steady::time_point begin = Steady::now();
      measure(stop);
      const Seconds took = Steady::now() - begin;
      next = Steady::now() + std::chrono::duration_cast<Steady::duration>(std::max(kBetween, took / kShare));
    }
    woken.wait_for(lock, stop, kTick, [] { return false; });
  }
}

}  // namespace nacre::sandbox
