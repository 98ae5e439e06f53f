#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"
#include "store/lease.h"
#include "store/state.h"

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace nacre::net {
class Http;
}

namespace nacre::store {

using os::Path;
class Artifacts;  // store/artifacts.h
class Depot;      // store/depot.h

/// What several machines have in common: docs/shared-state.md. Nothing: the store is this machine's own.
struct Sharing {
  std::string state;      ///< A Postgres URL: NACRE_STATE.
  /// s3://BUCKET/PREFIX, or what `open_depot` knows: NACRE_ARTIFACTS. Only beside a shared state.
  std::string artifacts;
  net::Http* http = nullptr;
  std::stop_token stop;
  /// Places that need more than this room has (oci://HOST/REPOSITORY).
  std::function<Result<std::unique_ptr<Depot>>(const std::string& place)> open_depot = {};
};

/// The content-addressed store under NACRE_HOME (design, decisions 2 and 15):
///   blobs/sha256/ab/abcd…   regular files, 0444, named by their SHA-256, arrived by rename
///   trees/KEY/              unpacked package trees, named by a key, arrived by rename
///   partial/                downloads and unpackings under way
///   quarantine/             bytes that did not have the digest they should have, kept for inspection
///   locks/                  one file for each lease
///   unsettled/              names of blobs that may not have reached the disk (Durability::kLater)
///   unshared/               names of blobs that may not have reached the artifact store
///   state.db                SQLite (store/state.h)
/// Many processes may use one store at once. Full disk is kUnavailable naming the path.
///
/// With an artifact store (Sharing), a blob is in it before a record of the shared state is written, and blobs that
/// this machine lacks are brought from there, checked by their digest.
class Store {
 public:
  static Result<std::unique_ptr<Store>> open(const Path& home, const Sharing& sharing = {});
  virtual ~Store();

  const Path& home() const { return home_; }
  Path work_dir() const { return home_ / "work"; }  ///< Build workspaces, logs of failed steps, containers.

  /// When content must be on disk. kNow: before the call returns, so that a record written afterwards never names a
  /// blob that a crash took away. kLater: when the kernel pleases; for what can be made again. A crash of the machine
  /// may damage such a blob: whoever opens the store first afterwards reads it again, and it goes when it is not whole.
  enum class Durability { kNow, kLater };
  Result<Sha256> put_bytes(std::string_view bytes, Durability when = Durability::kNow);
  /// Hashes once and takes the file in: kMove renames (same file system) or copies, kCopy copies (reflink where it
  /// can).
  enum class Take { kCopy, kMove };
  Result<Sha256> put_file(const Path& file, Take take);
  /// A file below partial/ whose bytes the caller hashed while it wrote them.
  Result<> adopt(os::AtomicFile file, const Sha256& digest, Durability when);
  Result<> adopt(const Path& file, const Sha256& digest, Durability when);
  /// Whether this process wrote the blob: nobody had the time to change it.
  bool wrote(const Sha256& digest) const;
  /// Where such a file is begun.
  Path partial_path() const { return home_ / "partial" / "blob"; }
  /// What was put with kLater is on disk afterwards: these, or all.
  Result<> settle(std::span<const Sha256> blobs);
  Result<> settle_all();

  /// Whether this machine has it now, and where it then is.
  bool has(const Sha256& digest) const;
  Path blob_path(const Sha256& digest) const;
  /// Whether it is here or in the artifact store.
  Result<bool> holds(const Sha256& digest) const;
  /// blob_path(), once it is here: brought from the artifact store when this machine lacks it. kDenied when that gave
  /// other bytes, which go to quarantine. Without an artifact store nothing is looked at.
  Result<Path> local(const Sha256& digest) const;
  /// These are in the artifact store afterwards, if there is one.
  Result<> share(std::span<const Sha256> blobs);
  // read() and check() bring what is missing here; size() believes the artifact store.
  Result<std::string> read(const Sha256& digest, std::uint64_t max_bytes = os::kMaxTextBytes) const;
  Result<std::uint64_t> size(const Sha256& digest) const;
  /// Hashes the stored bytes again. kDenied when they are not what the name says.
  Result<> check(const Sha256& digest) const;

  /// Moves bytes that failed a check to quarantine/; returns where they are.
  Result<Path> quarantine(const Path& file, std::string_view why) const;

  /// The tree called `key`, made by `make` (into an empty directory) unless it is there. Of several processes that
  /// ask at once one makes it and all share it; a crash leaves nothing under the final name.
  Result<Path> tree(const Sha256& key, const std::function<Result<>(const Path& folder)>& make);
  bool has_tree(const Sha256& key) const;
  Path tree_path(const Sha256& key) const;

  /// Exclusive among all processes until destroyed: "build/zlib", "publish/community".
  enum class Reach {
    kHome,      ///< Processes of this home.
    kEveryone,  ///< And those of other machines, when the state is shared.
  };
  Result<Lease> lease(std::string_view name, os::FileLock::Wait wait = os::FileLock::Wait::kYes,
                      Reach reach = Reach::kHome);
  /// Held shared by whoever works with blobs and trees that no record names yet, alone by who removes such: a
  /// collection.
  Result<Lease> in_use(os::FileLock::Share share, os::FileLock::Wait wait = os::FileLock::Wait::kYes);

  State& state() { return *state_; }
  Artifacts* artifacts() { return artifacts_.get(); }  ///< nullptr: this machine's blobs are all there is.

 private:
  explicit Store(Path home);
  Result<> open_sharing(const Sharing& sharing);
  Result<> recover();
  Path unsettled(const Sha256& digest) const { return home_ / "unsettled" / digest.hex(); }
  Path unshared(const Sha256& digest) const { return home_ / "unshared" / digest.hex(); }
  /// Before a blob gets its name: says that the artifact store may not have it.
  Result<> mark_unshared(const Sha256& digest) const;
  Result<> share_marked();
  Result<> bring(const Sha256& digest) const;
  Path home_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Artifacts> artifacts_;
  std::unique_ptr<SharedLocks> locks_;
  std::mutex sharing_;                           ///< One upload of what is marked at a time.
  mutable std::array<std::mutex, 64> bringing_;  ///< By digest: one of two threads brings it.
  mutable std::mutex mutex_;
  std::set<Sha256> written_;   ///< By adopt().
};

}  // namespace nacre::store
