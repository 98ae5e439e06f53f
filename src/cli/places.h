#pragma once

#include "os/file.h"

namespace nacre::cli {

/// NACRE_HOME, else /var/lib/nacre for root and the XDG data directory for others.
os::Path home_dir();
/// NACRE_OS_DIR, else ./os where there is one, else the distribution that this program was built beside.
os::Path os_dir();

}  // namespace nacre::cli
