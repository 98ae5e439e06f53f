#pragma once

#include "os/file.h"

#include <set>
#include <string>

namespace nacre::cli {

/// NACRE_HOME, else /var/lib/nacre for root and the XDG data directory for others.
os::Path home_dir();
/// NACRE_OS_DIR, else ./os where there is one, else the distribution that this program was built beside.
os::Path os_dir();

/// Names of definitions or images by their files: those of the .yaml files in a folder, without their ending. None when
/// the folder cannot be read.
std::set<std::string> names_in(const os::Path& folder);

}  // namespace nacre::cli
