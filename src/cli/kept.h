#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"
#include "store/lease.h"
#include "store/state.h"

#include <string_view>
#include <vector>

namespace nacre::cli {

/// Writes a record of the state, unless that is what stands there: then nothing is written, and nobody waits for the
/// disk.
Result<> put_new(store::State& state, std::string_view kind, std::string_view key, std::string_view value);

/// Notes what a file of the user's needs from the store: the newest image of a definition ("image"), the packages of a
/// lock ("lock"). In the place of what was noted before for the same file and `what`. `nacre gc` keeps these blobs
/// while the file is there (docs/decisions/0018).
Result<> keep_for(const os::Path& file, std::string_view what, const std::vector<Sha256>& blobs, Env& env);

/// Blobs that such notes name. Notes of files that are gone are removed.
Result<std::vector<Sha256>> kept_blobs(Env& env);

/// Holds `nacre gc` off while blobs are in the store that no note names yet.
Result<store::Lease> hold_off_gc(Env& env);

}  // namespace nacre::cli
