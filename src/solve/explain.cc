#include "solve/explain.h"

#include "base/text.h"

#include <algorithm>
#include <map>
#include <utility>

namespace nacre::solve {
namespace {

constexpr std::size_t kMaxReasons = 8, kMaxEdits = 4, kMaxRounds = 20, kMaxLines = 40;

class Words {
 public:
  Words(const Problem& problem, const World& world, const std::vector<Fact>& core)
      : problem_(problem), world_(world), core_(core) {}

  std::vector<Reason> reasons() {
    put_in_order();
    for (const Fact& fact : ordered_) {
      Reason reason = reason_of(fact);
      const bool atom = fact.kind == Fact::Kind::kWorld || fact.kind == Fact::Kind::kNeed;
      out_.push_back(std::move(reason));
      if (atom && !atom_of(fact).conflict) add_offers(atom_of(fact));
    }
    return std::move(out_);
  }

  const Atom& atom_of(const Fact& fact) const {
    return fact.kind == Fact::Kind::kWorld ? problem_.world[fact.atom] : problem_.package(fact.a).depends[fact.atom];
  }

  std::vector<PackageId> providers(const Atom& atom) const {
    std::vector<PackageId> out;
    for (const Offer& offer : problem_.offers(atom.name))
      if (problem_.matches(atom, offer) && std::find(out.begin(), out.end(), offer.package) == out.end())
        out.push_back(offer.package);
    return out;
  }

 private:
  /// What was asked for first, then what that needs, and so on; what stands against it last.
  void put_in_order() {
    std::vector<char> done(core_.size());
    std::map<PackageId, std::vector<std::size_t>> needs;
    for (std::size_t i = 0; i < core_.size(); ++i)
      if (core_[i].kind == Fact::Kind::kNeed) needs[core_[i].a].push_back(i);
    for (std::size_t i = 0; i < core_.size(); ++i)
      if (core_[i].kind == Fact::Kind::kWorld) {
        ordered_.push_back(core_[i]);
        done[i] = 1;
      }
    std::sort(ordered_.begin(), ordered_.end());
    for (std::size_t k = 0; k < ordered_.size(); ++k) {
      if (ordered_[k].kind != Fact::Kind::kWorld && ordered_[k].kind != Fact::Kind::kNeed) continue;
      const Atom& atom = atom_of(ordered_[k]);
      if (atom.conflict) continue;
      for (const PackageId id : providers(atom))
        for (const std::size_t i : needs[id])
          if (std::exchange(done[i], 1) == 0) ordered_.push_back(core_[i]);
    }
    for (std::size_t i = 0; i < core_.size(); ++i)
      if (!done[i]) ordered_.push_back(core_[i]);
  }

  Reason reason_of(const Fact& fact) const {
    Reason out;
    if (fact.a != kNone) out.package = problem_.text(fact.a);
    switch (fact.kind) {
      case Fact::Kind::kWorld: {
        out.kind = "world";
        out.atom = problem_.text(problem_.world[fact.atom]);
        if (fact.atom < world_.places.size()) out.place = world_.places[fact.atom];
        out.text = problem_.world[fact.atom].conflict ? fmt::format("you excluded it with '{}'", out.atom)
                                                      : "you asked for " + out.atom;
        break;
      }
      case Fact::Kind::kNeed:
        out.kind = "needs";
        out.atom = problem_.text(problem_.package(fact.a).depends[fact.atom]);
        out.text = fmt::format("{} needs {}", out.package, out.atom);
        break;
      case Fact::Kind::kExcludes:
        out.kind = "excludes";
        out.atom = problem_.text(problem_.package(fact.a).depends[fact.atom]);
        out.text = fmt::format("{} cannot be together with {}, which it excludes with '{}'", out.package,
                               problem_.text(fact.b), out.atom);
        break;
      case Fact::Kind::kOneOwner: {
        out.kind = "one-owner";
        out.atom = problem_.name(fact.name);
        const Package &a = problem_.package(fact.a), &b = problem_.package(fact.b);
        out.text = a.name == b.name && a.name == fact.name
                       ? fmt::format("{} and {} are two builds of one package", out.package, problem_.text(fact.b))
                       : fmt::format("{} and {} both give '{}', which may have one owner", out.package,
                                     problem_.text(fact.b), out.atom);
        break;
      }
      case Fact::Kind::kFaulty:
        out.kind = "unusable";
        out.text = fmt::format("{} cannot be chosen: {}", out.package, problem_.package(fact.a).fault);
        break;
      case Fact::Kind::kMasked:
        out.kind = "tagged";
        out.text = fmt::format("{}: its repository is tagged; write {}@{} to allow it", out.package,
                               problem_.name(problem_.package(fact.a).name), problem_.tags(fact.a).front());
        break;
      case Fact::Kind::kUnasked:
        out.kind = "never-by-itself";
        out.text = fmt::format("{} is not chosen unless it is asked for: it has no provider_priority", out.package);
        break;
    }
    return out;
  }

  /// Why those who go by the name of `atom` are not what it asks for; nothing when some are.
  void add_offers(const Atom& atom) {
    if (!providers(atom).empty()) return;
    std::vector<PackageId> seen;
    for (const Offer& offer : problem_.offers(atom.name)) {
      if (std::find(seen.begin(), seen.end(), offer.package) != seen.end()) continue;
      seen.push_back(offer.package);
      if (seen.size() > kMaxReasons) continue;
      Reason reason;
      reason.kind = "missing";
      reason.package = problem_.text(offer.package);
      reason.atom = problem_.text(atom);
      reason.text = fmt::format("but {}: {}", reason.package, mismatch(atom, offer));
      out_.push_back(std::move(reason));
    }
    if (seen.size() > kMaxReasons) {
      Reason reason;
      reason.kind = "missing";
      reason.text = fmt::format("and {} more", seen.size() - kMaxReasons);
      out_.push_back(std::move(reason));
    }
  }

  std::string mismatch(const Atom& atom, const Offer& offer) const {
    const Package& package = problem_.package(offer.package);
    std::string out = "its version does not match";
    if (atom.op == apk::kByContent) out = fmt::format("it is {}", package.checksum);
    else if (!offer.own)
      out = fmt::format("it gives {} {}", problem_.name(atom.name),
                        offer.versioned ? fmt::format("in version {}", offer.version) : "without a version");
    if (atom.op == apk::kEqual && offer.own && package.version.starts_with(std::string(atom.version) + "-r"))
      out += fmt::format("; write {}~{} for any build of it", problem_.name(atom.name), atom.version);
    return out;
  }

  const Problem& problem_;
  const World& world_;
  const std::vector<Fact>& core_;
  std::vector<Fact> ordered_;
  std::vector<Reason> out_;
};

Place place_of(const World& world, std::size_t i) { return i < world.places.size() ? world.places[i] : Place(); }

/// What may be written in place of an atom of the core, most alike first.
std::vector<std::string> replacements(const Problem& problem, const std::vector<Fact>& core, std::size_t i,
                                      const std::string& near) {
  std::vector<std::string> out;
  Atom atom = problem.world[i];
  if (!near.empty() && problem.offers(atom.name).empty()) {
    const std::string text = problem.text(atom);
    out.push_back((atom.conflict ? "!" : "") + near +
                  text.substr(problem.name(atom.name).size() + (atom.conflict ? 1 : 0)));
    out.push_back(near);
  }
  if (atom.conflict) return out;
  for (const Fact& fact : core)
    if (fact.kind == Fact::Kind::kMasked && atom.tag.empty()) {
      Atom pinned = atom;
      pinned.tag = problem.tags(fact.a).front();
      out.push_back(problem.text(pinned));
    }
  if (atom.op == apk::kEqual) {
    atom.op = apk::kFuzzy | apk::kEqual;
    out.push_back(problem.text(atom));
  }
  if (atom.op != apk::kAny) {
    atom.op = apk::kAny;
    atom.version = {};
    out.push_back(problem.text(atom));
  }
  return out;
}

std::vector<std::vector<Edit>> edits(const Problem& problem, const World& world, const std::vector<Fact>& core,
                                     const std::string& near, const Try& can, const Blame& blame) {
  std::vector<std::vector<Edit>> out;
  std::vector<std::size_t> atoms;
  for (const Fact& fact : core)
    if (fact.kind == Fact::Kind::kWorld) atoms.push_back(fact.atom);
  const std::size_t wanted = static_cast<std::size_t>(
      std::count_if(problem.world.begin(), problem.world.end(), [](const Atom& atom) { return !atom.conflict; }));
  const auto attempt = [&](std::size_t i, const std::string& instead) {
    if (instead.empty() && wanted == 1 && !problem.world[i].conflict) return false;  // nothing would be left
    std::vector<std::string> changed = world.atoms;
    if (instead.empty()) changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    else changed[i] = instead;
    if (out.size() >= kMaxEdits || !can(changed)) return false;
    out.push_back({{world.atoms[i], instead, place_of(world, i)}});
    return true;
  };
  for (const std::size_t i : atoms) {
    bool found = false;
    for (const std::string& text : replacements(problem, core, i, near))
      if (text != world.atoms[i] && attempt(i, text)) {
        found = true;
        break;
      }
    if (!found) attempt(i, "");
  }
  if (!out.empty() || atoms.empty() || wanted == 1) return out;
  // No single edit is enough: from each quarrel that is left one atom goes, the last that was written.
  std::vector<std::size_t> left(world.atoms.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::vector<Edit> all;
  std::vector<std::size_t> guilty = atoms;
  for (std::size_t round = 0; !guilty.empty() && round < kMaxRounds; ++round) {
    const std::size_t at = *std::max_element(guilty.begin(), guilty.end());
    all.push_back({world.atoms[left[at]], "", place_of(world, left[at])});
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(at));
    std::vector<std::string> remaining;
    for (const std::size_t i : left) remaining.push_back(world.atoms[i]);
    guilty = blame(remaining);
  }
  if (guilty.empty() && all.size() < world.atoms.size()) out.push_back(std::move(all));
  return out;
}

}  // namespace

Refusal explain(const Problem& problem, const World& world, const std::vector<Fact>& core,
                const std::vector<std::string>& names, const Try& can, const Blame& blame) {
  Refusal out;
  Words words(problem, world, core);
  const Fact* unmet = nullptr;
  std::vector<std::string> asked;
  for (const Fact& fact : core) {
    if (fact.kind == Fact::Kind::kWorld) asked.push_back(problem.text(problem.world[fact.atom]));
    if (fact.kind != Fact::Kind::kWorld && fact.kind != Fact::Kind::kNeed) continue;
    if (!words.atom_of(fact).conflict && words.providers(words.atom_of(fact)).empty()) unmet = &fact;
  }
  out.reasons = words.reasons();
  if (unmet != nullptr) {
    const Atom& atom = words.atom_of(*unmet);
    const std::string name(problem.name(atom.name));
    if (problem.offers(atom.name).empty()) {
      out.kind = ErrorKind::kNotFound;
      out.text = fmt::format("no package is called '{}' or provides it", name);
      out.near = nearest_name(name, names).value_or("");
    } else {
      out.text = fmt::format("nothing satisfies '{}'", problem.text(atom));
    }
  } else if (asked.size() == 1) {
    out.text = fmt::format("'{}' cannot be installed", asked.front());
  } else {
    out.text = fmt::format("these cannot be together: {}", join(asked, ", "));
  }
  out.edits = edits(problem, world, core, out.near, can, blame);
  out.written = unmet != nullptr && unmet->kind == Fact::Kind::kWorld;
  return out;
}

Error Refusal::error() const {
  std::string all = text;
  Place place;
  std::size_t places = 0;
  for (const Reason& reason : reasons) places += reason.place.file.empty() ? 0 : 1;
  std::size_t shown = 0;
  for (const Reason& reason : reasons) {
    if (place.file.empty()) place = reason.place;
    if (++shown > kMaxLines / 2 && reasons.size() > kMaxLines && shown <= reasons.size() - kMaxLines / 2) {
      if (shown == kMaxLines / 2 + 1) all += fmt::format("\n  … {} steps more …", reasons.size() - kMaxLines);
      continue;
    }
    if (written && reason.kind == "world" && reasons.front().text == reason.text) continue;  // the sentence says it
    all += "\n  " + reason.text;
    if (places > 1 && !reason.place.file.empty()) all += fmt::format(" ({}:{})", reason.place.file, reason.place.line);
  }
  std::string hint = near.empty() ? ""
                     : written    ? fmt::format("did you mean '{}'?", near)
                                  : fmt::format("there is '{}'", near);
  std::vector<std::string> ways;
  for (const std::vector<Edit>& way : edits) {
    std::vector<std::string> steps;
    for (const Edit& edit : way) {
      if (!near.empty() && edit.instead == near) continue;
      steps.push_back(edit.instead.empty() ? fmt::format("drop '{}'", edit.atom)
                                           : fmt::format("write '{}' in place of '{}'", edit.instead, edit.atom));
    }
    if (!steps.empty()) ways.push_back(join(steps, " and "));
  }
  if (!ways.empty()) hint += (hint.empty() ? "" : "; or ") + join(ways, ", or ");
  return Error::make(kind, "{}", all).at(place).hint(std::move(hint));
}

}  // namespace nacre::solve
