#include "store/gc.h"

#include "base/text.h"
#include "store/artifacts.h"
#include "store/layout.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>

namespace nacre::store {
namespace {

/// Sorted, so that a lookup among a million roots stays cheap.
class Roots {
 public:
  explicit Roots(std::vector<Sha256> digests) : digests_(std::move(digests)) {
    std::sort(digests_.begin(), digests_.end());
  }
  bool hold(const Sha256& digest) const {
    return std::binary_search(digests_.begin(), digests_.end(), digest);
  }

 private:
  std::vector<Sha256> digests_;
};

Result<std::vector<Path>> children(const Path& folder) {
  std::vector<Path> out;
  std::error_code failed;
  for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed))
    out.push_back(it->path());
  if (failed) return os::system_error(failed.value(), fmt::format("list '{}'", folder.string()));
  std::sort(out.begin(), out.end());
  return out;
}

/// Seconds since the file was last written or touched; 0, never old enough, when it is gone.
double age_of(const Path& path) {
  struct stat status {};
  timespec now{};
  if (::lstat(path.c_str(), &status) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec - status.st_mtim.tv_sec) +
         static_cast<double>(now.tv_nsec - status.st_mtim.tv_nsec) / 1e9;
}

struct Collector {
  Store& store;
  Roots blobs, trees;
  double min_age_seconds;
  GcReport report;

  bool old(const Path& path) const {
    const double age = age_of(path);
    return age > 0 && age >= min_age_seconds;
  }

  /// Content of a file or tree, hard links counted once.
  static Result<std::uint64_t> weigh(const Path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return std::uint64_t{0};
    if (!S_ISDIR(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
    std::uint64_t bytes = 0;
    std::set<std::uint64_t> inodes;
    const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(path));
    for (const os::TreeEntry& entry : entries)
      if (entry.type == os::FileType::kRegular && inodes.insert(entry.inode).second)
        bytes += entry.size_bytes;
    return bytes;
  }

  Result<> collect_blobs(const Path& folder) {
    const os::Fd lock = TRY(lock_folder(folder, FolderLock::kExclusive));
    const std::vector<Path> files = TRY(children(folder));
    for (const Path& file : files) {
      const auto digest = parse_sha256(file.filename().string());
      if (!digest || blobs.hold(*digest) || !old(file)) continue;
      const std::uint64_t bytes = TRY(weigh(file));
      if (::unlink(file.c_str()) != 0)
        return os::system_error(errno, fmt::format("remove '{}'", file.string()));
      std::error_code ignored;  // without its blob a mark says nothing
      for (const char* marks : {"unsettled", "unshared"})
        std::filesystem::remove(store.home() / marks / file.filename(), ignored);
      ++report.blobs;
      report.bytes += bytes;
    }
    return {};
  }

  /// Marks of blobs that are gone. A mark is made before its blob has its name, both under the lock of the folder.
  Result<> collect_marks(const char* kind) {
    if (!os::exists(store.home() / kind)) return {};
    const std::vector<Path> marks = TRY(children(store.home() / kind));
    for (const Path& mark : marks) {
      const auto digest = parse_sha256(mark.filename().string());
      if (!digest || store.has(*digest) || !old(mark)) continue;
      const Path folder = store.blob_path(*digest).parent_path();
      TRY(os::make_dirs(folder));
      const os::Fd lock = TRY(lock_folder(folder, FolderLock::kExclusive));
      std::error_code ignored;
      if (!store.has(*digest)) std::filesystem::remove(mark, ignored);
    }
    return {};
  }

  /// The lease of a tree is touched by each that asks for it: a tree's own times are the package's.
  Result<> collect_tree(const Path& tree) {
    const std::string hex = tree.filename().string();
    const auto key = parse_sha256(hex);
    if (!key || trees.hold(*key)) return {};
    const std::string lock_name = TRY(lease_file_name(tree_lease(hex)));
    const Path lock_file = store.home() / "locks" / lock_name;
    if (os::exists(lock_file) && !old(lock_file)) return {};
    const auto lock = os::FileLock::take(lock_file, os::FileLock::Wait::kNo);
    if (!lock || !old(lock_file)) return {};  // somebody asks for it right now, or just did
    // Out of sight first: a crash leaves a partial, never half a tree under its name.
    const Path partial = store.home() / "partial" / tree_partial(hex);
    TRY(os::remove_tree(partial));
    TRY(os::rename(tree, partial));
    const std::uint64_t bytes = TRY(weigh(partial));
    TRY(os::remove_tree(partial));
    ++report.trees;
    report.bytes += bytes;
    return {};
  }

  /// Newest write within: a directory's own time does not say that something deep inside changed.
  Result<bool> idle(const Path& path) const {
    if (!old(path)) return false;
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(path))) return true;
    const auto entries = os::walk_tree(path);
    if (!entries) return false;  // it changes under our eyes
    const std::int64_t limit = std::time(nullptr) - static_cast<std::int64_t>(min_age_seconds);
    return std::none_of(entries->begin(), entries->end(),
                        [&](const os::TreeEntry& entry) { return entry.mtime > limit; });
  }

  Result<> collect_partial(const Path& path) {
    const std::string name = path.filename().string();
    std::optional<Lease> lock;
    if (name.starts_with("tree-")) {  // its maker holds the lease as long as it lives
      auto taken = store.lease(tree_lease(name.substr(5)), os::FileLock::Wait::kNo);
      if (!taken) return {};
      lock = *std::move(taken);
    } else {
      const bool dead = TRY(idle(path));
      if (!dead) return {};
    }
    const std::uint64_t bytes = TRY(weigh(path));
    TRY(os::remove_tree(path));
    ++report.partials;
    report.bytes += bytes;
    return {};
  }
};

}  // namespace

Result<GcReport> collect_garbage(Store& store, const std::vector<Sha256>& root_blobs,
                                 const std::vector<Sha256>& root_trees, double min_age_seconds) {
  const Lease lease = TRY(store.lease("gc", os::FileLock::Wait::kNo));
  Collector collector{store, Roots(root_blobs), Roots(root_trees), min_age_seconds, {}};
  const std::vector<Path> folders = TRY(children(store.home() / "blobs" / "sha256"));
  for (const Path& folder : folders) TRY(collector.collect_blobs(folder));
  for (const char* kind : {"unsettled", "unshared"}) TRY(collector.collect_marks(kind));
  const std::vector<Path> trees = TRY(children(store.home() / "trees"));
  for (const Path& tree : trees) TRY(collector.collect_tree(tree));
  const std::vector<Path> partials = TRY(children(store.home() / "partial"));
  for (const Path& partial : partials) TRY(collector.collect_partial(partial));
  if (Artifacts* const artifacts = store.artifacts(); artifacts != nullptr) {
    const auto keep = [&](const Sha256& digest) { return collector.blobs.hold(digest); };
    const Artifacts::Removed removed = TRY(artifacts->collect(keep, min_age_seconds));
    collector.report.shared_blobs = removed.blobs;
    collector.report.shared_bytes = removed.bytes;
  }
  return collector.report;
}

}  // namespace nacre::store
