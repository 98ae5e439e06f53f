#pragma once

#include "base/result.h"
#include "os/file.h"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

/// Internal to the room: copies of what steps left in their directories, each file version copied once.
namespace nacre::build {

/// One path of a snapshot.
struct SavedEntry {
  char type = 'f';  ///< f file, d directory, l symlink, h hard link to `target`, p fifo, c character device.
  unsigned mode = 0, uid = 0, gid = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t device = 0;
  std::string path;
  std::string target;  ///< Of a symlink or hard link; of a file the copy, "KEY/NUMBER", beside the snapshot.
  /// Extended ones; not what overlay mounts note for themselves.
  std::vector<std::pair<std::string, std::string>> attributes;
};

/// What a walk over some directories costs before anything is copied.
struct Change {
  std::uint64_t files = 0, bytes = 0;  ///< New or changed since the last snapshot.
  std::uint64_t entries = 0;
};

/// Follows some directories from step to step. Files whose inode, size and change time are as they were need no new
/// copy.
class Tracker {
 public:
  Tracker(os::Path work, std::vector<std::string> folders) : work_(std::move(work)), folders_(std::move(folders)) {}

  /// Reads what there is now. kUnavailable where something cannot be read or kept (a socket, say).
  Result<Change> look();

  /// Copies what look() found changed into `folder`, whose name in the snapshots' directory is `key`.
  Result<> copy(const os::Path& folder, const std::string& key);
  const std::vector<SavedEntry>& entries() const { return entries_; }

  /// Makes the directories as `entries` say; copies are below `snapshots`.
  Result<> restore(const std::vector<SavedEntry>& entries, const os::Path& snapshots);

 private:
  struct Known {
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;
    std::string copy;
  };
  Result<> walk(int at, const std::string& path, std::map<std::uint64_t, std::string>& links);
  Result<> one(int at, const char* name, const std::string& path, std::map<std::uint64_t, std::string>& links);

  os::Path work_;
  std::vector<std::string> folders_;
  std::vector<SavedEntry> entries_;
  std::vector<std::uint64_t> inodes_;                ///< Of entries_.
  std::unordered_map<std::uint64_t, Known> known_;   ///< By inode, as of the last copy.
  std::unordered_map<std::uint64_t, Known> seen_;    ///< As of the last look.
  Change change_;
};

std::string to_text(const std::vector<SavedEntry>& entries);
Result<std::vector<SavedEntry>> entries_from_text(std::string_view text);

}  // namespace nacre::build
