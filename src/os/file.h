#pragma once

#include "base/result.h"
#include "base/tree_path.h"
#include "os/fd.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::os {

using Path = std::filesystem::path;

/// kNotFound for ENOENT/ENOTDIR, kDenied for EACCES/EPERM/EROFS, kUnavailable for ENOSPC/EDQUOT/EIO
/// ("no space left on /x"), kConflict for EEXIST/EBUSY, kInvalid otherwise. `what` is "open '/x'".
Error system_error(int error_number, std::string_view what);

constexpr std::uint64_t kMaxTextBytes = 64u << 20;

/// Whole content of a file. kInvalid when it is longer than `max_bytes`.
Result<std::string> read_file(const Path& path, std::uint64_t max_bytes = kMaxTextBytes);

enum class Sync { kNo, kYes };

/// All that was written to the file system of `folder` is on its disk: one call, not one for each file.
Result<> sync_file_system(const Path& folder);

/// Replaces `path` by rename, so that readers see the old content or the new, never a part.
Result<> write_file(const Path& path, std::string_view bytes, unsigned mode = 0644,
                    Sync sync = Sync::kNo);

Result<> make_dirs(const Path& path, unsigned mode = 0755);
bool exists(const Path& path);          ///< Also true for a dangling symlink.
Result<> rename(const Path& from, const Path& to);
Result<> sync_dir(const Path& folder);  ///< fsync of the directory itself.

/// Removes a file or a whole tree, without following symlinks or crossing mounts; makes
/// directories writable where it must. Absent is fine.
Result<> remove_tree(const Path& path);

/// A file being written beside its final place; the destructor removes it unless commit() renamed it.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const Path& path, unsigned mode = 0644);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();
  Result<> write(std::string_view bytes);
  Result<> commit(Sync sync = Sync::kNo);
  int fd() const { return fd_.get(); }
  const Path& temporary_path() const { return temporary_; }

 private:
  AtomicFile(Path path, Path temporary, Fd fd);
  Path path_, temporary_;
  Fd fd_;
};

/// A fresh directory, removed with all that is in it.
class TempDir {
 public:
  static Result<TempDir> create(const Path& parent, std::string_view prefix = "nacre-");
  TempDir(TempDir&&) noexcept;
  TempDir& operator=(TempDir&&) noexcept;
  ~TempDir();
  const Path& path() const { return path_; }
  Path keep();  ///< Gives up ownership: the directory stays.

 private:
  explicit TempDir(Path path) : path_(std::move(path)) {}
  Path path_;
};

enum class FileType { kRegular, kDirectory, kSymlink, kCharDevice, kBlockDevice, kFifo, kSocket };

/// What a tree holds at one path; content of regular files is read separately.
struct TreeEntry {
  TreePath path;
  FileType type = FileType::kRegular;
  unsigned mode = 0;             ///< Permission bits with setuid, setgid, sticky.
  unsigned uid = 0, gid = 0;
  std::uint64_t size_bytes = 0;  ///< Of regular files; of symlinks the target's length.
  std::int64_t mtime = 0;        ///< Seconds.
  std::string link_target;       ///< Of symlinks.
  unsigned dev_major = 0, dev_minor = 0;
  std::uint64_t inode = 0;       ///< Equal for hard links of one tree.
};

/// Every entry below `root` but the root itself: depth first, a directory before its content, names of
/// one directory ordered bytewise. Symlinks are reported, never followed.
Result<std::vector<TreeEntry>> walk_tree(const Path& root);

/// Opens a regular file beneath `root` for reading through openat2(RESOLVE_BENEATH|NO_SYMLINKS), so
/// that nothing inside the tree can lead out of it.
Result<Fd> open_beneath(const Path& root, const TreePath& path);
Result<std::string> read_beneath(const Path& root, const TreePath& path,
                                 std::uint64_t max_bytes = kMaxTextBytes);

/// An advisory lock (flock) on `path`, made if absent; released on destruction.
class FileLock {
 public:
  enum class Wait { kNo, kYes };
  enum class Share { kExclusive, kShared };  ///< Many may hold it shared while nobody holds it alone.
  /// kConflict when another process holds it and Wait::kNo.
  static Result<FileLock> take(const Path& path, Wait wait = Wait::kYes, Share share = Share::kExclusive);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace nacre::os
