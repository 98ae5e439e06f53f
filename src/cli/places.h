#pragma once

#include "os/file.h"

#include <set>
#include <string>

namespace nacre::cli {

/// NACRE_HOME, else /var/lib/nacre for root and the XDG data directory for others.
os::Path home_dir();
/// NACRE_OS_DIR, else ./os where there is one, else the distribution that this program was built beside.
os::Path os_dir();

/// NACRE_STATE, a Postgres URL that several machines share; empty: the state is in NACRE_HOME.
std::string shared_state();
/// NACRE_ARTIFACTS, s3://BUCKET/PREFIX; empty: blobs are in NACRE_HOME alone.
std::string artifact_place();
/// Where the farm's ledger is: as the option says, else NACRE_FARM_DATABASE, else in the shared state, else a file
/// below NACRE_HOME.
std::string farm_database(const std::string& option, const os::Path& home);

/// Names of definitions or images by their files: those of the .yaml files in a folder, without their ending. None when
/// the folder cannot be read.
std::set<std::string> names_in(const os::Path& folder);

}  // namespace nacre::cli
