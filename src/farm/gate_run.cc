#include "farm/gate_run.h"

#include "apk/version.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>

namespace nacre::farm {
namespace {

using codec::Json;
using ByName = std::map<std::string, const index::SerialPackage*>;

ByName by_name(const index::Serial* serial) {
  ByName out;
  if (serial == nullptr) return out;
  for (const index::SerialPackage& package : serial->packages) {
    const index::SerialPackage*& newest = out[package.record.name];
    if (newest == nullptr || apk::compare_versions(newest->record.version, package.record.version) < 0)
      newest = &package;
  }
  return out;
}

/// Facts as they are needed, each read once.
class Reader {
 public:
  explicit Reader(Env& env) : env_(env) {}

  Result<const PackageFacts*> facts(const index::SerialPackage& package) {
    const auto known = by_apk_.find(package.apk);
    if (known != by_apk_.end()) return known->second;
    if (env_.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    PackageFacts read =
        TRY(facts_of(package.apk, env_), "judging '{}' {}", package.record.name, package.record.version);
    facts_.push_back(std::move(read));
    return by_apk_[package.apk] = &facts_.back();
  }

  Result<std::vector<ImageFacts>> images(const index::Serial* serial) {
    std::vector<ImageFacts> out;
    if (serial == nullptr) return out;
    for (const index::SerialImage& image : serial->images) {
      ImageFacts facts = TRY(image_facts(image, env_));
      out.push_back(std::move(facts));
    }
    return out;
  }

 private:
  Env& env_;
  std::deque<PackageFacts> facts_;
  std::map<Sha256, const PackageFacts*> by_apk_;
};

enum class Which { kChanged, kAll };

/// Facts of one side, of the packages that the other side has otherwise or not at all; or of all.
Result<std::vector<const PackageFacts*>> side(const ByName& packages, const ByName& other, Which which,
                                              Reader& reader) {
  std::vector<const PackageFacts*> out;
  for (const auto& [name, package] : packages) {
    const auto twin = other.find(name);
    const bool same = twin != other.end() && twin->second->apk == package->apk;
    if (same && which == Which::kChanged) continue;
    const PackageFacts* facts = TRY(reader.facts(*package));
    out.push_back(facts);
  }
  return out;
}

/// Of definitions that changed all that was published counts: a program may have moved between their packages.
Result<> add_siblings(const ByName& packages, JudgeInput& out, Reader& reader) {
  std::set<std::string> origins, there;
  for (const auto* facts : out.after) origins.insert(facts->origin);
  for (const auto* facts : out.before) there.insert(facts->name);
  for (const auto& [name, package] : packages) {
    const std::string& origin = package->record.origin.empty() ? name : package->record.origin;
    if (!origins.contains(origin) || there.contains(name)) continue;
    const PackageFacts* facts = TRY(reader.facts(*package));
    out.before.push_back(facts);
    out.after.push_back(facts);  // it did not change
  }
  return {};
}

Result<JudgeInput> gather(const GateInput& input, Reader& reader) {
  const ByName before = by_name(input.before), after = by_name(input.candidate);
  JudgeInput out;
  out.first = input.before == nullptr;
  out.before = TRY(side(before, after, Which::kChanged, reader));
  out.after = TRY(side(after, before, Which::kChanged, reader));
  TRY(add_siblings(before, out, reader));
  if (needs_all_facts(changed_packages(out))) {
    out.before = TRY(side(before, after, Which::kAll, reader));
    out.after = TRY(side(after, before, Which::kAll, reader));
  }
  out.images_before = TRY(reader.images(input.before));
  out.images_after = TRY(reader.images(input.candidate));
  for (const index::SerialPackage& package : input.candidate->packages)
    out.names.insert({package.record.name, package.record.origin});
  for (const index::SerialImage& image : input.candidate->images) out.names.insert(image.name);
  out.names.erase("");
  out.ended = input.ended;
  out.tests = input.tests;
  out.images = input.images;
  out.vulnerabilities = input.vulnerabilities;
  out.delta = input.delta;
  out.reproducibility = input.reproducibility;
  return out;
}

bool covers(const Waiver& waiver, const Verdict& verdict) {
  const std::string_view subject = verdict.subject.empty() ? kWholeSerial : std::string_view(verdict.subject);
  return waiver.gate == name_of(verdict.gate) && waiver.subject == subject &&
         (waiver.version.empty() || waiver.version == verdict.version);
}

std::string subject_text(const Verdict& verdict) {
  if (verdict.subject.empty()) return {};
  return verdict.version.empty() ? verdict.subject : verdict.subject + " " + verdict.version;
}

/// Why a waiver that counts lets nothing pass here although somebody may think so; empty: it is not so.
std::string why_idle(const Waiver& waiver, const std::vector<Verdict>& verdicts,
                     const std::set<std::string, std::less<>>& names) {
  Waiver any = waiver;
  any.version.clear();
  const Verdict* other = nullptr;
  for (const Verdict& verdict : verdicts) {
    if (covers(waiver, verdict)) return {};
    if (covers(any, verdict) && verdict.state == GateState::kRefused) other = &verdict;
  }
  if (other != nullptr) return fmt::format("it is for version {}, not {}", waiver.version, other->version);
  if (waiver.subject == kWholeSerial || names.contains(waiver.subject)) return {};
  const std::string near = nearest_hint(waiver.subject, std::vector<std::string>(names.begin(), names.end()));
  return fmt::format("there is no package or image '{}'{}", waiver.subject, near.empty() ? "" : "; " + near);
}

std::string line_of(const Verdict& verdict) {
  const std::string subject = subject_text(verdict);
  std::string out = fmt::format("{}: ", name_of(verdict.gate));
  if (!subject.empty()) out += subject + ": ";
  return out + verdict.words;
}

}  // namespace

bool GateReport::refused() const { return count(GateState::kRefused) > 0; }

std::size_t GateReport::count(GateState state) const {
  return static_cast<std::size_t>(
      std::count_if(verdicts.begin(), verdicts.end(), [&](const Verdict& verdict) { return verdict.state == state; }));
}

std::vector<VoidWaiver> apply_waivers(std::vector<Verdict>& verdicts, const std::vector<Waiver>& waivers,
                                      const People& people, Day today, int max_days,
                                      const std::set<std::string, std::less<>>& names) {
  std::vector<VoidWaiver> out;
  for (const Waiver& waiver : waivers) {
    std::string why = why_void(waiver, people, today, max_days);
    if (why.empty()) why = why_idle(waiver, verdicts, names);
    if (!why.empty()) {
      out.push_back({waiver, std::move(why)});
      continue;
    }
    for (Verdict& verdict : verdicts) {
      if (verdict.state != GateState::kRefused || !covers(waiver, verdict)) continue;
      verdict.state = GateState::kWaived;
      verdict.waiver = fmt::format("{} until {}: {}", waiver.who, day_text(waiver.until), waiver.reason);
    }
  }
  return out;
}

Result<GateReport> run_gates(const GateInput& input, Env& env) {
  if (input.candidate == nullptr) return Error::make(ErrorKind::kInternal, "no candidate to judge");
  Reader reader(env);
  const JudgeInput judged = TRY(gather(input, reader));
  GateReport out;
  out.before = input.before == nullptr ? 0 : input.before->number;
  out.verdicts = judge(judged, input.policy);
  if (input.folder.empty() || !os::exists(input.folder / "waivers.yaml")) return out;
  const os::Path file = input.folder / "waivers.yaml";
  std::string text = TRY(os::read_file(file));
  const std::vector<Waiver> waivers = TRY(parse_waivers(std::move(text), file.string()));
  const People people = TRY(read_people(input.people.empty() ? input.folder / "keys/people" : input.people));
  std::set<std::string, std::less<>> names = judged.names;
  for (const auto* published : judged.before) names.insert({published->name, published->origin});
  for (const ImageFacts& image : judged.images_before) names.insert(image.name);
  const Day today = day_of(env.clock.now_seconds());
  out.void_waivers = apply_waivers(out.verdicts, waivers, people, today, input.policy.max_waiver_days, names);
  return out;
}

Json to_json(const GateReport& report) {
  Json verdicts = Json::array(), voids = Json::array(), counts = Json::object();
  for (const Verdict& verdict : report.verdicts) {
    Json row = Json::object({{"gate", name_of(verdict.gate)}, {"state", name_of(verdict.state)}});
    if (!verdict.subject.empty()) row.set("subject", verdict.subject);
    if (!verdict.version.empty()) row.set("version", verdict.version);
    row.set("words", verdict.words);
    if (!verdict.next.empty()) row.set("next", verdict.next);
    if (!verdict.waiver.empty()) row.set("waiver", verdict.waiver);
    verdicts.push(std::move(row));
  }
  for (const VoidWaiver& waiver : report.void_waivers)
    voids.push(Json::object({{"gate", waiver.waiver.gate},
                             {"subject", waiver.waiver.subject},
                             {"who", waiver.waiver.who},
                             {"line", waiver.waiver.place.line},
                             {"why", waiver.why}}));
  for (const GateState state :
       {GateState::kPassed, GateState::kWarned, GateState::kRefused, GateState::kWaived, GateState::kNotJudged})
    counts.set(std::string(name_of(state)), report.count(state));
  Json out = Json::object({{"gates", 1}, {"before", report.before}, {"refused", report.refused()}});
  return out.set("counts", std::move(counts)).set("verdicts", std::move(verdicts)).set("voidWaivers", std::move(voids));
}

std::string render(const GateReport& report) {
  std::string out;
  for (const GateState state :
       {GateState::kRefused, GateState::kWaived, GateState::kWarned, GateState::kNotJudged, GateState::kPassed})
    for (const Verdict& verdict : report.verdicts) {
      if (verdict.state != state) continue;
      out += fmt::format("{:<10}  {}\n", name_of(state), line_of(verdict));
      if (state == GateState::kRefused && !verdict.next.empty()) out += fmt::format("{:<10}  {}\n", "", verdict.next);
      if (!verdict.waiver.empty()) out += fmt::format("{:<10}  {}\n", "", verdict.waiver);
    }
  for (const VoidWaiver& waiver : report.void_waivers)
    out += fmt::format("{:<10}  the waiver of {} for {} counts for nothing: {} (line {})\n", "", waiver.waiver.gate,
                       waiver.waiver.subject, waiver.why, waiver.waiver.place.line);
  return out;
}

std::vector<std::string> refusals(const GateReport& report) {
  std::vector<std::string> out;
  for (const Verdict& verdict : report.verdicts)
    if (verdict.state == GateState::kRefused) out.push_back(line_of(verdict));
  return out;
}

}  // namespace nacre::farm
