#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "store/store.h"

#include <cstdint>
#include <vector>

namespace nacre::store {

/// What a collection removed.
struct GcReport {
  std::uint64_t blobs = 0;
  std::uint64_t trees = 0;
  std::uint64_t partials = 0;  ///< Left over from processes that died.
  std::uint64_t bytes = 0;     ///< Of content; the file system counts in blocks.
  std::uint64_t shared_blobs = 0, shared_bytes = 0;  ///< Of the artifact store.
};

/// Removes every blob and tree that is in no list of roots and was neither made nor asked for (put,
/// tree) within `min_age_seconds`, and partial downloads and unpackings that nobody wrote to for as
/// long.
///
/// Roots are complete: the caller names what serials, locks, tags, channels and leases need,
/// transitively. The age is what protects work under way, whose blobs no record names yet. Safe
/// beside other processes that put and read; kConflict when another collection runs. Quarantine and
/// work/ are left alone. Of the artifact store, blobs in no list and as old go, too: the caller then holds
/// Store::in_use() alone.
Result<GcReport> collect_garbage(Store& store, const std::vector<Sha256>& root_blobs,
                                 const std::vector<Sha256>& root_trees, double min_age_seconds);

}  // namespace nacre::store
