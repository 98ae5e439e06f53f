#pragma once

#include "base/result.h"
#include "os/file.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct sqlite3;

namespace nacre::store {

/// The state database: records of several kinds, each a key and a value (JSON text by convention).
///
/// SQLite in WAL mode with synchronous=FULL. One connection per State; calls are serialised by a mutex, so it is
/// safe to share between threads. Other processes are waited for up to 30 s, then kUnavailable.
class State {
 public:
  static Result<std::unique_ptr<State>> open(const os::Path& file);
  ~State();
  State(const State&) = delete;

  Result<std::optional<std::string>> get(std::string_view kind, std::string_view key);
  Result<> put(std::string_view kind, std::string_view key, std::string_view value);
  Result<> erase(std::string_view kind, std::string_view key);
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
  /// Runs `work` inside BEGIN IMMEDIATE … COMMIT; an Error (or a crash) rolls everything back. Not reentrant.
  Result<> transaction(const std::function<Result<>()>& work);

 private:
  struct Impl;
  explicit State(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nacre::store
