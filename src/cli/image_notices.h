#pragma once

#include "cli/lookup.h"
#include "index/notices.h"

#include <vector>

namespace nacre::cli {

/// What an edition says of the packages that an image holds: withdrawn, or of a stream that ended. By the entry of its
/// serial, else by apk's database in the image. What this store knows of the edition counts.
Result<std::vector<index::Notice>> notices_of(const FoundImage& found, Session& session);

/// One line on stderr for each.
Result<> say_notices(const FoundImage& found, Session& session);

}  // namespace nacre::cli
