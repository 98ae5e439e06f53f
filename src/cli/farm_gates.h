#pragma once

#include "cli/flow.h"
#include "farm/gate_run.h"

namespace nacre::cli {

/// What the gates say of a flow's candidate (FlowOptions::Until::kComposed or later), by the rules beside the
/// definitions of `session.os_dir`: farm.yaml, waivers.yaml, delta.yaml. Builds all that is new a second time when the
/// gate `reproducibility` asks. `people`: keys of those who may waive.
Result<farm::GateReport> judge_candidate(const FlowReport& report, const Path& people, Session& session);

}  // namespace nacre::cli
