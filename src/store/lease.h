#pragma once

#include "base/result.h"
#include "os/file.h"
#include "store/database.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace nacre::store {

/// Locks of sessions in Postgres: what a lock file is on one machine, among all that share the database. One connection
/// holds them all; when it breaks they are free for others, and check() says so.
///
/// Thread-safe, but a session that takes a lock twice has it twice: the lock file beside it keeps threads apart.
class SharedLocks {
 public:
  explicit SharedLocks(std::string url) : url_(std::move(url)) {}

  enum class Share { kExclusive, kShared };
  /// False when somebody else holds it. Never waits.
  Result<bool> take(std::string_view name, Share share);
  void give_back(std::string_view name, Share share);
  /// kConflict when the lock is this session's no more; kUnavailable when nobody can tell.
  Result<> check(std::string_view name, Share share);

 private:
  Result<Database*> connection();
  std::string url_;
  std::mutex mutex_;
  std::unique_ptr<Database> database_;  ///< Opened by the first lock.
};

/// What is held until this is destroyed: a lock file of this machine, and the lock in the shared state when there is
/// one.
class Lease {
 public:
  explicit Lease(os::FileLock file) : file_(std::move(file)) {}
  Lease(os::FileLock file, SharedLocks& locks, std::string name, SharedLocks::Share share)
      : file_(std::move(file)), locks_(&locks), name_(std::move(name)), share_(share) {}
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  /// Asked before what was done under the lease becomes visible: an Error when it was lost meanwhile
  /// (docs/decisions/0043-shared-state.md).
  Result<> check() const;

 private:
  os::FileLock file_;
  SharedLocks* locks_ = nullptr;  ///< Of the Store, which lives longer.
  std::string name_;
  SharedLocks::Share share_ = SharedLocks::Share::kExclusive;
};

}  // namespace nacre::store
