#pragma once

#include "advisory/document.h"
#include "advisory/scan.h"
#include "cli/flow.h"
#include "farm/gate_run.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nacre::cli {

/// farm.yaml beside packages/; as an empty file when there is none.
Result<codec::YamlTree> read_farm_yaml(const Path& os_dir);

/// What the data on vulnerabilities says of one serial, beside the distribution's own advisories.
struct KnownVulnerabilities {
  std::vector<advisory::Document> advisories;
  advisory::ScanResult found;
};

/// What the gates say of a flow's candidate, and what was learned of it on the way.
struct Judgement {
  farm::GateReport gates;
  std::optional<KnownVulnerabilities> known;  ///< Of the candidate; nothing when NACRE_OSV names no data.
};

/// Judges a flow's candidate (FlowOptions::Until::kComposed or later), by farm.yaml, delta.yaml and the keys of people
/// in `rules`, with the waivers beside the definitions of `shop.os`. What the latter has of rules must be readable,
/// too. Builds all that is new a second time when the gate `reproducibility` asks. `shop` is the flow's own.
Result<Judgement> judge_candidate(const FlowReport& report, const Path& rules, Workshop& shop);

/// What the gates of a channel say of a serial that may come into it, compared with the one that it names now, by the
/// rules beside the definitions of `session.os_dir`: `channels: stable: gates:` of farm.yaml, waivers.yaml. Known
/// vulnerabilities are asked for now, of all its packages.
Result<farm::GateReport> judge_promotion(const std::optional<index::Serial>& before, const index::Serial& serial,
                                         Session& session);

/// Definitions of the newest serial in which a vulnerability is known that has a fix. None when NACRE_OSV names no
/// data.
Result<std::set<std::string>> vulnerable_definitions(Session& session);

/// Writes `fixed` events for the advisories beside the definitions that a flow's candidate closes: open, found in the
/// serial before, and not found in the candidate, of which `known` says what is. How many.
Result<std::size_t> close_advisories(const FlowReport& report, KnownVulnerabilities known, Session& session);

}  // namespace nacre::cli
