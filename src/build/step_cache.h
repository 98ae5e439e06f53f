#pragma once

#include "build/build.h"
#include "build/guest.h"
#include "build/snapshot.h"
#include "build/steps.h"

#include <optional>
#include <string>
#include <vector>

/// Internal to the room: states between steps, kept so that an edit of step 7 runs steps 7 and later
/// (docs/decisions/0011-step-cache.md).
namespace nacre::build {

/// Key of the state after each of the first n steps, n from 0: what the build depends on besides its steps, then each
/// step as it is run.
Result<std::vector<Sha256>> step_keys(const BuildRequest& request, const StepList& list);

/// Snapshots of one definition: `folder`/KEY/ with the files that changed since the snapshot before.
class StepCache {
 public:
  /// `folder` empty: nothing is kept or found.
  StepCache(os::Path folder, std::vector<Sha256> keys, const Guest& guest, std::uint64_t max_bytes);

  /// How many steps a snapshot covers, at most `limit`. Drops what belongs to no such state.
  std::size_t newest(std::size_t limit);

  /// Makes the guest's directories and log as they were after `count` steps; returns the records of these.
  Result<std::vector<StepRecord>> restore(std::size_t count);

  /// Keeps the state after `count` steps, when that costs little beside what the steps took. Trouble ends the keeping
  /// for this build, and is no failure: it comes back as a note.
  std::optional<std::string> keep(std::size_t count, const std::vector<StepRecord>& records, double elapsed_seconds);

  double spent_seconds() const { return spent_; }
  const Sha256& key(std::size_t count) const { return keys_[count]; }

  /// Nothing from here on: a secret may be in what the steps leave.
  void stop() { on_ = false; }

 private:
  os::Path folder_of(std::size_t count) const { return folder_ / keys_[count].hex(); }
  bool affordable(double seconds, double elapsed_seconds) const;
  Result<> write(std::size_t count, const std::vector<StepRecord>& records, const Change& change);

  os::Path folder_;
  std::vector<Sha256> keys_;
  os::Path work_;
  Tracker tracker_;
  std::uint64_t max_bytes_ = 0, bytes_ = 0;
  double spent_ = 0, walk_seconds_ = 0;
  bool on_ = true;
};

}  // namespace nacre::build
