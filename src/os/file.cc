#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace nacre::os {
namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::kDenied;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return ErrorKind::kUnavailable;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY: return ErrorKind::kConflict;
    default: return ErrorKind::kInvalid;
  }
}

std::string lower_first(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Result<> write_all(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, fmt::format("write '{}'", path.string()));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_all(int fd, std::uint64_t max_bytes, std::string_view name) {
  std::string out;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    if (static_cast<std::uint64_t>(status.st_size) > max_bytes)
      return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, more than the limit of {}", name,
                         status.st_size, max_bytes);
    out.reserve(static_cast<std::size_t>(status.st_size));
  }
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, fmt::format("read '{}'", name));
    if (got == 0) return out;
    if (out.size() + static_cast<std::size_t>(got) > max_bytes)
      return Error::make(ErrorKind::kInvalid, "'{}' has more than the limit of {} bytes", name,
                         max_bytes);
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string unique_suffix() {
  static std::atomic<unsigned> counter{0};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return fmt::format("{}-{}-{:x}", ::getpid(), ++counter, now.tv_nsec);
}

/// Removes what `name` in the open directory `parent` is, tree or file.
Result<> remove_at(int parent, const char* name, const Path& shown);

/// Opens a directory in `parent`; EXDEV when something is mounted on it, a bind mount included.
Fd open_folder_at(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof how)));
}

Result<> remove_children(int folder, const Path& shown) {
  Fd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return system_error(errno, fmt::format("open '{}'", shown.string()));
  DIR* listing = ::fdopendir(copy.get());
  if (listing == nullptr) return system_error(errno, fmt::format("list '{}'", shown.string()));
  copy.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(listing);
  for (const std::string& name : names) TRY(remove_at(folder, name.c_str(), shown / name));
  return {};
}

Result<> remove_at(int parent, const char* name, const Path& shown) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM)
    return system_error(errno, fmt::format("remove '{}'", shown.string()));
  Fd folder = open_folder_at(parent, name);
  if (!folder && errno == EACCES) {
    ::fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW);
    folder = open_folder_at(parent, name);
  }
  if (!folder && errno == EXDEV)
    return Error::make(ErrorKind::kConflict, "cannot remove '{}': something is mounted on it",
                       shown.string());
  if (!folder) return system_error(errno, fmt::format("open '{}'", shown.string()));
  ::fchmod(folder.get(), 0700);
  // What a program that was killed had started may still be writing there, for a moment.
  constexpr int kRounds = 50;
  constexpr auto kPause = std::chrono::milliseconds(20);
  for (int round = 1;; ++round) {
    TRY(remove_children(folder.get(), shown));
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if ((errno != ENOTEMPTY && errno != EEXIST) || round == kRounds)
      return system_error(errno, fmt::format("remove '{}'", shown.string()));
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Error system_error(int error_number, std::string_view what) {
  Error error = Error::make(kind_of(error_number), "cannot {}: {}", what,
                            lower_first(std::strerror(error_number)));
  if (error_number == ENOSPC)
    return std::move(error).hint(
        "free some space and run the same command again: finished work is kept");
  return error;
}

Result<std::string> read_file(const Path& path, std::uint64_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error(errno, fmt::format("open '{}'", path.string()));
  return read_all(fd.get(), max_bytes, path.string());
}

Result<> write_file(const Path& path, std::string_view bytes, unsigned mode, Sync sync) {
  AtomicFile file = TRY(AtomicFile::create(path, mode));
  TRY(file.write(bytes));
  return file.commit(sync);
}

Result<> make_dirs(const Path& path, unsigned mode) {
  if (path.empty() || std::filesystem::is_directory(path)) return {};
  TRY(make_dirs(path.parent_path(), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return system_error(errno, fmt::format("make the directory '{}'", path.string()));
  return {};
}

bool exists(const Path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<> rename(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return system_error(errno, fmt::format("rename '{}' to '{}'", from.string(), to.string()));
  return {};
}

Result<> sync_dir(const Path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    return system_error(errno, fmt::format("sync '{}'", folder.string()));
  return {};
}

Result<> sync_file_system(const Path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0)
    return system_error(errno, fmt::format("sync the file system of '{}'", folder.string()));
  return {};
}

Result<> remove_tree(const Path& tree) {
  const Path path = tree.has_filename() ? tree : tree.parent_path();  // "a/" means "a"
  const Path parent = path.has_parent_path() ? path.parent_path() : Path(".");
  const Fd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    if (errno == ENOENT) return {};
    return system_error(errno, fmt::format("open '{}'", parent.string()));
  }
  return remove_at(folder.get(), path.filename().c_str(), path);
}

AtomicFile::AtomicFile(Path path, Path temporary, Fd fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}
AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}
AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  return *this;
}
AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<AtomicFile> AtomicFile::create(const Path& path, unsigned mode) {
  const std::string name = path.filename().string().substr(0, 180);
  const Path temporary = path.parent_path() / fmt::format(".{}.{}", name, unique_suffix());
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return system_error(errno, fmt::format("create '{}'", path.string()));
  ::fchmod(fd.get(), mode);
  return AtomicFile(path, temporary, std::move(fd));
}

Result<> AtomicFile::write(std::string_view bytes) { return write_all(fd_.get(), bytes, path_); }

Result<> AtomicFile::commit(Sync sync) {
  if (sync == Sync::kYes && ::fsync(fd_.get()) != 0)
    return system_error(errno, fmt::format("sync '{}'", path_.string()));
  TRY(os::rename(temporary_, path_));
  temporary_.clear();
  if (sync == Sync::kYes)
    return sync_dir(path_.has_parent_path() ? path_.parent_path() : Path("."));
  return {};
}

Result<TempDir> TempDir::create(const Path& parent, std::string_view prefix) {
  TRY(make_dirs(parent));
  std::string name = (parent / fmt::format("{}XXXXXX", prefix)).string();
  if (::mkdtemp(name.data()) == nullptr)
    return system_error(errno, fmt::format("make a directory in '{}'", parent.string()));
  return TempDir(Path(name));
}
TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}
TempDir::~TempDir() {
  if (!path_.empty()) (void)remove_tree(path_);
}
Path TempDir::keep() { return std::exchange(path_, {}); }

Result<Fd> open_beneath(const Path& root, const TreePath& path) {
  const Fd folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return system_error(errno, fmt::format("open '{}'", root.string()));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const std::string text = path.is_root() ? "." : path.str();
  const long fd = ::syscall(SYS_openat2, folder.get(), text.c_str(), &how, sizeof how);
  if (fd < 0)
    return system_error(errno, fmt::format("open '{}' beneath '{}'", text, root.string()));
  Fd file(static_cast<int>(fd));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error::make(ErrorKind::kInvalid, "'{}' beneath '{}' is not a regular file", text,
                       root.string());
  return file;
}

Result<std::string> read_beneath(const Path& root, const TreePath& path, std::uint64_t max_bytes) {
  const Fd fd = TRY(open_beneath(root, path));
  return read_all(fd.get(), max_bytes, path.str());
}

Result<FileLock> FileLock::take(const Path& path, Wait wait, Share share) {
  TRY(make_dirs(path.parent_path()));
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return system_error(errno, fmt::format("open '{}'", path.string()));
  const int how = share == Share::kShared ? LOCK_SH : LOCK_EX;
  while (::flock(fd.get(), how | (wait == Wait::kNo ? LOCK_NB : 0)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK)
      return Error::make(ErrorKind::kConflict, "another process holds '{}'",
                         path.filename().string());
    return system_error(errno, fmt::format("lock '{}'", path.string()));
  }
  return FileLock(std::move(fd));
}

}  // namespace nacre::os
