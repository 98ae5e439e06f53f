#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"
#include "store/depot.h"
#include "store/state.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nacre::store {

/// The blobs that the records of a shared state name, where every machine finds them: a place that belongs to this
/// state and to no other (docs/decisions/0044-artifacts-in-a-bucket.md). Thread-safe.
class Artifacts {
 public:
  /// Nothing is asked before the first blob is.
  Artifacts(std::unique_ptr<Depot> depot, State& state) : depot_(std::move(depot)), state_(state) {}

  std::string name() const { return depot_->name(); }
  /// Asked once, and by all of the below: that the place is there, and is this state's. Not in a transaction first.
  Result<> ready();

  /// Size of what is there; nothing when it is not. What was said once is believed until forget().
  Result<std::optional<std::uint64_t>> size(const Sha256& digest);
  /// Whether it is known, without asking, that it is there.
  bool knows(const Sha256& digest);
  /// Brings all that are not there; several at once. The first fault ends it.
  using Blob = std::pair<Sha256, os::Path>;
  Result<> put(const std::vector<Blob>& blobs);
  /// Into a new file, unchecked. False when it is not there.
  Result<bool> get(const Sha256& digest, const os::Path& file);
  /// A collection may have gone through it since: what is there is asked anew.
  void forget();

  struct Removed {
    std::uint64_t blobs = 0, bytes = 0;
  };
  /// Removes what `keep` does not hold and is older than so many seconds by its own clock. The caller holds
  /// everybody else off (Store::in_use).
  Result<Removed> collect(const std::function<bool(const Sha256&)>& keep, double min_age_seconds);

 private:
  std::uint64_t generation();
  void learn(const Sha256& digest, std::uint64_t bytes, std::uint64_t asked_in);

  std::unique_ptr<Depot> depot_;
  State& state_;
  std::mutex ready_mutex_;
  bool ready_ = false;
  std::mutex mutex_;  ///< Of all below; not held while the depot is asked.
  std::map<Sha256, std::uint64_t> there_;  ///< With their sizes.
  std::uint64_t generation_ = 0;  ///< Counts forget(): what was asked before it is not learnt after.
};

}  // namespace nacre::store
