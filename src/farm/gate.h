#pragma once

#include "codec/json.h"
#include "farm/facts.h"
#include "farm/gate_policy.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// What must hold before a serial is visible (docs/gates.md). Each gate is a pure function: facts in, verdicts out.
namespace nacre::farm {

enum class GateState {
  kPassed,
  kWarned,  ///< The policy only warns, for this gate or this subject.
  kRefused,
  kWaived,     ///< Refused, but for a waiver that counts.
  kNotJudged,  ///< `words` say why.
};
/// "passed", "warned", "refused", "waived", "not-judged"
std::string_view name_of(GateState state);

/// One answer of one gate: for each finding one, and one for a gate that found nothing.
struct Verdict {
  Gate gate = Gate::kHardening;
  std::string subject;  ///< Package or image; empty: the serial as a whole.
  std::string version;  ///< Of the candidate; empty for images and the serial.
  GateState state = GateState::kPassed;
  std::string words;   ///< What, old -> new.
  std::string next;    ///< What a person may do; empty when there is nothing to do.
  std::string waiver;  ///< "anna until 2026-12-12: the reason"; empty unless waived.

  bool operator==(const Verdict&) const = default;
};

/// What somebody else found, to be refused under a gate's name.
struct Breach {
  std::string subject, words;
};
/// Answers of rooms and steps that judge by themselves.
struct Heard {
  bool judged = false;
  std::string why = "nobody judged it";  ///< When not judged.
  std::vector<Breach> breaches;

  static Heard nothing_wrong() { return {true, {}, {}}; }
  static Heard not_judged(std::string why) { return {false, std::move(why), {}}; }
  /// Lines "SUBJECT: words", or words that begin with a name of the candidate ("zlib 1.3.1-r0 has CVE-…"); other lines
  /// are about the serial as a whole.
  static Heard of(const std::vector<std::string>& lines);
};

/// A package that is new in the candidate or has other bytes there.
struct ChangedPackage {
  const PackageFacts* before = nullptr;  ///< nullptr: not published.
  const PackageFacts* after = nullptr;   ///< nullptr: no longer there.
};

/// Everything that judge() looks at. Facts of packages that did not change may be left out, unless a changed one gives
/// less than before (needs_all_facts): who still needs it is looked for among all.
struct JudgeInput {
  std::vector<const PackageFacts*> before, after;  ///< By name, once each.
  std::vector<ImageFacts> images_before, images_after;
  std::set<std::string, std::less<>> names;  ///< Of packages, their definitions and images, for what others say.
  std::set<std::string, std::less<>> ended;  ///< Packages past the end of life of their stream: they may go.
  bool first = false;                        ///< Nothing was published: growth and losses have no measure.
  Heard tests, images, vulnerabilities, delta, reproducibility;
};

std::vector<ChangedPackage> changed_packages(const JudgeInput& input);
/// Whether a changed package gives fewer libraries or symbols than before.
bool needs_all_facts(const std::vector<ChangedPackage>& changed);

/// All gates that the policy does not turn off, in the order of kGates: findings by subject, or one passed or not
/// judged. A candidate equal to what is published is never refused by facts. Waivers are applied by apply_waivers().
std::vector<Verdict> judge(const JudgeInput& input, const GatePolicy& policy);

// ---- the gates that look at facts, one by one: findings only, as refused; judge() applies levels and exceptions ----

std::vector<Verdict> judge_hardening(const std::vector<ChangedPackage>& changed);
std::vector<Verdict> judge_abi(const std::vector<ChangedPackage>& changed, const JudgeInput& input);
std::vector<Verdict> judge_licence(const std::vector<ChangedPackage>& changed, const GatePolicy& policy);
std::vector<Verdict> judge_size(const std::vector<ChangedPackage>& changed, const JudgeInput& input,
                                const GatePolicy& policy);
std::vector<Verdict> judge_capabilities(const std::vector<ChangedPackage>& changed, const JudgeInput& input,
                                        const GatePolicy& policy);
std::vector<Verdict> judge_files(const std::vector<ChangedPackage>& changed, const JudgeInput& input);
std::vector<Verdict> judge_images(const JudgeInput& input);

/// Whether an SPDX expression is met by licences that `allowed` lets pass: one side of an OR is enough, AND needs both.
/// A text that is no expression counts as one licence.
bool licence_passes(std::string_view expression, const std::function<bool(std::string_view)>& allowed);

}  // namespace nacre::farm
