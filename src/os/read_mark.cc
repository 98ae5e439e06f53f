#include "os/read_mark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace nacre::os {
namespace {

/// The access time of what was not read: older than anything, so that kernels note the first reading (relatime).
constexpr timespec kUnread{1, 0};
constexpr timespec kTimes[2] = {kUnread, {0, UTIME_OMIT}};

std::int64_t in_ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// Files are stamped by the exact clock or by one that is up to a tick behind, CLOCK_REALTIME_COARSE.
std::int64_t now_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return in_ns(time);
}

bool is_marked(const struct stat& status) { return in_ns(status.st_atim) == in_ns(kUnread); }

/// Whether reading a file of this folder can be told afterwards.
bool keeps_access_times(const Path& folder) {
  const Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  char byte = 'x';
  struct stat status {};
  return file && ::pwrite(file.get(), &byte, 1, 0) == 1 && ::futimens(file.get(), kTimes) == 0 &&
         ::fstat(file.get(), &status) == 0 && is_marked(status) && ::pread(file.get(), &byte, 1, 0) == 1 &&
         ::fstat(file.get(), &status) == 0 && !is_marked(status);
}

}  // namespace

Result<std::optional<ReadMark>> mark_unread(const Path& tree) {
  if (!keeps_access_times(tree)) return std::optional<ReadMark>();
  const std::vector<TreeEntry> entries = TRY(walk_tree(tree));
  ReadMark mark;
  mark.begin_ns = now_ns(CLOCK_REALTIME_COARSE);
  for (const TreeEntry& entry : entries)
    if (entry.type == FileType::kRegular)
      (void)::utimensat(AT_FDCWD, (tree / entry.path.str()).c_str(), kTimes, AT_SYMLINK_NOFOLLOW);
  mark.end_ns = now_ns(CLOCK_REALTIME);
  // What happens from now on gets a later stamp, by either clock.
  while (now_ns(CLOCK_REALTIME_COARSE) <= mark.end_ns) {
    const timespec tick{0, 500'000};
    ::nanosleep(&tick, nullptr);
  }
  return std::optional(mark);
}

bool was_read(const Path& file, const ReadMark& mark) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !is_marked(status)) return true;
  const std::int64_t changed = in_ns(status.st_ctim);
  return changed < mark.begin_ns || changed > mark.end_ns;
}

}  // namespace nacre::os
