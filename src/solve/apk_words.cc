#include "solve/apk_words.h"

#include "apk/version.h"

#include <algorithm>
#include <map>

namespace nacre::solve {

namespace {
constexpr std::size_t kWidth = 50;
}

void Wrapped::line(const std::string& text) {
  out_ += text + "\n";
  column_ = indent_ = 0;
}

void Wrapped::group(const std::string& head, std::size_t indent) {
  out_ += head;
  column_ = head.size();
  indent_ = indent > 0 ? indent : column_ + 1;
  if (head.ends_with('\n')) column_ = 0;
}

void Wrapped::word(const std::string& text) {
  if (column_ <= indent_) {
    out_ += std::string(indent_ - column_, ' ') + text;
    column_ = indent_ + text.size();
  } else if (column_ + text.size() + 1 >= kWidth) {
    out_ += "\n" + std::string(indent_, ' ') + text;
    column_ = indent_ + text.size();
  } else {
    out_ += " " + text;
    column_ += 1 + text.size();
  }
}

void Wrapped::end() {
  if (column_ > 0) out_ += "\n";
  column_ = indent_ = 0;
}

namespace {

std::string human_size(std::uint64_t value) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  float shown = static_cast<float>(value);
  std::size_t unit = 0;
  for (; unit + 1 < std::size(kUnits) && shown >= 10000; ++unit) {
    shown /= 1024;
    value /= 1024;
  }
  return unit < 2 ? fmt::format("{} {}", value, kUnits[unit]) : fmt::format("{:.1f} {}", shown, kUnits[unit]);
}

/// -1, 0 or 1: how the new version of a change stands to the old one.
int direction(const ApkWords& words, const ApkChange& change) {
  const auto order = apk::compare_versions(words.problem.package(change.after).version,
                                           words.problem.package(change.before).version);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

std::string with_tag(const ApkWords& words, const ApkChange& change) {
  const PackageId shown = change.after != kNone ? change.after : change.before;
  const std::string& tag = words.answer.tags[change.tag_after];
  return fmt::format("{}{}{}", words.problem.name(words.problem.package(shown).name), tag.empty() ? "" : "@", tag);
}

bool within_reach(const Problem& problem, PackageId id) {
  const Package& package = problem.package(id);
  bool out = false;
  for (std::size_t i = 0; i < problem.sources.size(); ++i) {
    const Source& source = problem.sources[i];
    if ((package.sources >> i & 1) != 0) out |= source.cached || (source.repository && source.available);
  }
  return out;
}

bool in_any_repository(const Problem& problem, PackageId id) {
  for (std::size_t i = 0; i < problem.sources.size(); ++i)
    if ((problem.package(id).sources >> i & 1) != 0 && problem.sources[i].repository) return true;
  return false;
}

/// What a change is called; empty when nothing happens.
std::string action(const ApkWords& words, const ApkChange& change) {
  if (change.before == kNone) return "Installing";
  if (change.after == kNone) return "Purging";
  if (change.before == change.after) {
    if (change.reinstall)
      return within_reach(words.problem, change.after) ? "Reinstalling" : "[APK unavailable, skipped] Reinstalling";
    return change.tag_before != change.tag_after ? "Updating pinning" : "";
  }
  const int order = direction(words, change);
  return order < 0 ? "Downgrading" : order > 0 ? "Upgrading" : "Replacing";
}

std::string versions(const ApkWords& words, const ApkChange& change) {
  const auto version = [&](PackageId id) { return words.problem.package(id).version; };
  if (change.before == kNone || change.before == change.after) return fmt::format("({})", version(change.after));
  if (change.after == kNone) return fmt::format("({})", version(change.before));
  return fmt::format("({} -> {})", version(change.before), version(change.after));
}

/// One list of `-v`: the changes that `wanted` picks, with details or wrapped.
bool list(const ApkWords& words, const std::vector<ApkChange>& sorted, std::string& out, const std::string& head,
          bool details, const auto& wanted) {
  Wrapped text(out);
  bool any = false;
  for (const ApkChange& change : sorted) {
    if (!wanted(change)) continue;
    if (!std::exchange(any, true)) text.group(head + ":\n", 2);
    const PackageId shown = change.after != kNone ? change.after : change.before;
    if (details) out += fmt::format("  {} {}\n", with_tag(words, change), versions(words, change));
    else text.word(std::string(words.problem.name(words.problem.package(shown).name)));
  }
  text.end();
  return any;
}

std::string lists(const ApkWords& words) {
  std::vector<ApkChange> sorted = words.answer.changes;
  const Problem& problem = words.problem;
  const auto name_of = [&](const ApkChange& change) {
    return problem.name(problem.package(change.before != kNone ? change.before : change.after).name);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const ApkChange& a, const ApkChange& b) { return display_less(name_of(a), name_of(b)); });
  std::string out;
  list(words, sorted, out,
       "NOTE: Consider running apk upgrade with --prune and/or --available.\n"
       "The following packages are no longer available from a repository",
       false, [&](const ApkChange& change) {
         if (change.after == kNone) return false;
         const NameId name = problem.package(change.after).name;
         const auto offers = problem.offers(name);
         return std::none_of(offers.begin(), offers.end(),
                             [&](const Offer& offer) { return in_any_repository(problem, offer.package); });
       });
  list(words, sorted, out, "The following packages will be REMOVED", true,
       [](const ApkChange& change) { return change.after == kNone; });
  list(words, sorted, out, "The following packages will be DOWNGRADED", true, [&](const ApkChange& change) {
    return change.after != kNone && change.before != kNone && direction(words, change) < 0;
  });
  return out;
}

}  // namespace

std::string apk_transaction(const ApkWords& words, const ApkTotals& totals) {
  std::string out = words.verbosity > 1 ? lists(words) : "";
  std::size_t total = 0, done = 0;
  std::int64_t bytes = static_cast<std::int64_t>(totals.bytes), packages = static_cast<std::int64_t>(totals.packages);
  for (const ApkChange& change : words.answer.changes) {
    total += action(words, change).empty() ? 0 : 1;
    if (change.after != kNone) {
      bytes += static_cast<std::int64_t>(words.installed_bytes[change.after]);
      ++packages;
    }
    if (change.before != kNone) {
      bytes -= static_cast<std::int64_t>(words.installed_bytes[change.before]);
      --packages;
    }
  }
  const std::size_t digits = std::to_string(total).size();
  for (const ApkChange& change : words.answer.changes) {
    const std::string what = action(words, change);
    if (!what.empty())
      out += fmt::format("({:>{}}/{}) {} {} {}\n", ++done, digits, total, what, with_tag(words, change),
                         versions(words, change));
  }
  const std::string size = human_size(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
  if (words.verbosity > 1)
    out += fmt::format("OK: {} packages, {} dirs, {} files, {}\n", packages, totals.dirs, totals.files, size);
  else if (words.verbosity > 0)
    out += fmt::format("OK: {} in {} packages\n", size, packages);
  return out;
}

namespace {

enum State : unsigned { kPresent = 1, kMissing = 2, kVirtualOnly = 4, kAlong = 8 };

class Report {
 public:
  Report(const ApkWords& words, const std::vector<ApkInstalled>& installed)
      : words_(words), problem_(words.problem), marked_(problem_.package_count()), installed_(problem_.package_count()),
        package_state_(problem_.package_count()), name_state_(problem_.name_count()), text_(out_) {
    for (const ApkInstalled& package : installed) installed_[package.package] = 1;
  }

  std::string run() {
    for (const ApkChange& change : words_.answer.changes)
      if (change.after != kNone) marked_[change.after] = 1;
    discover(problem_.world);
    out_ = "ERROR: unable to select packages:\n";
    missing_of(problem_.world);
    for (const ApkChange& change : words_.answer.changes) {
      if (change.after == kNone) continue;
      package(change.after, change.tag_after);
      missing_of(problem_.package(change.after).depends);
    }
    if (labels_ == 0) text_.line("Huh? Error reporter did not find the broken constraints.");
    return out_;
  }

 private:
  enum class Relation { kNothing, kSatisfies, kBreaks };

  // ---- what is there and what is missing ----

  bool concrete(PackageId id, NameId name) const {
    const Package& package = problem_.package(id);
    if (package.name == name) return true;
    return std::any_of(package.provides.begin(), package.provides.end(), [&](const Provide& provide) {
      return provide.name == name && !provide.version.empty();
    });
  }

  void discover(std::span<const Atom> atoms) {
    std::vector<std::pair<NameId, unsigned>> open;
    const auto push_needs = [&](std::span<const Atom> needs) {
      for (auto atom = needs.rbegin(); atom != needs.rend(); ++atom)
        if (!atom->conflict) open.emplace_back(atom->name, kPresent);
    };
    push_needs(atoms);
    while (!open.empty()) {
      const auto [name, wanted] = open.back();
      open.pop_back();
      for (const Offer& offer : problem_.offers(name)) {
        const Package& package = problem_.package(offer.package);
        unsigned state = wanted;
        if (!marked_[offer.package]) continue;
        if (package.priority == 0 && !concrete(offer.package, name)) state = kVirtualOnly;
        if ((package_state_[offer.package] & state) != 0) continue;
        package_state_[offer.package] |= state;
        name_state_[package.name] |= state;
        for (const Provide& provide : package.provides)
          name_state_[provide.name] |= state == kAlong && provide.version.empty() ? unsigned{kVirtualOnly} : state;
        push_needs(package.depends);
        if (state != kPresent && state != kAlong) continue;
        companions_of(package.name, open);
        for (const Provide& provide : package.provides) companions_of(provide.name, open);
      }
    }
  }

  void companions_of(NameId name, std::vector<std::pair<NameId, unsigned>>& open) {
    for (const PackageId id : problem_.companions(name)) {
      const Package& package = problem_.package(id);
      if (!marked_[id]) continue;
      const bool along = std::all_of(package.install_if.begin(), package.install_if.end(), [&](const Atom& atom) {
        return atom.conflict != ((name_state_[atom.name] & (kPresent | kAlong)) != 0);
      });
      if (!along) continue;
      open.emplace_back(package.name, kAlong);
      for (const Provide& provide : package.provides) open.emplace_back(provide.name, kAlong);
    }
  }

  // ---- printing ----

  void begin(const std::string& head) {
    if (!label_.empty()) {
      text_.line(fmt::format("  {}:", label_));
      label_.clear();
      ++labels_;
    }
    if (!text_.open()) text_.group("    " + head, 0);
  }

  std::string world_atom(const Atom& atom) const { return fmt::format("world[{}]", shown(atom, true)); }
  std::string needs(PackageId id, const Atom& atom) const {
    return fmt::format("{}[{}]", problem_.text(id), shown(atom, false));
  }
  std::string shown(const Atom& atom, bool with_tag) const {
    Atom plain = atom;
    plain.tag = {};
    return problem_.text(plain) + (with_tag && !atom.tag.empty() ? fmt::format("@{}", atom.tag) : "");
  }

  void missing_of(std::span<const Atom> atoms) {
    for (const Atom& atom : atoms) {
      unsigned& state = name_state_[atom.name];
      if (atom.conflict || (state & (kAlong | kPresent | kMissing)) != 0) continue;
      state |= kMissing;
      missing(atom.name);
    }
  }

  void missing(NameId name) {
    const std::span<const Offer> offers = problem_.offers(name);
    if (offers.empty()) {
      label_ = fmt::format("{} (no such package)", problem_.name(name));
    } else {
      label_ = fmt::format("{} (virtual)", problem_.name(name));
      begin("note:");
      for (const char* word : {"please", "select", "one", "of", "the", "'provided", "by'", "packages", "explicitly"})
        text_.word(word);
      text_.end();
      begin("provided by:");
      std::map<NameId, std::size_t> count;
      for (const Offer& offer : offers) ++count[problem_.package(offer.package).name];
      for (const Offer& offer : offers) {
        const NameId own = problem_.package(offer.package).name;
        std::size_t& left = count[own];
        if (left == problem_.offers(own).size()) {
          text_.word(std::string(problem_.name(own)));
          left = 0;
        } else if (left > 0) {
          text_.word(problem_.text(offer.package));
          --left;
        }
      }
      text_.end();
    }
    begin("required by:");
    for (const Atom& atom : problem_.world)
      if (atom.name == name && !atom.conflict) text_.word(world_atom(atom));
    for (const PackageId id : problem_.dependents(name)) {
      if (!marked_[id]) continue;
      for (const Atom& atom : problem_.package(id).depends) {
        if (atom.name != name || atom.conflict) continue;
        text_.word(needs(id, atom));
        break;
      }
    }
    text_.end();
  }

  void masks(PackageId id, std::uint32_t tag) {
    if (installed_[id]) return;
    const Package& package = problem_.package(id);
    bool available = false, cached = false, plain = false, repository = false;
    std::vector<std::string> tags;
    for (std::size_t i = 0; i < problem_.sources.size(); ++i) {
      const Source& source = problem_.sources[i];
      if ((package.sources >> i & 1) == 0) continue;
      cached |= source.cached;
      if (!source.repository) continue;
      repository = true;
      available |= source.available;
      plain |= source.tag.empty() || source.tag == words_.answer.tags[tag];
      if (!source.tag.empty() && std::find(tags.begin(), tags.end(), "@" + source.tag) == tags.end())
        tags.push_back("@" + source.tag);
    }
    if (!available && !cached && repository) tags = {"--no-network"};
    else if (!repository && cached) tags = {"cache"};
    else if (plain || !repository) tags.clear();
    for (const std::string& word : tags) {
      begin("masked in:");
      text_.word(word);
    }
    text_.end();
  }

  void conflicts(PackageId id) {
    const Package& package = problem_.package(id);
    for (const Offer& offer : problem_.offers(package.name)) {
      if (offer.package == id || !marked_[offer.package]) continue;
      begin("conflicts:");
      text_.word(problem_.text(offer.package));
    }
    for (const Provide& provide : package.provides) {
      bool self = true;
      for (const Offer& offer : problem_.offers(provide.name)) {
        if (!marked_[offer.package] || (provide.version.empty() && !offer.versioned)) continue;
        if (self && offer.package == id && offer.version == provide.version) {
          self = false;
          continue;
        }
        begin("conflicts:");
        text_.word(fmt::format("{}[{}{}{}]", problem_.text(offer.package), problem_.name(provide.name),
                               provide.version.empty() ? "" : "=", provide.version));
      }
    }
    text_.end();
  }

  Relation relation(PackageId asker, const Atom& atom, PackageId id) const {
    const Package& package = problem_.package(id);
    const auto judge = [&](const Offer& offer) {
      return problem_.matches(atom, offer) != atom.conflict ? Relation::kSatisfies : Relation::kBreaks;
    };
    if (atom.name == package.name) return judge({id, package.version, true, true});
    for (const Provide& provide : package.provides) {
      if (provide.name != atom.name) continue;
      if (atom.conflict && asker == id) return Relation::kSatisfies;
      return judge({id, provide.version, !provide.version.empty(), false});
    }
    return Relation::kNothing;
  }

  void relations(PackageId id, Relation wanted, const std::string& head) {
    for (const Atom& atom : problem_.world)
      if (relation(kNone, atom, id) == wanted) {
        begin(head);
        text_.word(world_atom(atom));
      }
    std::vector<std::pair<PackageId, const Atom*>> found;
    std::vector<char> seen(problem_.package_count());
    const auto look = [&](NameId name) {
      for (const PackageId other : problem_.dependents(name)) {
        if (!marked_[other] || std::exchange(seen[other], 1) != 0) continue;
        for (const Atom& atom : problem_.package(other).depends)
          if (relation(other, atom, id) == wanted) found.emplace_back(other, &atom);
      }
    };
    look(problem_.package(id).name);
    for (const Provide& provide : problem_.package(id).provides) look(provide.name);
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
      const Package &x = problem_.package(a.first), &y = problem_.package(b.first);
      if (x.name != y.name) return display_less(problem_.name(x.name), problem_.name(y.name));
      const auto order = apk::compare_versions(x.version, y.version);
      return order != 0 ? order < 0 : apk_op(*a.second) < apk_op(*b.second);
    });
    for (const auto& [other, atom] : found) {
      begin(head);
      text_.word(needs(other, *atom));
    }
    text_.end();
  }

  /// apk-tools' own number for an operator.
  static int apk_op(const Atom& atom) {
    int out = atom.op == apk::kAny ? 7 : 0;
    out |= (atom.op & apk::kEqual) != 0 ? 1 : 0;
    out |= (atom.op & apk::kLess) != 0 ? 2 : 0;
    out |= (atom.op & apk::kGreater) != 0 ? 4 : 0;
    out |= (atom.op & apk::kFuzzy) != 0 ? 8 : 0;
    return out | (atom.conflict ? 16 : 0);
  }

  void package(PackageId id, std::uint32_t tag) {
    const Package& package = problem_.package(id);
    label_ = problem_.text(id);
    if (!package.fault.empty()) {
      begin("error:");
      text_.word("uninstallable");
      text_.end();
      if (package.fault.starts_with("arch ")) {
        begin("arch:");
        text_.word(std::string(package.arch));
        text_.end();
      }
    }
    masks(id, tag);
    conflicts(id);
    relations(id, Relation::kBreaks, "breaks:");
    if (label_.empty()) relations(id, Relation::kSatisfies, "satisfies:");
  }

  const ApkWords& words_;
  const Problem& problem_;
  std::vector<char> marked_, installed_;
  std::vector<unsigned> package_state_, name_state_;
  std::string out_, label_;
  Wrapped text_;
  std::size_t labels_ = 0;
};

}  // namespace

std::string apk_errors(const ApkWords& words, const std::vector<ApkInstalled>& installed) {
  return Report(words, installed).run();
}

}  // namespace nacre::solve
