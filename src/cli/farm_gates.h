#pragma once

#include "cli/flow.h"
#include "farm/gate_run.h"

#include <set>
#include <string>

namespace nacre::cli {

/// farm.yaml beside packages/; as an empty file when there is none.
Result<codec::YamlTree> read_farm_yaml(const Path& os_dir);

/// What the gates say of a flow's candidate (FlowOptions::Until::kComposed or later), by the rules beside the
/// definitions of `session.os_dir`: farm.yaml, waivers.yaml, delta.yaml. Builds all that is new a second time when the
/// gate `reproducibility` asks. `people`: keys of those who may waive.
Result<farm::GateReport> judge_candidate(const FlowReport& report, const Path& people, Session& session);

/// Definitions of the newest serial in which a vulnerability is known that has a fix. None when NACRE_OSV names no
/// data.
Result<std::set<std::string>> vulnerable_definitions(Session& session);

/// Writes `fixed` events for the advisories beside the definitions that a flow's candidate closes: open, found in the
/// newest serial, and not found in the candidate. How many; 0 when NACRE_OSV names no data.
Result<std::size_t> close_advisories(const FlowReport& report, Session& session);

}  // namespace nacre::cli
