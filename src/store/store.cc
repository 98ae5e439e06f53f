#include "store/store.h"

#include "base/text.h"
#include "os/clock.h"
#include "store/artifacts.h"
#include "store/bucket.h"
#include "store/layout.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <thread>

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

/// The lock of the shared state beside the lock file. Waiting is asking again: the connection is for all leases.
Result<Lease> lease_from_all(SharedLocks& locks, os::FileLock file, std::string_view name, SharedLocks::Share share,
                             os::FileLock::Wait wait) {
  while (true) {
    const bool taken = TRY(locks.take(name, share));
    if (taken) return Lease(std::move(file), locks, std::string(name), share);
    if (wait == os::FileLock::Wait::kNo)
      return Error::make(ErrorKind::kConflict, "another control plane of this state holds '{}'", name)
          .hint("wait for it to end, or stop it");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
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

Store::Store(Path home) : home_(std::move(home)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const Path& home, const Sharing& sharing) {
  std::error_code failed;
  const Path absolute = std::filesystem::absolute(home, failed);
  if (failed || home.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' cannot be the store's directory", home.string());
  std::unique_ptr<Store> store(new Store(absolute));
  TRY(make_layout(absolute), "opening the store '{}'", absolute.string());
  store->state_ =
      TRY(State::open(absolute / "state.db", sharing.state), "opening the store '{}'", absolute.string());
  TRY(store->open_sharing(sharing), "opening the store '{}'", absolute.string());
  TRY(store->recover(), "opening the store '{}'", absolute.string());
  return store;
}

Result<> Store::open_sharing(const Sharing& sharing) {
  if (!sharing.state.empty()) locks_ = std::make_unique<SharedLocks>(sharing.state);
  if (sharing.artifacts.empty()) return {};
  if (sharing.state.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' cannot hold the artifacts of a state that is this machine's alone",
                       sharing.artifacts)
        .hint("set NACRE_STATE to a Postgres URL: it says what of them is needed");
  std::unique_ptr<Depot> depot;
  if (sharing.open_depot && !sharing.artifacts.starts_with("s3://")) {
    depot = TRY(sharing.open_depot(sharing.artifacts));
  } else {
    Bucket::Access access = TRY(Bucket::access_of(sharing.artifacts));
    depot = std::make_unique<Bucket>(std::move(access), *sharing.http, sharing.stop);
  }
  artifacts_ = std::make_unique<Artifacts>(std::move(depot), *state_);
  state_->before_sharing([this] { return share_marked(); });
  TRY(os::make_dirs(home_ / "unshared"));
  // A home that was there before: what it has may be named by the records to come.
  const Path note = home_ / "shared-with";
  const auto before = os::read_file(note, 4096);
  if (before && *before == artifacts_->name()) return {};
  std::error_code failed;
  for (std::filesystem::recursive_directory_iterator it(home_ / "blobs", failed), end; !failed && it != end;
       it.increment(failed))
    if (const auto digest = parse_sha256(it->path().filename().string())) TRY(mark_unshared(*digest));
  if (failed) return os::system_error(failed.value(), fmt::format("list '{}'", (home_ / "blobs").string()));
  return os::write_file(note, artifacts_->name());
}

Result<> Store::share_marked() {
  TRY(artifacts_->ready());
  const std::lock_guard lock(sharing_);
  const std::vector<Sha256> marked = TRY(names_in(home_ / "unshared"));
  std::vector<Sha256> here;
  // A mark without its blob is of somebody who is about to give it its name.
  for (const Sha256& digest : marked)
    if (has(digest)) here.push_back(digest);
  if (here.empty()) return {};
  TRY(share(here));
  for (const Sha256& digest : here)
    if (::unlink(unshared(digest).c_str()) != 0 && errno != ENOENT)
      return os::system_error(errno, fmt::format("remove '{}'", unshared(digest).string()));
  return {};
}

/// After a start of the machine: what had not surely reached the disk is read again.
Result<> Store::recover() {
  const Path file = home_ / "boot";
  const std::string now = boot_id();
  const auto before = os::read_file(file, 64);
  if (before && !now.empty() && *before == now) return {};
  const std::vector<Sha256> marked = TRY(names_in(home_ / "unsettled"));
  if (!marked.empty()) {
    const Lease lock = TRY(lease("recover"));
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

Result<Path> Store::quarantine(const Path& file, std::string_view why) const {
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
  const Lease lock = TRY(lease(tree_lease(hex)));
  const Path place = tree_path(key);
  if (os::exists(place)) return place;

  const PartialTree partial(home_ / "partial" / tree_partial(hex));
  TRY(os::remove_tree(partial.path()));  // of a maker that died
  TRY(os::make_dirs(partial.path()));
  TRY(make(partial.path()), "making the tree {}", hex);
  TRY(os::sync_file_system(partial.path()));
  TRY(os::rename(partial.path(), place));
  TRY(os::sync_dir(place.parent_path()));
  return place;
}

Result<Lease> Store::lease(std::string_view name, os::FileLock::Wait wait, Reach reach) {
  const std::string file_name = TRY(lease_file_name(name), "taking a lease");
  const Path file = home_ / "locks" / file_name;
  Result<os::FileLock> lock = os::FileLock::take(file, wait);
  if (!lock && lock.error().kind() == ErrorKind::kConflict)
    return Error::make(ErrorKind::kConflict, "{} holds '{}'", holder_of(file), name)
        .hint("wait for it to end, or stop it");
  if (!lock) return std::move(lock).error();
  sign_lock(file);
  if (!locks_ || reach == Reach::kHome) return Lease(*std::move(lock));
  return lease_from_all(*locks_, *std::move(lock), name, SharedLocks::Share::kExclusive, wait);
}

Result<Lease> Store::in_use(os::FileLock::Share share, os::FileLock::Wait wait) {
  os::FileLock lock = TRY(os::FileLock::take(home_ / "locks" / "in-use", wait, share));
  if (!locks_) return Lease(std::move(lock));
  const bool alone = share == os::FileLock::Share::kExclusive;
  Lease out = TRY(lease_from_all(*locks_, std::move(lock), "in-use",
                                 alone ? SharedLocks::Share::kExclusive : SharedLocks::Share::kShared, wait));
  if (artifacts_) artifacts_->forget();
  return out;
}

}  // namespace nacre::store
