#include "base/text.h"
#include "farm/gate.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

namespace nacre::farm {
namespace {

Verdict refuse(Gate gate, const PackageFacts& facts, std::string words, std::string next) {
  Verdict out;
  out.gate = gate;
  out.subject = facts.name;
  out.version = facts.version;
  out.state = GateState::kRefused;
  out.words = std::move(words);
  out.next = std::move(next);
  return out;
}

/// "usr/lib/libz.so.1.3.1" and "…1.3.2" are one file to those who compare releases: what follows ".so" is dropped, and
/// numbers are alike.
std::string stable_path(std::string_view path) {
  if (const std::size_t so = path.rfind(".so."); so != std::string_view::npos) path = path.substr(0, so + 3);
  std::string out;
  for (const char c : path) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && !out.empty() && out.back() == '#') continue;
    if (digit && out.ends_with("#.")) {
      out.pop_back();
      continue;
    }
    out += digit ? '#' : c;
  }
  return out;
}

/// All that was published of the definition that a package comes from.
struct OriginBefore {
  bool published = false;
  std::map<std::string, const BinaryFacts*> by_path, by_stable_path;
  std::map<std::pair<std::string, std::string>, const SpecialFile*> special;  ///< Stable path, kind.
  std::map<Ability, bool> abilities;

  OriginBefore(const std::string& origin, const std::vector<const PackageFacts*>& before) {
    for (const PackageFacts* facts : before) {
      if (facts->origin != origin) continue;
      published = true;
      for (const BinaryFacts& binary : facts->binaries) {
        by_path[binary.path] = &binary;
        by_stable_path[stable_path(binary.path)] = &binary;
        for (const auto& [ability, functions] : binary.abilities) abilities[ability] = true;
      }
      for (const SpecialFile& file : facts->special) special[{stable_path(file.path), file.kind}] = &file;
    }
  }
  const BinaryFacts* find(const std::string& path) const {
    if (const auto found = by_path.find(path); found != by_path.end()) return found->second;
    const auto found = by_stable_path.find(stable_path(path));
    return found == by_stable_path.end() ? nullptr : found->second;
  }
};

std::string abilities_text(const std::map<Ability, std::vector<std::string>>& abilities) {
  std::vector<std::string> names;
  for (const auto& [ability, functions] : abilities) names.emplace_back(name_of(ability));
  return names.empty() ? "none" : join(names, ", ");
}

constexpr std::size_t kShownFunctions = 4;
constexpr std::string_view kNextCapability =
    "read why it needs this; then waive it, or name it for the package in farm.yaml: gates: capabilities: exceptions";

class CapabilityJudge {
 public:
  CapabilityJudge(const PackageFacts& facts, const OriginBefore& before, const std::set<std::string>& allowed)
      : facts_(facts), before_(before), allowed_(allowed) {}

  std::vector<Verdict> run() {
    for (const SpecialFile& file : facts_.special) special(file);
    if (before_.published)
      for (const BinaryFacts& binary : facts_.binaries) this->binary(binary);
    return std::move(out_);
  }

 private:
  void say(std::string words) {
    out_.push_back(refuse(Gate::kCapabilities, facts_, std::move(words), std::string(kNextCapability)));
  }

  void special(const SpecialFile& file) {
    if (allowed_.contains(file.kind)) return;
    const auto was = before_.special.find({stable_path(file.path), file.kind});
    if (was == before_.special.end())
      say(fmt::format("{}: not {} -> {} ({})", file.path, file.kind, file.kind, file.detail));
    else if (was->second->detail != file.detail)
      say(fmt::format("{}: {}: {} -> {}", file.path, file.kind, was->second->detail, file.detail));
  }

  void binary(const BinaryFacts& binary) {
    using Kind = BinaryFacts::Kind;
    const BinaryFacts* was = before_.find(binary.path);
    if (was != nullptr && was->kind == Kind::kDynamic && binary.kind == Kind::kStatic && !allowed_.contains("static"))
      say(fmt::format("{}: dynamic -> static; what it calls is seen no more", binary.path));
    // What was not seen before cannot be compared.
    if (was != nullptr && (was->kind == Kind::kStatic || was->kind == Kind::kScript)) return;
    std::vector<std::string> gained;
    for (const auto& [ability, functions] : binary.abilities) {
      const bool had = was != nullptr ? was->abilities.contains(ability) : before_.abilities.contains(ability);
      if (had || allowed_.contains(std::string(name_of(ability)))) continue;
      std::vector<std::string> some = functions;
      if (some.size() > kShownFunctions) some.resize(kShownFunctions);
      gained.push_back(
          fmt::format("{} ({}{})", name_of(ability), join(some, ", "), functions.size() > some.size() ? ", …" : ""));
    }
    if (gained.empty()) return;
    std::map<Ability, std::vector<std::string>> all;
    for (const auto& [ability, had] : before_.abilities) all[ability] = {};
    const std::string before = was != nullptr
                                   ? abilities_text(was->abilities)
                                   : fmt::format("no such file, in '{}' {}", facts_.origin, abilities_text(all));
    say(fmt::format("{}: {} -> also {}", binary.path, before, join(gained, ", ")));
  }

  const PackageFacts& facts_;
  const OriginBefore& before_;
  const std::set<std::string>& allowed_;
  std::vector<Verdict> out_;
};

/// Recursive descent over the words of an SPDX expression; OR binds weaker than AND.
class LicenceReader {
 public:
  LicenceReader(std::vector<std::string> words, const std::function<bool(std::string_view)>& allowed)
      : words_(std::move(words)), allowed_(allowed) {}

  /// nullopt: no expression.
  std::optional<bool> run() {
    const bool out = any(0);
    return good_ && at_ == words_.size() ? std::optional(out) : std::nullopt;
  }

 private:
  static constexpr int kMaxDepth = 64;

  bool take(std::string_view word) {
    if (at_ >= words_.size() || words_[at_] != word) return false;
    ++at_;
    return true;
  }
  bool any(int depth) {
    bool out = every(depth);
    while (take("OR")) out = every(depth) || out;
    return out;
  }
  bool every(int depth) {
    bool out = one(depth);
    while (take("AND")) out = one(depth) && out;
    return out;
  }
  bool one(int depth) {
    if (depth > kMaxDepth) return good_ = false;
    if (take("(")) {
      const bool out = any(depth + 1);
      good_ = good_ && take(")");
      return out;
    }
    static const std::set<std::string> kMarks = {"OR", "AND", "WITH", "(", ")"};
    if (at_ >= words_.size() || kMarks.contains(words_[at_])) return good_ = false;
    const std::string& id = words_[at_++];
    if (!take("WITH")) return allowed_(id);
    if (at_ >= words_.size() || kMarks.contains(words_[at_])) return good_ = false;
    const std::string with = id + " WITH " + words_[at_++];
    return allowed_(with) || allowed_(id);
  }

  std::vector<std::string> words_;
  const std::function<bool(std::string_view)>& allowed_;
  std::size_t at_ = 0;
  bool good_ = true;
};

bool listed(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// Whether growth is within the budget, and the words when it is not.
std::optional<std::string> too_much(std::uint64_t before, std::uint64_t after, Growth budget) {
  if (after <= before) return std::nullopt;
  const double grown = static_cast<double>(after - before);
  const double allowed =
      std::max(static_cast<double>(before) * budget.percent / 100, static_cast<double>(budget.bytes));
  if (grown <= allowed) return std::nullopt;
  const std::string percent =
      before == 0 ? std::string() : fmt::format(", {:.0f} %", grown * 100 / static_cast<double>(before));
  return fmt::format("{} -> {} (+{}{}); the budget is {} % or {}", human_bytes(before), human_bytes(after),
                     human_bytes(after - before), percent, budget.percent, human_bytes(budget.bytes));
}

/// What stands behind the first of several files.
std::string and_more(std::size_t files) { return files > 1 ? fmt::format(" and {} more", files - 1) : std::string(); }

/// "name" of "name>=1.2".
std::string_view atom_name(std::string_view atom) { return atom.substr(0, atom.find_first_of("<>=~ ")); }

bool replaces(const PackageFacts& facts, std::string_view other) {
  return std::any_of(facts.replaces.begin(), facts.replaces.end(),
                     [&](const std::string& atom) { return atom_name(atom) == other; });
}

}  // namespace

std::vector<Verdict> judge_hardening(const std::vector<ChangedPackage>& changed) {
  std::vector<Verdict> out;
  for (const auto& [before, after] : changed) {
    if (after == nullptr) continue;
    std::set<std::pair<std::string, std::string>> known;
    if (before != nullptr)
      for (const WeakFile& file : before->weak) known.emplace(stable_path(file.path), file.rule);
    std::map<std::string, std::vector<const WeakFile*>> by_rule;
    for (const WeakFile& file : after->weak)
      if (!known.contains({stable_path(file.path), file.rule})) by_rule[file.rule].push_back(&file);
    for (const auto& [rule, files] : by_rule)
      out.push_back(
          refuse(Gate::kHardening, *after,
                 fmt::format("{}{}: {} [{}]", files.front()->path, and_more(files.size()), files.front()->text, rule),
                 "mend the build; or name the check in `checks.disabled` of the definition"));
  }
  return out;
}

std::vector<Verdict> judge_capabilities(const std::vector<ChangedPackage>& changed, const JudgeInput& input,
                                        const GatePolicy& policy) {
  std::vector<Verdict> out;
  if (input.first) return out;
  static const std::set<std::string> kNothing;
  for (const ChangedPackage& package : changed) {
    if (package.after == nullptr) continue;
    const auto allowed = policy.abilities_of.find(package.after->name);
    const OriginBefore before(package.after->origin, input.before);
    std::vector<Verdict> found =
        CapabilityJudge(*package.after, before, allowed == policy.abilities_of.end() ? kNothing : allowed->second)
            .run();
    std::move(found.begin(), found.end(), std::back_inserter(out));
  }
  return out;
}

bool licence_passes(std::string_view expression, const std::function<bool(std::string_view)>& allowed) {
  const std::string spaced = replace_all(replace_all(std::string(expression), "(", " ( "), ")", " ) ");
  const std::optional<bool> out = LicenceReader(split_words(spaced), allowed).run();
  return out ? *out : allowed(expression);
}

std::vector<Verdict> judge_licence(const std::vector<ChangedPackage>& changed, const GatePolicy& policy) {
  const auto allowed = [&](std::string_view id) {
    return !listed(policy.licences_denied, id) &&
           (policy.licences_allowed.empty() || listed(policy.licences_allowed, id));
  };
  std::vector<Verdict> out;
  for (const auto& [before, after] : changed) {
    if (after == nullptr) continue;
    if (after->license.empty())
      out.push_back(
          refuse(Gate::kLicence, *after, "states no licence", "state it under `copyright` of the definition"));
    else if (!licence_passes(after->license, allowed))
      out.push_back(refuse(Gate::kLicence, *after, fmt::format("the policy does not allow '{}'", after->license),
                           "see `deny` and `allow` in farm.yaml: gates: licence"));
    if (before == nullptr || before->license == after->license || policy.licence_change == Level::kOff) continue;
    Verdict change = refuse(Gate::kLicence, *after, fmt::format("'{}' -> '{}'", before->license, after->license),
                            "read the new terms");
    if (policy.licence_change == Level::kWarn) change.state = GateState::kWarned;
    out.push_back(std::move(change));
  }
  return out;
}

std::vector<Verdict> judge_size(const std::vector<ChangedPackage>& changed, const JudgeInput& input,
                                const GatePolicy& policy) {
  const auto budget = [&](const std::string& subject, Growth usual) {
    const auto own = policy.growth_of.find(subject);
    return own == policy.growth_of.end() ? usual : own->second;
  };
  const std::string next = "look at what came in (`nacre image diff`); then waive it, or give it a budget in farm.yaml";
  std::vector<Verdict> out;
  for (const auto& [before, after] : changed) {
    if (before == nullptr || after == nullptr) continue;
    const auto words =
        too_much(before->installed_bytes, after->installed_bytes, budget(after->name, policy.package_growth));
    if (words) out.push_back(refuse(Gate::kSize, *after, "installed: " + *words, next));
  }
  for (const ImageFacts& image : input.images_after)
    for (const ImageFacts& was : input.images_before) {
      if (was.name != image.name) continue;
      const auto words = too_much(was.bytes, image.bytes, budget(image.name, policy.image_growth));
      if (words)
        out.push_back({Gate::kSize, image.name, {}, GateState::kRefused, "image, to pull: " + *words, next, {}});
    }
  return out;
}

std::vector<Verdict> judge_files(const std::vector<ChangedPackage>& changed, const JudgeInput& input) {
  std::map<std::string_view, const PackageFacts*> owners;
  for (const PackageFacts* facts : input.before)
    for (const std::string& path : facts->files) owners.emplace(path, facts);
  std::vector<Verdict> out;
  for (const auto& [before, after] : changed) {
    if (after == nullptr) {
      if (input.ended.contains(before->name)) continue;
      out.push_back(refuse(Gate::kFiles, *before, fmt::format("{} files -> the package is gone", before->files.size()),
                           "if that is meant, waive it once"));
      out.back().version.clear();
      continue;
    }
    if (before != nullptr && !before->files.empty() && after->files.empty())
      out.push_back(refuse(Gate::kFiles, *after, fmt::format("{} files -> none", before->files.size()),
                           "see what the build installs, and where"));
    std::map<std::string, std::vector<std::string>> taken;  // from whom
    for (const std::string& path : after->files) {
      const auto owner = owners.find(path);
      if (owner == owners.end() || owner->second->name == after->name) continue;
      if (before != nullptr && std::binary_search(before->files.begin(), before->files.end(), path)) continue;
      // apk lets packages of one definition take each other's files over.
      if (owner->second->origin == after->origin || replaces(*after, owner->second->name)) continue;
      taken[owner->second->name].push_back(path);
    }
    for (const auto& [owner, paths] : taken)
      out.push_back(refuse(
          Gate::kFiles, *after,
          fmt::format("{}{}: {} -> {}, without replaces", paths.front(), and_more(paths.size()), owner, after->name),
          fmt::format("add `replaces: [{}]` to '{}'", owner, after->name)));
  }
  return out;
}

std::vector<Verdict> judge_images(const JudgeInput& input) {
  std::vector<Verdict> out;
  for (const ImageFacts& was : input.images_before) {
    const bool there = std::any_of(input.images_after.begin(), input.images_after.end(),
                                   [&](const ImageFacts& image) { return image.name == was.name; });
    if (!there)
      out.push_back({Gate::kImages,
                     was.name,
                     {},
                     GateState::kRefused,
                     "published -> the image is gone",
                     "if that is meant, waive it once",
                     {}});
  }
  return out;
}

}  // namespace nacre::farm
