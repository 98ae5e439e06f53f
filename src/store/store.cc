#include "store/store.h"

#include "base/text.h"
#include "os/clock.h"
#include "store/layout.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

namespace nacre::store {
namespace {

Result<> make_layout(const Path& home) {
  const Path blobs = home / "blobs" / "sha256";
  TRY(os::make_dirs(blobs));
  for (const char* name : {"trees", "partial", "quarantine", "locks", "work", "unsettled"})
    TRY(os::make_dirs(home / name));
  // Who made the state came past this place first. Else always: whoever made the folders may not have come to this.
  if (os::exists(home / "state.db")) return {};
  for (const Path& folder : {blobs, blobs.parent_path(), home}) TRY(os::sync_dir(folder));
  (void)os::sync_dir(home.parent_path());  // which this user may not be allowed to open
  return {};
}

/// Writes out what `folder` holds. The whole file system is synced: one call, not one per file.
Result<> sync_tree(const Path& folder) {
  const os::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0)
    return os::system_error(errno, fmt::format("sync '{}'", folder.string()));
  return {};
}

/// Another text after every start of the machine; "" where it cannot be told, and then every opening looks.
std::string boot_id() {
  const auto text = os::read_file("/proc/sys/kernel/random/boot_id", 64);
  return text ? std::string(trim(*text)) : std::string();
}

Result<std::vector<Sha256>> names_in(const Path& folder) {
  std::vector<Sha256> out;
  std::error_code failed;
  for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed))
    if (const auto digest = parse_sha256(it->path().filename().string())) out.push_back(*digest);
  if (failed) return os::system_error(failed.value(), fmt::format("list '{}'", folder.string()));
  return out;
}

/// A directory that goes unless it was renamed away.
class PartialTree {
 public:
  explicit PartialTree(Path path) : path_(std::move(path)) {}
  PartialTree(const PartialTree&) = delete;
  ~PartialTree() { (void)os::remove_tree(path_); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

/// Writes the holder's process id into a lock file: for the message of who finds it held, and as
/// the time of its last use. Of one width and over the last: ext4 flushes a file that was truncated
/// when it is closed, 3 ms each time.
void sign_lock(const Path& file) {
  const os::Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = fmt::format("{:<10}\n", ::getpid());
  if (fd && ::write(fd.get(), text.data(), text.size()) < 0) touch(file);
}

std::string holder_of(const Path& file) {
  const auto text = os::read_file(file, 64);
  const std::string_view pid = text ? trim(*text) : std::string_view();
  return pid.empty() ? "another process" : fmt::format("process {}", pid);
}

}  // namespace

Result<os::Fd> lock_folder(const Path& folder, FolderLock how) {
  os::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", folder.string()));
  while (::flock(fd.get(), how == FolderLock::kShared ? LOCK_SH : LOCK_EX) != 0)
    if (errno != EINTR) return os::system_error(errno, fmt::format("lock '{}'", folder.string()));
  return fd;
}

void touch(const Path& file) { (void)::utimensat(AT_FDCWD, file.c_str(), nullptr, 0); }

Result<std::string> lease_file_name(std::string_view name) {
  std::string out = replace_all(replace_all(std::string(name), "%", "%25"), "/", "%2f");
  if (out.empty() || out.size() > 250 || out[0] == '.' || out.find('\0') != std::string::npos)
    return Error::make(ErrorKind::kInvalid, "'{}' cannot name a lease: expected 1 to 250 bytes, "
                       "the first not '.'", name);
  return out;
}

Result<std::unique_ptr<Store>> Store::open(const Path& home) {
  std::error_code failed;
  const Path absolute = std::filesystem::absolute(home, failed);
  if (failed || home.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' cannot be the store's directory", home.string());
  std::unique_ptr<Store> store(new Store(absolute));
  TRY(make_layout(absolute), "opening the store '{}'", absolute.string());
  store->state_ =
      TRY(State::open(absolute / "state.db"), "opening the store '{}'", absolute.string());
  TRY(store->recover(), "opening the store '{}'", absolute.string());
  return store;
}

/// After a start of the machine: what had not surely reached the disk is read again.
Result<> Store::recover() {
  const Path file = home_ / "boot";
  const std::string now = boot_id();
  const auto before = os::read_file(file, 64);
  if (before && !now.empty() && *before == now) return {};
  const std::vector<Sha256> marked = TRY(names_in(home_ / "unsettled"));
  if (!marked.empty()) {
    const os::FileLock lock = TRY(lease("recover"));
    for (const Sha256& digest : marked) {
      if (has(digest) && !check(digest)) TRY(quarantine(blob_path(digest), "a crash of the machine left it damaged"));
      std::error_code ignored;
      std::filesystem::remove(unsettled(digest), ignored);
    }
  }
  return os::write_file(file, now);
}

Result<> Store::settle_all() {
  const std::vector<Sha256> marked = TRY(names_in(home_ / "unsettled"));
  return settle(marked);
}

Result<Path> Store::quarantine(const Path& file, std::string_view why) {
  static std::atomic<unsigned> counter{0};
  const std::int64_t now = std::time(nullptr);
  const Path place = home_ / "quarantine" /
                     fmt::format("{}.{}-{}-{}", file.filename().string().substr(0, 160), now,
                                 ::getpid(), ++counter);
  std::error_code failed;
  std::filesystem::rename(file, place, failed);
  if (failed == std::errc::cross_device_link) {
    failed.clear();
    std::filesystem::copy_file(file, place, failed);
    if (!failed) std::filesystem::remove(file, failed);
  }
  if (failed)
    return os::system_error(failed.value(), fmt::format("quarantine '{}'", file.string()));
  const std::string note =
      fmt::format("file: {}\ntime: {}\nwhy: {}\n", file.string(), os::rfc3339(now), why);
  TRY(os::write_file(place.string() + ".why", note));
  return place;
}

Path Store::tree_path(const Sha256& key) const { return home_ / "trees" / key.hex(); }

bool Store::has_tree(const Sha256& key) const { return os::exists(tree_path(key)); }

Result<Path> Store::tree(const Sha256& key, const std::function<Result<>(const Path&)>& make) {
  const std::string hex = key.hex();
  // Held also to look: a collection must not remove what is handed out here.
  const os::FileLock lock = TRY(lease(tree_lease(hex)));
  const Path place = tree_path(key);
  if (os::exists(place)) return place;

  const PartialTree partial(home_ / "partial" / tree_partial(hex));
  TRY(os::remove_tree(partial.path()));  // of a maker that died
  TRY(os::make_dirs(partial.path()));
  TRY(make(partial.path()), "making the tree {}", hex);
  TRY(sync_tree(partial.path()));
  TRY(os::rename(partial.path(), place));
  TRY(os::sync_dir(place.parent_path()));
  return place;
}

Result<os::FileLock> Store::lease(std::string_view name, os::FileLock::Wait wait) {
  const std::string file_name = TRY(lease_file_name(name), "taking a lease");
  const Path file = home_ / "locks" / file_name;
  Result<os::FileLock> lock = os::FileLock::take(file, wait);
  if (!lock && lock.error().kind() == ErrorKind::kConflict)
    return Error::make(ErrorKind::kConflict, "{} holds '{}'", holder_of(file), name)
        .hint("wait for it to end, or stop it");
  if (lock) sign_lock(file);
  return lock;
}

}  // namespace nacre::store
