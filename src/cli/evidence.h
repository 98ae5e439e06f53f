#pragma once

#include "cli/command.h"
#include "index/index.h"

namespace nacre::cli {

/// Completes `next` with its signed index, that index's SBOM and provenance, and publishes it (design, decision 9). One publisher at a time.
Result<index::Serial> publish_with_index(Session& session, index::Serial next);

}  // namespace nacre::cli
