#pragma once

#include "base/env.h"
#include "codec/json.h"
#include "farm/gate.h"
#include "farm/waiver.h"
#include "index/index.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nacre::farm {

/// A waiver that counts for nothing, and why.
struct VoidWaiver {
  Waiver waiver;
  std::string why;
};

/// What run_gates() answers.
struct GateReport {
  std::uint64_t before = 0;       ///< Number of the serial compared with; 0: nothing was published.
  std::vector<Verdict> verdicts;  ///< In the order of kGates.
  std::vector<VoidWaiver> void_waivers;

  bool refused() const;  ///< Something stands in the way.
  std::size_t count(GateState state) const;
};

/// What is judged, and by whose rules. Pointers outlive the call.
struct GateInput {
  const index::Serial* before = nullptr;     ///< Newest of the edition; nullptr: nothing is published.
  const index::Serial* candidate = nullptr;  ///< Not yet published; all its blobs are in the store.
  GatePolicy policy;
  /// The distribution's directory: waivers.yaml is read from it. Empty: nobody waives anything.
  os::Path folder;
  /// Keys of people, FOLDER/keys/people when empty. For a candidate that somebody proposed give that of the state
  /// before: who brings a waiver must not bring the key for it.
  os::Path people;
  std::set<std::string, std::less<>> ended;  ///< Packages of `before` that streams.yaml lets go.
  Heard tests, images, vulnerabilities, delta, reproducibility;
};

/// Reads the facts that are needed, judges, and applies the waivers of today (env.clock). Refusals are in the report,
/// not errors; kInvalid for a waivers.yaml or a key that cannot be read, and for packages that cannot.
Result<GateReport> run_gates(const GateInput& input, Env& env);

/// Refused verdicts that a waiver covers become waived; the others are given back with why: void ones, those of a
/// package or image that is none of `names`, and those for another version than the one that is refused.
std::vector<VoidWaiver> apply_waivers(std::vector<Verdict>& verdicts, const std::vector<Waiver>& waivers,
                                      const People& people, Day today, int max_days,
                                      const std::set<std::string, std::less<>>& names);

/// {"gates": 1, "before", "refused", "counts": {…}, "verdicts": [{"gate", "subject", "version", "state", "words",
/// "next", "waiver"}], "voidWaivers": […]}: what is empty is left out.
codec::Json to_json(const GateReport& report);
/// What stands in the way first, then what is worth knowing, then the gates that passed, in one line each.
std::string render(const GateReport& report);
/// The refusals alone, a line each: for an error's text.
std::vector<std::string> refusals(const GateReport& report);

}  // namespace nacre::farm
