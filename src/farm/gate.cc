#include "farm/gate.h"

#include "base/text.h"

#include <algorithm>
#include <iterator>

namespace nacre::farm {
namespace {

/// Whom words without a subject are about: the candidate's name that they begin with, or the serial.
std::string subject_of(const Breach& breach, const JudgeInput& input) {
  if (!breach.subject.empty()) return breach.subject;
  const std::string_view first = std::string_view(breach.words).substr(0, breach.words.find_first_of(" :"));
  return input.names.contains(first) ? std::string(first) : std::string();
}

std::vector<Verdict> findings_of(Gate gate, const Heard& heard, const JudgeInput& input) {
  std::vector<Verdict> out;
  for (const Breach& breach : heard.breaches)
    out.push_back({gate, subject_of(breach, input), {}, GateState::kRefused, breach.words, {}, {}});
  return out;
}

const Heard* heard_of(Gate gate, const JudgeInput& input) {
  switch (gate) {
    case Gate::kTests: return &input.tests;
    case Gate::kImages: return &input.images;
    case Gate::kVulnerabilities: return &input.vulnerabilities;
    case Gate::kDelta: return &input.delta;
    case Gate::kReproducibility: return &input.reproducibility;
    default: return nullptr;
  }
}

std::vector<Verdict> look(Gate gate, const std::vector<ChangedPackage>& changed, const JudgeInput& input,
                          const GatePolicy& policy) {
  switch (gate) {
    case Gate::kHardening: return judge_hardening(changed);
    case Gate::kAbiBreak: return judge_abi(changed, input);
    case Gate::kFiles: return judge_files(changed, input);
    case Gate::kCapabilities: return judge_capabilities(changed, input, policy);
    case Gate::kLicence: return judge_licence(changed, policy);
    case Gate::kSize: return judge_size(changed, input, policy);
    default: break;
  }
  std::vector<Verdict> out = findings_of(gate, *heard_of(gate, input), input);
  if (gate != Gate::kImages) return out;
  std::vector<Verdict> gone = judge_images(input);
  std::move(gone.begin(), gone.end(), std::back_inserter(out));
  return out;
}

/// What the gate cannot see in these packages.
std::string unseen(const std::vector<ChangedPackage>& changed) {
  std::size_t scripts = 0, programs = 0;
  for (const ChangedPackage& package : changed) {
    if (package.after == nullptr) continue;
    for (const BinaryFacts& binary : package.after->binaries) {
      scripts += binary.kind == BinaryFacts::Kind::kScript ? 1 : 0;
      programs += binary.kind == BinaryFacts::Kind::kStatic ? 1 : 0;
    }
  }
  if (scripts + programs == 0) return {};
  return fmt::format("; not seen: what {} scripts and {} static programs call", scripts, programs);
}

std::string scope(Gate gate, const std::vector<ChangedPackage>& changed, const JudgeInput& input) {
  if (gate == Gate::kImages) return fmt::format("{} images", input.images_after.size());
  if (heard_of(gate, input) != nullptr) return "nothing found";
  std::string out = changed.size() == 1 ? "1 package changed" : fmt::format("{} packages changed", changed.size());
  if (gate == Gate::kSize) out += fmt::format(", {} images", input.images_after.size());
  if (gate == Gate::kCapabilities) out += unseen(changed);
  if (input.first && gate != Gate::kHardening && gate != Gate::kLicence) out += "; nothing published to compare with";
  return out;
}

}  // namespace

std::string_view name_of(GateState state) {
  switch (state) {
    case GateState::kPassed: return "passed";
    case GateState::kWarned: return "warned";
    case GateState::kRefused: return "refused";
    case GateState::kWaived: return "waived";
    case GateState::kNotJudged: return "not-judged";
  }
  return "?";
}

Heard Heard::of(const std::vector<std::string>& lines) {
  Heard out = nothing_wrong();
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(": ");
    const bool subject = colon != std::string::npos && colon > 0 && line.find(' ') > colon;
    out.breaches.push_back(subject ? Breach{line.substr(0, colon), line.substr(colon + 2)} : Breach{{}, line});
  }
  return out;
}

std::vector<ChangedPackage> changed_packages(const JudgeInput& input) {
  std::map<std::string_view, ChangedPackage> by_name;
  for (const PackageFacts* facts : input.before) by_name[facts->name].before = facts;
  for (const PackageFacts* facts : input.after) by_name[facts->name].after = facts;
  std::vector<ChangedPackage> out;
  for (const auto& [name, package] : by_name) {
    const bool same =
        package.before != nullptr && package.after != nullptr && package.before->apk == package.after->apk;
    if (!same) out.push_back(package);
  }
  return out;
}

std::vector<Verdict> judge(const JudgeInput& input, const GatePolicy& policy) {
  const std::vector<ChangedPackage> changed = changed_packages(input);
  std::vector<Verdict> out;
  for (const Gate gate : kGates) {
    if (!policy.asks(gate)) continue;
    const Heard* heard = heard_of(gate, input);
    std::vector<Verdict> found = look(gate, changed, input, policy);
    for (Verdict& verdict : found)
      if (policy.level(gate, verdict.subject) == Level::kWarn) verdict.state = GateState::kWarned;
    std::erase_if(found, [&](const Verdict& verdict) { return policy.level(gate, verdict.subject) == Level::kOff; });
    if (heard != nullptr && !heard->judged) found.push_back({gate, {}, {}, GateState::kNotJudged, heard->why, {}, {}});
    else if (found.empty()) found.push_back({gate, {}, {}, GateState::kPassed, scope(gate, changed, input), {}, {}});
    std::move(found.begin(), found.end(), std::back_inserter(out));
  }
  return out;
}

}  // namespace nacre::farm
