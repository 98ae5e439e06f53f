#pragma once

#include "base/result.h"
#include "os/file.h"
#include "store/database.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::store {

/// The state: records of several kinds, each a key and a value (JSON text by convention), both any bytes.
///
/// In SQLite, a file of this machine, or in a Postgres that several machines share. Calls are serialised by a mutex, so
/// it is safe to share between threads. Other processes are waited for; see store/database.h for how long.
///
/// Some kinds speak of this machine alone (paths, caches, what is derived from blobs): is_local(). Beside a shared
/// database they stay in the file.
class State {
 public:
  /// `shared` is a Postgres URL, or empty: all is in `file`.
  static Result<std::unique_ptr<State>> open(const os::Path& file, const std::string& shared = {});
  State(const State&) = delete;

  /// Whether other machines may read and write it, too.
  bool is_shared() const { return shared_ != nullptr; }
  static bool is_local(std::string_view kind);

  Result<std::optional<std::string>> get(std::string_view kind, std::string_view key);
  Result<> put(std::string_view kind, std::string_view key, std::string_view value);
  Result<> erase(std::string_view kind, std::string_view key);
  /// What stands there; `value` from now on when nothing did. Of several who claim at once one is first.
  Result<std::string> claim(std::string_view kind, std::string_view key, std::string_view value);
  /// Keys and values of a kind whose key starts with `prefix`, ordered by key bytewise.
  Result<std::vector<std::pair<std::string, std::string>>> list(std::string_view kind,
                                                                std::string_view prefix = {});
  /// While one of these lives, put() only remembers, and get() sees it; the end writes all in one transaction, without
  /// waiting for the disk. For records of what can be made again: a crash loses them.
  class Deferred {
   public:
    explicit Deferred(State& state);
    ~Deferred();   ///< Like finish(), and says nothing of a fault.
    Deferred(const Deferred&) = delete;
    Result<> finish();

   private:
    State& state_;
  };
  /// Runs `work` as one transaction that excludes every other writer; an Error (or a crash) rolls everything back,
  /// local kinds of a shared state excepted. Not reentrant.
  Result<> transaction(const std::function<Result<>()>& work);

  /// Puts what the file of this machine has of kinds that are shared into the shared state, in one transaction; how
  /// many records that were. From then on the file cannot be opened without one. Doing it again does nothing.
  /// kConflict when something else stands there under one of the keys; kInvalid when the state is not shared.
  Result<std::size_t> share_own();

  /// Called before anything becomes visible in a shared state: what records name must be where others find it. Its
  /// Error keeps the records away.
  void before_sharing(std::function<Result<>()> ready) { ready_ = std::move(ready); }

 private:
  State() = default;
  Database& of(std::string_view kind) { return shared_ && !is_local(kind) ? *shared_ : *local_; }
  Result<> get_ready();
  Result<> put_now(std::string_view kind, std::string_view key, std::string_view value);
  Result<> run_transaction(Database& database, Database::Durability durability, const std::function<Result<>()>& work);

  std::unique_ptr<Database> local_, shared_;
  std::string shared_at_;       ///< To be told: without user and password.
  std::function<Result<>()> ready_;
  std::recursive_mutex mutex_;  ///< Recursive: the work of a transaction calls get and put.
  bool in_transaction_ = false;
  int deferring_ = 0;           ///< How many Deferred live.
  std::map<std::pair<std::string, std::string>, std::string> remembered_;
};

// Any bytes as a text that a database without holds_any_bytes() takes, and back. Keeps the order of bytes, and what
// starts with what; ASCII but NUL and 0x01 stays as it is.
std::string to_database_text(std::string_view bytes);
std::string from_database_text(std::string_view text);

}  // namespace nacre::store
