#pragma once

#include <string>

#include "base/result.h"
#include "os/clock.h"

namespace nacre::farm {

/// Copies the ledger and the schedule of a farm into another database (addresses as Database::open takes them), in one
/// transaction; how many changes. 0 when they are there already. kConflict when another farm's are.
Result<std::size_t> copy_farm(const std::string& from, const std::string& to, os::Clock& clock);

}  // namespace nacre::farm
