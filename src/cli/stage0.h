#pragma once

#include "cli/command.h"
#include "index/index.h"

namespace nacre::cli {

/// The newest stage0 serial when it was made from the same table and files, else a new one: Debian's packages through
/// apt, each with provenance naming its .debs, in a signed index of edition `stage0`.
enum class Refresh { kNo, kYes };
Result<index::Serial> ensure_stage0(Session& session, const Arch& arch, Refresh refresh = Refresh::kNo);

}  // namespace nacre::cli
