#include "solve/apk_choice.h"

#include "apk/version.h"
#include "base/text.h"

#include <algorithm>
#include <bit>

namespace nacre::solve {
namespace {

constexpr int kMaxDepth = 2000;
constexpr std::uint64_t kPlain = 1;  ///< The pin of what has no tag.

/// A provider taken for a name; package kNone: nobody.
struct Taken {
  PackageId package = kNone;
  std::string_view version;
  bool versioned = false;
};

enum class Queue : std::uint8_t { kNowhere, kNow, kSelectable, kOpen };

struct NameState {
  Taken taken;
  std::int32_t order = 0;                 ///< The higher, the sooner its turn comes.
  std::uint32_t wanted = 0;               ///< How many ask for it.
  std::uint32_t common_needs = 0, common_gives = 0;
  Queue queue = Queue::kNowhere;
  bool locked = false, dirty = false;
  bool look_at_needs = false, look_at_companions = false;
  bool selectable = false, has_options = false, companion = false, no_companion = true;
  bool companion_waits = false, dependents_done = false, gives_virtually = false;
  // while the transaction is written
  bool processed = false, removed = false;
  PackageId installed = kNone;
  NameId installed_name = kNone;
};

struct PackageState {
  std::uint64_t pins = kPlain, preferred_pins = kPlain;
  unsigned flags = 0, inherited = 0;
  int conflicts = 0;
  bool selectable = false, available = false, triggered = false, not_triggered = false;
  bool tag_ok = false, tag_preferred = false, merged = false, used = false, faulty = false, in_changes = false;
  bool installed = false;
  std::uint32_t installed_tag = 0;
};

class Chooser {
 public:
  Chooser(Problem& problem, const ApkQuestion& question);
  ApkAnswer run();

 private:
  // discovering
  void discover(NameId root);
  void meet(PackageId id);
  std::vector<NameId> companion_names(NameId name) const;

  // what must be so
  bool provided(PackageId asker, const Atom& atom, const Taken& by) const;
  bool provided(PackageId asker, const Atom& atom, const Offer& by) const {
    return provided(asker, atom, Taken{by.package, by.version, by.versioned});
  }
  bool satisfiable(PackageId asker, const Atom& atom) const;
  void apply(PackageId asker, const Atom& atom);
  void inherit(PackageId id, PackageId from);
  void disqualify(PackageId id);
  void revisit_dependents(NameId name);
  void revisit_companions(NameId name);
  void revisit_companions_of(PackageId id);
  void wanted_changed(NameId name);
  void reconsider(NameId name);
  bool trigger(PackageId id);
  void exclude_others(NameId name, NameId must_give, bool skip_virtual);
  bool selectable(const Offer& offer) const;

  // queues
  void make_dirty(NameId name);
  void enqueue(NameId name, bool again);
  void dequeue(NameId name);
  std::optional<NameId> next_name();

  // choosing
  int compare(const Offer& a, const Taken& b) const;
  void select(NameId name);
  void assign(NameId name, const Taken& taken);
  void mark_faulty(PackageId id);

  // the transaction
  void write_changes();
  void change_name(NameId name, int depth);
  void prepare_change(NameId name, int depth);
  void remove(PackageId id, int depth);
  void follow(PackageId asker, const Atom& atom, int depth);
  void record(PackageId before, PackageId after);
  void needs_added(PackageId id);
  void needs_removed(PackageId id, int depth);
  void maybe_remove_orphan(PackageId id, int depth);
  void companions_come(NameId name, int depth);
  void companions_go(NameId name, int depth);
  template <class Do>
  void each_companion_name(PackageId id, Do&& act) const;

  std::uint64_t repositories_of(std::uint64_t pins) const;
  std::uint64_t all_repositories(PackageId id) const;
  std::uint32_t tag_for(std::uint64_t pins, std::uint64_t repositories) const;
  std::uint32_t tag_number(std::string_view tag);
  const Package& at(PackageId id) const { return problem_.package(id); }

  Problem& problem_;
  const ApkQuestion& question_;
  std::vector<NameState> names_;
  std::vector<PackageState> packages_;
  std::deque<NameId> dirty_, now_;
  std::set<std::pair<std::int32_t, NameId>> choosable_, open_;
  std::vector<std::string> tags_ = {""};
  std::vector<std::uint64_t> allowed_ = {0};  ///< Repositories of each tag.
  std::vector<char> flagged_, met_;           ///< Names that the user named; packages that discover() has seen.
  std::vector<std::uint32_t> world_tags_;
  std::uint32_t order_ = 0;
  unsigned flags_now_ = 0, errors_ = 0;
  std::uint64_t pins_now_ = 0;
  bool too_deep_ = false;
  std::vector<ApkChange> changes_;
};

Chooser::Chooser(Problem& problem, const ApkQuestion& question)
    : problem_(problem), question_(question), names_(problem.name_count()), packages_(problem.package_count()),
      flagged_(problem.name_count()), met_(problem.package_count()) {
  for (std::size_t i = 0; i < problem.sources.size(); ++i) {
    const Source& source = problem.sources[i];
    if (source.repository) allowed_[tag_number(source.tag)] |= std::uint64_t{1} << i;
  }
  for (const Atom& atom : problem.world) world_tags_.push_back(tag_number(atom.tag));
  for (const ApkInstalled& installed : question.installed) {
    packages_[installed.package].installed = true;
    packages_[installed.package].installed_tag = tag_number(installed.tag);
  }
  for (const ApkNameFlag& flag : question.name_flags) {
    flagged_[flag.name] = 1;
    for (const Offer& offer : problem.offers(flag.name)) {
      packages_[offer.package].flags |= flag.flags;
      packages_[offer.package].inherited |= flag.inherited;
    }
  }
}

std::uint32_t Chooser::tag_number(std::string_view tag) {
  const auto found = std::find(tags_.begin(), tags_.end(), tag);
  if (found == tags_.end()) {
    tags_.emplace_back(tag);
    allowed_.push_back(0);
    return static_cast<std::uint32_t>(tags_.size() - 1);
  }
  return static_cast<std::uint32_t>(found - tags_.begin());
}

std::uint64_t Chooser::repositories_of(std::uint64_t pins) const {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < allowed_.size() && i < 64; ++i)
    if ((pins >> i & 1) != 0) out |= allowed_[i];
  return out;
}

std::uint64_t Chooser::all_repositories(PackageId id) const {
  return at(id).sources | (packages_[id].installed ? allowed_[packages_[id].installed_tag] : 0);
}

std::uint32_t Chooser::tag_for(std::uint64_t pins, std::uint64_t repositories) const {
  for (std::uint32_t i = 0; i < allowed_.size() && i < 64; ++i)
    if ((pins >> i & 1) != 0 && (allowed_[i] & repositories) != 0) return i;
  return 0;
}

// ---- discovering ----

void Chooser::meet(PackageId id) {
  PackageState& state = packages_[id];
  const Package& package = at(id);
  bool cached = false;
  for (std::size_t i = 0; i < problem_.sources.size(); ++i) {
    const Source& source = problem_.sources[i];
    if ((package.sources >> i & 1) == 0) continue;
    state.available |= source.repository && source.available;
    cached |= source.cached;
  }
  state.selectable = package.fault.empty() && (state.available || cached || package.empty || state.installed);
  state.not_triggered = package.install_if.empty() || ((flags_now_ & kAvailable) != 0 && !state.available);
  state.tag_preferred = package.empty || (all_repositories(id) & repositories_of(kPlain)) != 0;
  state.tag_ok = state.tag_preferred || cached || state.installed;
}

/// Names by which a package goes that comes along with `name`.
std::vector<NameId> Chooser::companion_names(NameId name) const {
  std::vector<NameId> out;
  for (const PackageId id : problem_.companions(name)) {
    out.push_back(at(id).name);
    for (const Provide& provide : at(id).provides) out.push_back(provide.name);
  }
  return out;
}

/// Numbers the names in the order in which their surroundings are known: what is needed before who needs it.
void Chooser::discover(NameId root) {
  struct Frame {
    NameId name;
    int stage = 0;
    std::size_t i = 0, j = 0;
    std::vector<NameId> companions;
  };
  std::vector<Frame> stack;
  const auto enter = [&](NameId name) {
    if (names_[name].order != 0) return;
    names_[name].order = 1;  // seen; the number follows
    stack.push_back({name, 0, 0, 0, companion_names(name)});
  };
  enter(root);
  while (!stack.empty()) {
    Frame& frame = stack.back();
    const std::span<const Offer> offers = problem_.offers(frame.name);
    if (frame.stage == 0) {  // what the providers need
      if (frame.i == offers.size()) {
        frame.stage = 1;
        frame.i = frame.j = 0;
        continue;
      }
      const PackageId id = offers[frame.i].package;
      if (frame.j == 0 && !met_[id]) {
        met_[id] = 1;
        meet(id);
      } else if (frame.j == 0) {
        ++frame.i;
        continue;
      }
      if (frame.j < at(id).depends.size()) {
        enter(at(id).depends[frame.j++].name);
      } else {
        ++frame.i;
        frame.j = 0;
      }
    } else if (frame.stage == 1) {  // who comes along with the name
      if (frame.i < frame.companions.size()) {
        enter(frame.companions[frame.i++]);
        continue;
      }
      frame.stage = 2;
      frame.i = frame.j = 0;
      frame.companions.clear();
    } else if (frame.stage == 2) {  // who comes along with the providers, and what else they give
      if (frame.i == offers.size()) {
        std::uint32_t flags = flagged_[frame.name] ? 0 : 1u << 31;  // what the user named comes first
        const bool concrete = std::any_of(offers.begin(), offers.end(), [](const Offer& offer) { return offer.own; });
        flags |= concrete ? 1u << 30 : 0;
        names_[frame.name].order = static_cast<std::int32_t>(flags | ++order_);
        frame.stage = 3;
        frame.i = frame.j = 0;
        continue;
      }
      const Package& package = at(offers[frame.i].package);
      if (frame.j == 0) frame.companions = companion_names(package.name);
      const std::size_t own = frame.companions.size();
      if (frame.j < own) {
        enter(frame.companions[frame.j++]);
      } else if (frame.j - own < package.provides.size()) {
        enter(package.provides[frame.j++ - own].name);
      } else {
        ++frame.i;
        frame.j = 0;
      }
    } else {  // with whom they come along
      if (frame.i == offers.size()) {
        stack.pop_back();
        continue;
      }
      const Package& package = at(offers[frame.i].package);
      if (frame.j < package.install_if.size()) {
        enter(package.install_if[frame.j++].name);
      } else {
        ++frame.i;
        frame.j = 0;
      }
    }
  }
}

// ---- queues ----

void Chooser::make_dirty(NameId name) {
  NameState& state = names_[name];
  if (state.dirty || state.locked || (state.wanted == 0 && !state.look_at_companions)) return;
  state.dirty = true;
  dirty_.push_back(name);
}

void Chooser::dequeue(NameId name) {
  NameState& state = names_[name];
  switch (std::exchange(state.queue, Queue::kNowhere)) {
    case Queue::kNowhere: break;
    case Queue::kNow: now_.erase(std::find(now_.begin(), now_.end(), name)); break;
    case Queue::kSelectable: choosable_.erase({state.order, name}); break;
    case Queue::kOpen: open_.erase({state.order, name}); break;
  }
}

/// Names without a choice come first, then those that have a provider which may be taken by itself, then the rest.
void Chooser::enqueue(NameId name, bool again) {
  NameState& state = names_[name];
  if (state.locked) return;
  const bool now = state.dependents_done && state.wanted > 0 && state.selectable && !state.has_options;
  if (state.queue != Queue::kNowhere) {
    if (state.queue == Queue::kNow || (!now && !again)) return;
    dequeue(name);
  } else if (state.wanted == 0 && !state.companion && !state.companion_waits) {
    return;
  }
  if (now) {
    state.queue = Queue::kNow;
    now_.push_back(name);
  } else if (state.selectable) {
    state.queue = Queue::kSelectable;
    choosable_.insert({state.order, name});
  } else {
    state.queue = Queue::kOpen;
    open_.insert({state.order, name});
  }
}

std::optional<NameId> Chooser::next_name() {
  NameId out = 0;
  if (!now_.empty()) out = now_.front();
  else if (!choosable_.empty()) out = choosable_.rbegin()->second;
  else if (!open_.empty()) out = open_.rbegin()->second;
  else return std::nullopt;
  dequeue(out);
  return out;
}

// ---- what must be so ----

void Chooser::revisit_dependents(NameId name) {
  const auto touch = [&](NameId other) {
    names_[other].look_at_needs = true;
    make_dirty(other);
  };
  for (const PackageId id : problem_.dependents(name)) {
    touch(at(id).name);
    for (const Provide& provide : at(id).provides) touch(provide.name);
  }
}

void Chooser::revisit_companions(NameId name) {
  const auto touch = [&](NameId other) {
    if (names_[other].no_companion) return;
    names_[other].look_at_companions = true;
    make_dirty(other);
  };
  for (const PackageId id : problem_.companions(name)) {
    touch(at(id).name);
    for (const Provide& provide : at(id).provides) touch(provide.name);
  }
}

void Chooser::revisit_companions_of(PackageId id) {
  revisit_companions(at(id).name);
  for (const Provide& provide : at(id).provides) revisit_companions(provide.name);
}

void Chooser::disqualify(PackageId id) {
  packages_[id].selectable = false;
  revisit_dependents(at(id).name);
  for (const Provide& provide : at(id).provides) revisit_dependents(provide.name);
  revisit_companions_of(id);
}

bool Chooser::provided(PackageId asker, const Atom& atom, const Taken& by) const {
  if (by.package == kNone) return atom.conflict;
  if (atom.conflict && asker == by.package) return true;
  return problem_.matches(atom, {by.package, by.version, by.versioned, true}) != atom.conflict;
}

bool Chooser::satisfiable(PackageId asker, const Atom& atom) const {
  const NameState& name = names_[atom.name];
  if (name.locked) return provided(asker, atom, name.taken);
  if (name.wanted == 0 && atom.conflict) return true;
  const std::span<const Offer> offers = problem_.offers(atom.name);
  return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
    return packages_[offer.package].selectable && provided(asker, atom, offer);
  });
}

void Chooser::wanted_changed(NameId name) {
  enqueue(name, false);
  revisit_companions(name);
  make_dirty(name);
}

void Chooser::inherit(PackageId id, PackageId from) {
  PackageState& state = packages_[id];
  const std::uint64_t repositories = all_repositories(id);
  if (from != kNone) {
    const PackageState& parent = packages_[from];
    state.flags |= parent.inherited;
    state.inherited |= parent.inherited;
    state.pins |= parent.pins;
  } else {
    state.flags |= flags_now_;
    state.inherited |= flags_now_;
    state.pins |= pins_now_;
    state.preferred_pins = pins_now_;
    state.tag_preferred = (repositories & repositories_of(pins_now_)) != 0;
  }
  state.tag_ok |= (repositories & repositories_of(state.pins)) != 0;
}

void Chooser::apply(PackageId asker, const Atom& atom) {
  NameState& name = names_[atom.name];
  if (!atom.conflict && ++name.wanted == 1) wanted_changed(atom.name);
  for (const Offer& offer : problem_.offers(atom.name)) {
    PackageState& state = packages_[offer.package];
    const bool fits = provided(asker, atom, offer);
    if (!fits) ++state.conflicts;
    if (state.selectable && state.conflicts > 0) disqualify(offer.package);
    if (fits) inherit(offer.package, asker);
  }
}

/// All who could give `name` must give `must_give` too.
void Chooser::exclude_others(NameId name, NameId must_give, bool skip_virtual) {
  if (name == must_give) return;
  for (const Offer& offer : problem_.offers(name)) {
    const Package& package = at(offer.package);
    if (package.name == must_give || !packages_[offer.package].selectable || (skip_virtual && !offer.versioned))
      continue;
    const bool gives = std::any_of(package.provides.begin(), package.provides.end(), [&](const Provide& provide) {
      return provide.name == must_give || (skip_virtual && provide.version.empty());
    });
    if (!gives) disqualify(offer.package);
  }
}

/// A name without a version is given by who has a priority, or is wanted anyway.
bool Chooser::selectable(const Offer& offer) const {
  const Package& package = at(offer.package);
  return offer.versioned || package.priority != 0 || names_[package.name].wanted > 0;
}

/// Whether all of the package's install_if has come true; settles it either way as far as is known.
bool Chooser::trigger(PackageId id) {
  PackageState& state = packages_[id];
  if (state.triggered || state.not_triggered) return state.triggered;
  state.triggered = true;
  for (const Atom& atom : at(id).install_if) {
    NameState& name = names_[atom.name];
    if (!name.locked) {
      if (atom.conflict) {
        name.companion_waits = true;
        enqueue(atom.name, false);
      }
      state.triggered = false;
      break;
    }
    if (!provided(id, atom, name.taken)) {
      state.triggered = false;
      state.not_triggered = true;
      break;
    }
  }
  return state.triggered;
}

void Chooser::reconsider(NameId id) {
  NameState& name = names_[id];
  const bool needs = std::exchange(name.look_at_needs, false);
  const bool companions = std::exchange(name.look_at_companions, false);
  const std::span<const Offer> offers = problem_.offers(id);
  PackageId first = kNone;
  std::uint32_t options = 0, tags_not_ok = 0;
  bool selectable_now = false, companion = false, no_companion = true;
  for (const Offer& offer : offers) {
    const PackageId p = offer.package;
    PackageState& state = packages_[p];
    state.merged = false;
    if (needs && state.selectable && !std::all_of(at(p).depends.begin(), at(p).depends.end(), [&](const Atom& atom) {
          return satisfiable(p, atom);
        }))
      disqualify(p);
    if (!state.selectable) continue;
    if (companions) {
      (void)trigger(p);
      if (state.triggered)
        for (const Atom& atom : at(p).install_if) inherit(p, names_[atom.name].taken.package);
    }
    companion |= state.triggered;
    no_companion &= state.not_triggered;
    selectable_now |= state.triggered;
    if (name.wanted == 0) continue;

    state.merged = true;
    if (first == kNone) first = p;
    const auto merge = [&](std::uint32_t& count) {
      if (count != options) return false;
      ++count;
      return true;
    };
    for (const Atom& atom : at(p).depends)
      if (!atom.conflict) merge(names_[atom.name].common_needs);
    if (merge(names_[at(p).name].common_gives)) names_[at(p).name].gives_virtually |= !offer.versioned;
    for (const Provide& provide : at(p).provides)
      if (merge(names_[provide.name].common_gives)) names_[provide.name].gives_virtually |= provide.version.empty();
    tags_not_ok += state.tag_ok ? 0 : 1;
    ++options;
    selectable_now |= selectable(offer);
  }
  name.has_options = options > 1 || tags_not_ok > 0;
  name.companion = companion;
  name.no_companion = no_companion;
  const bool changed = std::exchange(name.selectable, selectable_now) != selectable_now;

  if (first != kNone) {
    for (const Offer& offer : offers) packages_[offer.package].used = packages_[offer.package].merged;
    const auto complete = [&](std::uint32_t& count) { return std::exchange(count, 0) == options; };
    for (const Atom& atom : at(first).depends) {
      NameState& needed = names_[atom.name];
      if (!complete(needed.common_needs)) continue;
      if (options == 1) {
        apply(first, atom);
      } else if (needed.wanted == 0) {  // all of them need something of that name
        ++needed.wanted;
        wanted_changed(atom.name);
        for (const Offer& offer : problem_.offers(atom.name)) inherit(offer.package, first);
      }
    }
    const auto settle = [&](NameId given) {
      if (complete(names_[given].common_gives)) exclude_others(given, id, names_[given].gives_virtually);
    };
    settle(at(first).name);
    for (const Provide& provide : at(first).provides) settle(provide.name);
    names_[at(first).name].gives_virtually = false;
    for (const Provide& provide : at(first).provides) names_[provide.name].gives_virtually = false;
  }

  name.dependents_done = true;
  for (const PackageId p : problem_.dependents(id)) {
    bool open = !names_[at(p).name].locked;
    for (const Provide& provide : at(p).provides) open |= !names_[provide.name].locked;
    if (!open) continue;
    name.dependents_done = false;
    break;
  }
  enqueue(id, changed);
}

// ---- choosing ----

int sign(bool a, bool b) { return static_cast<int>(a) - static_cast<int>(b); }

/// Of two versions; none at all is lower than any.
int version_order(std::string_view a, std::string_view b) {
  const auto order = apk::compare_versions(a, b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

/// Above 0: `a` is the better provider. The first difference decides.
int Chooser::compare(const Offer& a, const Taken& b) const {
  if (b.package == kNone) return 1;
  const Package &left = at(a.package), &right = at(b.package);
  const PackageState &x = packages_[a.package], &y = packages_[b.package];
  const unsigned flags = x.flags | y.flags;
  int out = 0;
  const auto differ = [&](int order) { return (out = order) != 0; };
  if ((flags & kLatest) != 0 && x.pins == kPlain && y.pins == kPlain) {
    if (differ(sign(x.tag_ok, y.tag_ok))) return out;
    if ((flags & kAvailable) != 0) {
      if (differ(sign(x.available, y.available))) return out;
    } else if ((flags & kReinstall) != 0) {
      if (differ(sign(x.selectable, y.selectable))) return out;
    }
  } else {
    if (differ(sign(x.selectable, y.selectable))) return out;
    if (differ(sign(x.used, y.used))) return out;
    if (differ(y.conflicts - x.conflicts)) return out;
    const bool keep = (question_.self_upgrade && (flags & kUpgrade) == 0) || (flags & kInstalled) != 0;
    if (keep && differ(sign(x.installed, y.installed))) return out;
    if (differ(sign(x.tag_ok, y.tag_ok))) return out;
    if ((flags & kAvailable) != 0 && differ(sign(x.available, y.available))) return out;
    if (differ(sign(x.tag_preferred, y.tag_preferred))) return out;
    if ((flags & (kRemove | kUpgrade)) == 0 && (left.name == right.name || a.versioned || b.versioned) &&
        differ(sign(x.installed, y.installed)))
      return out;
  }
  if (differ(version_order(a.version, b.version))) return out;
  if (left.name == right.name && differ(version_order(left.version, right.version))) return out;
  if (left.priority != right.priority) return left.priority > right.priority ? 1 : -1;
  if ((flags & kRemove) == 0 && differ(sign(x.installed, y.installed))) return out;
  if (differ(sign(x.selectable, y.selectable))) return out;
  const auto lowest = [&](const Package& package) {
    std::uint64_t repositories = 0;
    for (std::size_t i = 0; i < problem_.sources.size(); ++i)
      if (problem_.sources[i].repository) repositories |= package.sources & (std::uint64_t{1} << i);
    return repositories == 0 ? 0 : std::countr_zero(repositories) + 1;
  };
  return lowest(right) - lowest(left);
}

void Chooser::mark_faulty(PackageId id) {
  if (id == kNone || packages_[id].faulty) return;
  packages_[id].faulty = true;
  ++errors_;
}

void Chooser::assign(NameId id, const Taken& taken) {
  NameState& name = names_[id];
  if (name.locked) {
    if (!taken.versioned && !name.taken.versioned) return;
    mark_faulty(taken.package);
    mark_faulty(name.taken.package);
    return;
  }
  name.locked = true;
  name.taken = taken;
  dequeue(id);
  if (name.dirty) {
    name.dirty = false;
    dirty_.erase(std::find(dirty_.begin(), dirty_.end(), id));
  }
  if (taken.package != kNone && name.wanted == 0 && packages_[taken.package].triggered)
    for (const Atom& atom : at(taken.package).install_if)
      if (!names_[atom.name].locked) apply(taken.package, atom);
  for (const Offer& offer : problem_.offers(id)) {
    if (offer.package == taken.package || (!taken.versioned && !offer.versioned)) continue;
    disqualify(offer.package);
  }
  revisit_dependents(id);
  if (taken.package != kNone) revisit_companions_of(taken.package);
  else revisit_companions(id);
}

void Chooser::select(NameId id) {
  const NameState& name = names_[id];
  Taken best;
  if (name.wanted > 0 || name.companion) {
    for (const Offer& offer : problem_.offers(id)) {
      const PackageState& state = packages_[offer.package];
      if (name.wanted == 0 && !(state.triggered && state.tag_ok && state.selectable)) continue;
      if (!selectable(offer)) continue;
      if (compare(offer, best) > 0) best = {offer.package, offer.version, offer.versioned};
    }
  }
  if (best.package == kNone) {
    assign(id, {});
    if (name.wanted > 0) ++errors_;
    return;
  }
  const Package& package = at(best.package);
  if (!packages_[best.package].selectable || !packages_[best.package].tag_ok) mark_faulty(best.package);
  assign(package.name, {best.package, package.version, true});
  for (const Provide& provide : package.provides)
    assign(provide.name, {best.package, provide.version, !provide.version.empty()});
  for (const Atom& atom : package.depends) apply(best.package, atom);
}

// ---- the transaction ----

void Chooser::record(PackageId before, PackageId after) {
  ApkChange change;
  change.before = before;
  change.after = after;
  if (before != kNone) change.tag_before = packages_[before].installed_tag;
  if (after != kNone) {
    change.tag_after = tag_for(packages_[after].pins, all_repositories(after));
    change.reinstall = (packages_[after].flags & kReinstall) != 0;
  }
  changes_.push_back(change);
}

void Chooser::needs_added(PackageId id) {
  for (const Atom& atom : at(id).depends) {
    const NameId given = names_[atom.name].installed_name;
    if (!atom.conflict && given != kNone) ++names_[given].wanted;
  }
}

void Chooser::needs_removed(PackageId id, int depth) {
  for (const Atom& atom : at(id).depends) {
    const NameId given = names_[atom.name].installed_name;
    if (atom.conflict || given == kNone || --names_[given].wanted > 0) continue;
    const PackageId orphan = names_[atom.name].installed;
    if (orphan != kNone) remove(orphan, depth);
  }
}

void Chooser::maybe_remove_orphan(PackageId id, int depth) {
  const NameState& name = names_[at(id).name];
  if (name.wanted == 0 && name.taken.package == kNone) remove(id, depth);
}

template <class Do>
void Chooser::each_companion_name(PackageId id, Do&& act) const {
  if (id == kNone) return;
  for (const NameId name : companion_names(at(id).name)) act(name);
  for (const Provide& provide : at(id).provides)
    for (const NameId name : companion_names(provide.name)) act(name);
}

void Chooser::companions_come(NameId id, int depth) {
  const NameState& name = names_[id];
  const PackageId package = name.taken.package;
  if (package == kNone || name.processed) return;
  for (const Atom& atom : at(package).install_if) {
    const NameState& other = names_[atom.name];
    if (!atom.conflict && !other.processed) return;
    if (!provided(package, atom, other.taken)) return;
  }
  change_name(id, depth);
}

void Chooser::companions_go(NameId id, int depth) {
  const NameState& name = names_[id];
  if (name.installed == kNone || name.taken.package != kNone || name.processed || name.removed) return;
  for (const Atom& atom : at(name.installed).install_if) {
    const NameState& other = names_[atom.name];
    if (!other.removed || other.taken.package != kNone) continue;
    maybe_remove_orphan(name.installed, depth);
    return;
  }
}

/// Before a name changes hands: who gave it goes, and so does everybody of that name who is not chosen.
void Chooser::prepare_change(NameId id, int depth) {
  NameState& name = names_[id];
  if (std::exchange(name.processed, true)) return;
  if (name.installed != kNone && (name.taken.package == kNone || at(name.taken.package).name != id))
    remove(name.installed, depth);
  for (const Offer& offer : problem_.offers(id)) {
    const NameState& own = names_[at(offer.package).name];
    if (own.installed == offer.package && own.taken.package == kNone) remove(offer.package, depth);
  }
}

void Chooser::change_name(NameId id, int depth) {
  if (names_[id].processed) return;
  if (depth > kMaxDepth) {
    too_deep_ = true;
    return;
  }
  prepare_change(id, depth + 1);
  const PackageId package = names_[id].taken.package;
  if (package == kNone || std::exchange(packages_[package].in_changes, true)) return;
  prepare_change(at(package).name, depth + 1);
  for (const Provide& provide : at(package).provides) prepare_change(provide.name, depth + 1);
  const PackageId before = names_[at(package).name].installed;
  each_companion_name(before, [&](NameId name) { companions_go(name, depth + 1); });
  for (const Atom& atom : at(package).depends) follow(package, atom, depth + 1);
  record(before, package);
  each_companion_name(package, [&](NameId name) { companions_come(name, depth + 1); });
  needs_added(package);
  if (before != kNone) needs_removed(before, depth + 1);
}

void Chooser::remove(PackageId id, int depth) {
  NameState& name = names_[at(id).name];
  if (packages_[id].in_changes || (name.taken.package != kNone && at(name.taken.package).name == at(id).name)) return;
  if (depth > kMaxDepth) {
    too_deep_ = true;
    return;
  }
  name.removed = true;
  packages_[id].in_changes = true;
  const auto dependents_of = [&](NameId given, std::string_view version, bool versioned) {
    for (const PackageId other : problem_.dependents(given)) {
      if (!packages_[other].installed) continue;
      for (const Atom& atom : at(other).depends)
        if (atom.name == given && provided(other, atom, Taken{id, version, versioned})) remove(other, depth + 1);
    }
  };
  dependents_of(at(id).name, at(id).version, true);
  for (const Provide& provide : at(id).provides) dependents_of(provide.name, provide.version, !provide.version.empty());
  each_companion_name(id, [&](NameId other) { companions_go(other, depth + 1); });
  record(id, kNone);
  needs_removed(id, depth + 1);
}

void Chooser::follow(PackageId asker, const Atom& atom, int depth) {
  const Taken taken = names_[atom.name].taken;
  if (!provided(asker, atom, taken)) mark_faulty(asker);
  change_name(atom.name, depth);
  if (taken.package != kNone && packages_[taken.package].faulty) mark_faulty(asker);
}

void Chooser::write_changes() {
  for (NameState& name : names_) name.wanted = 0;
  for (const ApkInstalled& installed : question_.installed) {
    const Package& package = at(installed.package);
    names_[package.name].installed = installed.package;
    names_[package.name].installed_name = package.name;
    for (const Provide& provide : package.provides)
      if (!provide.version.empty()) names_[provide.name].installed_name = package.name;
  }
  for (const ApkInstalled& installed : question_.installed) needs_added(installed.package);
  for (const ApkInstalled& installed : question_.installed) maybe_remove_orphan(installed.package, 0);
  for (const Atom& atom : problem_.world) follow(kNone, atom, 0);
  for (const ApkInstalled& installed : question_.installed) change_name(at(installed.package).name, 0);
}

ApkAnswer Chooser::run() {
  flags_now_ = question_.flags;
  for (std::size_t i = 0; i < problem_.world.size(); ++i)
    if (!problem_.world[i].broken) discover(problem_.world[i].name);
  for (NameId id = 0; id < names_.size(); ++id)
    if (names_[id].order == 0) discover(id);
  for (NameId id = 0; id < names_.size(); ++id) {
    const std::span<const Offer> offers = problem_.offers(id);
    names_[id].no_companion = std::all_of(offers.begin(), offers.end(), [&](const Offer& offer) {
      return packages_[offer.package].not_triggered;
    });
  }
  for (std::size_t i = 0; i < problem_.world.size(); ++i) {
    if (problem_.world[i].broken) continue;
    pins_now_ = std::uint64_t{1} << std::min<std::uint32_t>(world_tags_[i], 63);
    apply(kNone, problem_.world[i]);
  }
  flags_now_ = 0;
  pins_now_ = 0;
  while (true) {
    while (!dirty_.empty()) {
      const NameId name = dirty_.front();
      dirty_.pop_front();
      names_[name].dirty = false;
      reconsider(name);
    }
    const auto name = next_name();
    if (!name) break;
    select(*name);
  }
  write_changes();
  ApkAnswer out{std::move(changes_), errors_, too_deep_, std::move(tags_)};
  if (errors_ > 0 && question_.give_up_broken)
    for (Atom& atom : problem_.world) {
      const PackageId taken = names_[atom.name].taken.package;
      if (taken == kNone || packages_[taken].faulty) atom.broken = true;
    }
  return out;
}

}  // namespace

ApkAnswer apk_choose(Problem& problem, const ApkQuestion& question) {
  std::stable_sort(problem.world.begin(), problem.world.end(), [&](const Atom& a, const Atom& b) {
    return display_less(problem.name(a.name), problem.name(b.name));
  });
  ApkAnswer out = Chooser(problem, question).run();
  if (out.errors > 0 && question.give_up_broken) out = Chooser(problem, question).run();
  return out;
}

}  // namespace nacre::solve
