#include "solve/case.h"

#include "apk/version.h"
#include "base/arch.h"
#include "base/encoding.h"
#include "base/text.h"
#include "solve/apk_choice.h"
#include "solve/apk_words.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>

namespace nacre::solve {
namespace {

constexpr std::size_t kMaxLines = 1000000;
constexpr std::string_view kMadeHere = "made here";  ///< Checksum of a package that `add -t` makes.

// ---- files of a case ----

/// A record of a repository or of the installed database, with what only the latter says.
struct CaseRecord {
  apk::IndexRecord record;
  std::string tag;                 ///< s: without '@'.
  bool uninstallable = false, odd_provides = false, new_feature = false;
  std::vector<std::string> files;  ///< "proc/self/exe"
  std::size_t dirs = 0;
};

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

/// Adds the atoms of a line, up to the first that cannot be read, since there apk stops. False: there is one.
bool append(std::vector<std::string>& atoms, std::string_view line) {
  for (const std::string& text : split_words(line)) {
    const auto atom = apk::read_dependency(text);
    if (!atom || !atom->tag.empty()) return false;
    atoms.push_back(text);
  }
  return true;
}

/// What a checksum says, whatever its last letter holds besides: packages with the same one are the same to apk.
std::string digest_of(const std::string& checksum) {
  const auto bytes = from_base64(std::string_view(checksum).substr(std::min<std::size_t>(2, checksum.size())));
  return bytes ? *bytes : checksum;
}

/// As lenient as apk is: "S:12x" is 12, what it does not know makes the package unusable or is skipped.
void set_field(CaseRecord& into, char key, std::string_view value, std::string& folder) {
  apk::IndexRecord& record = into.record;
  switch (key) {
    case 'P': record.name = value; break;
    case 'V': record.version = value; break;
    case 'A': record.arch = value; break;
    case 'C': record.checksum = value; break;
    case 'S': record.size_bytes = number(value); break;
    case 'I': record.installed_bytes = number(value); break;
    case 'k': record.provider_priority = number(value); break;
    case 'o': record.origin = value; break;
    case 'D': into.uninstallable |= !append(record.depends, value); break;
    case 'p': into.odd_provides |= !append(record.provides, value); break;
    case 'i':
      if (append(record.install_if, value)) break;
      record.install_if.clear();
      into.odd_provides = true;
      break;
    case 's': into.tag = value.starts_with('@') ? value.substr(1) : value; break;
    case 'F':
      folder = value;
      ++into.dirs;
      break;
    case 'R': into.files.push_back(folder + (folder.empty() ? "" : "/") + std::string(value)); break;
    default:
      if (key >= 'A' && key <= 'Z' && std::string_view("TULMZ").find(key) == std::string_view::npos)
        into.uninstallable = into.new_feature = true;
  }
}

Result<std::vector<CaseRecord>> read_records(std::string_view text, const std::string& file) {
  std::vector<CaseRecord> out;
  std::string folder;
  bool open = false;
  int line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.empty()) {
      open = false;
      continue;
    }
    if (line.size() < 2 || line[1] != ':')
      return Error::make(ErrorKind::kInvalid, "expected a line 'K:value'").at({file, line_number, 1});
    if (!std::exchange(open, true)) {
      out.emplace_back();
      folder.clear();
    }
    set_field(out.back(), line[0], line.substr(2), folder);
  }
  for (const CaseRecord& record : out)
    if (record.record.name.empty() || record.record.version.empty())
      return Error::make(ErrorKind::kInvalid, "a record has no name (P) or no version (V)").at({file, 0, 0});
  return out;
}

// ---- what apk is asked ----

/// The command line of a case.
struct Ask {
  std::string verb, made;  ///< made: of `add -t`.
  std::vector<std::string> names, preupgrade;
  bool has_made = false, upgrade = false, latest = false, available = false, prune = false, ignore = false;
  bool reinstall = false, depends = false, only_preupgrade = false, recursive = false;
  bool offline = false, broken_world = false, cache = false;
  int verbosity = 1;
};

Result<Ask> read_arguments(const std::vector<std::string>& words) {
  Ask out;
  bool options = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> Result<std::string> {
      if (i + 1 == words.size()) return Error::make(ErrorKind::kInvalid, "'{}' needs a value", word);
      return words[++i];
    };
    if (!options || !word.starts_with('-')) {
      if (out.verb.empty()) out.verb = word;
      else out.names.push_back(word);
    } else if (word == "--") options = false;
    else if (word == "-v" || word == "--verbose") ++out.verbosity;
    else if (word == "-q" || word == "--quiet") --out.verbosity;
    else if (word == "--no-network") out.offline = true;
    else if (word == "--no-cache" || word.starts_with("--root-tmpfs")) continue;
    else if (word == "--force-broken-world") out.broken_world = true;
    else if (word == "-u" || word == "--upgrade") out.upgrade = true;
    else if (word == "-l" || word == "--latest") out.latest = true;
    else if (word == "-a" || word == "--available") out.available = true;
    else if (word == "--prune") out.prune = true;
    else if (word == "--ignore") out.ignore = true;
    else if (word == "--reinstall") out.reinstall = true;
    else if (word == "-r") (out.verb == "del" ? out.recursive : out.reinstall) = true;
    else if (word == "--rdepends") out.recursive = true;
    else if (word == "-d" || word == "--depends") out.depends = true;
    else if (word == "--self-upgrade-only" || word == "--preupgrade-only") out.only_preupgrade = true;
    else if (word == "--no-self-upgrade" || word == "--no-preupgrade") continue;
    else if (word == "--preupgrade-depends") out.preupgrade.push_back(TRY(value()));
    else if (word == "-t" || word == "--virtual") {
      out.made = TRY(value());
      out.has_made = true;
    } else {
      return Error::make(ErrorKind::kInvalid, "a case may not hold the option '{}'", word);
    }
  }
  if (out.verb != "add" && out.verb != "del" && out.verb != "fix" && out.verb != "upgrade")
    return Error::make(ErrorKind::kInvalid, "a case asks for add, del, fix or upgrade, not '{}'", out.verb);
  return out;
}

/// apk keeps one atom of each name: the newest.
void put(std::vector<apk::Dependency>& world, const apk::Dependency& atom) {
  for (apk::Dependency& known : world)
    if (known.name == atom.name) {
      known = atom;
      return;
    }
  world.push_back(atom);
}

void take_out(std::vector<apk::Dependency>& world, std::string_view name) {
  const auto found =
      std::find_if(world.begin(), world.end(), [&](const apk::Dependency& atom) { return atom.name == name; });
  if (found == world.end()) return;
  *found = world.back();
  world.pop_back();
}

/// apk's reading of one dependency: a tag stands before the operator.
Result<apk::Dependency> read_atom(const std::string& text) {
  const apk::Dependency out = TRY(apk::parse_dependency(text));
  const std::size_t at = text.find('@'), op = text.find_first_of("<>=~");
  if (at != std::string::npos && op != std::string::npos && at > op)
    return Error::make(ErrorKind::kInvalid, "a tag stands before the operator");
  return out;
}

/// Everything of one run.
class CaseRun {
 public:
  CaseRun(const Case& given, Ask ask) : given_(given), ask_(std::move(ask)) {}
  Result<CaseAnswer> run(const ReadFile& read);

 private:
  Result<> load(const ReadFile& read);
  void add_source(Source source, std::vector<CaseRecord> records, bool installed);
  bool edit_world();
  bool add_to_world();
  bool delete_from_world();
  void set_flags(ApkQuestion& question);
  void make_problem();
  bool check_tags();
  void upgrade_world();
  bool preupgrade();
  void solve(const ApkQuestion& question);
  ApkQuestion fresh() const;
  bool in_repository(NameId name) const;
  std::string kept_anyway(const ApkAnswer& answer) const;
  void error(const std::string& text) {
    answer_.output += "ERROR: " + text + "\n";
    answer_.refused = true;
  }
  ApkWords words(const ApkAnswer& answer) const { return {*problem_, answer, installed_bytes_, ask_.verbosity}; }

  const Case& given_;
  const Ask ask_;
  Pool pool_;
  std::deque<CaseRecord> records_;
  std::vector<Source> sources_;
  std::vector<std::size_t> installed_records_;
  std::map<std::string, std::size_t> by_digest_;
  std::vector<apk::Dependency> world_, old_world_;
  std::vector<std::string> removed_;          ///< Names of packages that `del` takes away.
  std::string owner_;                         ///< Package that holds the running apk.
  std::unique_ptr<Problem> problem_;
  std::vector<ApkInstalled> installed_;
  std::vector<std::uint64_t> installed_bytes_;
  ApkTotals totals_;
  bool uninstallable_ = false, odd_ = false, new_feature_ = false;
  CaseAnswer answer_;
};

void CaseRun::add_source(Source source, std::vector<CaseRecord> records, bool installed) {
  for (CaseRecord& record : records) {
    const auto [known, fresh] = by_digest_.try_emplace(digest_of(record.record.checksum), records_.size());
    if (!fresh) record.record = records_[known->second].record;
    if (installed) {
      installed_records_.push_back(records_.size());
      totals_.bytes += record.record.installed_bytes;
      totals_.dirs += record.dirs;
      totals_.files += record.files.size();
      ++totals_.packages;
      if (std::find(record.files.begin(), record.files.end(), "proc/self/exe") != record.files.end())
        owner_ = record.record.name;
    }
    uninstallable_ |= record.uninstallable;
    odd_ |= record.uninstallable || record.odd_provides;
    new_feature_ |= record.new_feature;
    records_.push_back(std::move(record));
    pool_.add(records_.back().record, sources_.size());
  }
  sources_.push_back(std::move(source));
}

Result<> CaseRun::load(const ReadFile& read) {
  const auto records_of = [&](const std::string& file) -> Result<std::vector<CaseRecord>> {
    const std::string text = TRY(read(file));
    return read_records(text, file);
  };
  if (given_.repositories.size() + 3 > Pool::kMaxSources)
    return Error::make(ErrorKind::kInvalid, "a case may have {} repositories", Pool::kMaxSources - 3);
  std::vector<CaseRecord> records;
  if (!given_.installed.empty()) records = TRY(records_of(given_.installed));
  add_source({"installed", "", 0, true, false, false}, std::move(records), true);
  if (!given_.cache.empty()) {
    records = TRY(records_of(given_.cache));
    add_source({"cache", "", 0, true, false, true}, std::move(records), false);
  }
  for (const Case::Repository& repository : given_.repositories) {
    const std::string tag = repository.tag.empty() ? "" : repository.tag.substr(1);
    records = TRY(records_of(repository.file));
    add_source({repository.file, tag, 0, !ask_.offline, true, false}, std::move(records), false);
  }
  for (const std::string& text : given_.world) {
    const apk::Dependency atom = TRY(read_atom(text));
    put(world_, atom);
  }
  old_world_ = world_;
  return {};
}

bool CaseRun::add_to_world() {
  apk::IndexRecord made;
  if (ask_.has_made) {
    const auto atom = read_atom(ask_.made);
    const bool good = atom && !atom->conflict && (atom->op == apk::kAny || atom->op == apk::kEqual);
    if (!good) return error(ask_.made + ": bad package specifier"), false;
    made.name = atom->name;
    made.version = atom->op == apk::kAny ? "0" : atom->version;
    made.checksum = kMadeHere;
    if (ask_.names.empty()) answer_.output += "WARNING: creating empty virtual package\n";
  }
  for (const std::string& text : ask_.names) {
    const auto atom = read_atom(text);
    if (!atom || (ask_.has_made && !atom->tag.empty())) {
      error(fmt::format("'{}' is not a valid {} dependency, format is {}", text, ask_.has_made ? "package" : "world",
                        ask_.has_made ? "name([<>~=]version)" : "name(@tag)([<>~=]version)"));
      return false;
    }
    if (ask_.has_made) made.depends.push_back(text);
    else put(world_, *atom);
  }
  if (ask_.has_made) {
    CaseRecord record;
    record.record = made;
    apk::Dependency atom;
    atom.name = made.name;
    atom.op = apk::kEqual;
    atom.version = made.version;
    put(world_, atom);
    std::vector<CaseRecord> records;
    records.push_back(std::move(record));
    add_source({"made here", "", 0, true, false, true}, std::move(records), false);
  }
  return true;
}

bool CaseRun::delete_from_world() {
  bool good = true;
  std::map<std::string, std::vector<std::string>> provides;
  for (const std::size_t i : installed_records_) {
    std::vector<std::string>& names = provides[records_[i].record.name];
    for (const std::string& text : records_[i].record.provides) names.push_back(apk::parse_provide(text).name);
  }
  for (const std::string& name : ask_.names) {
    const bool known = pool_.find(name) != kNone || std::any_of(old_world_.begin(), old_world_.end(),
                                                                [&](const auto& atom) { return atom.name == name; });
    if (!known) {
      error("No such package: " + name);
      good = false;
      continue;
    }
    take_out(world_, name);
    if (!provides.contains(name)) continue;
    removed_.push_back(name);
    if (!ask_.recursive) continue;
    for (std::size_t i = removed_.size() - 1; i < removed_.size(); ++i) {  // and who needs it
      const std::string gone = removed_[i];
      std::vector<std::string> gives = provides[gone];
      for (const std::string& given : gives) take_out(world_, given);
      gives.push_back(gone);
      for (const std::size_t at : installed_records_) {
        const apk::IndexRecord& record = records_[at].record;
        const bool asks = std::any_of(record.depends.begin(), record.depends.end(), [&](const std::string& text) {
          const auto atom = apk::read_dependency(text);
          return atom && !atom->conflict && std::find(gives.begin(), gives.end(), atom->name) != gives.end();
        });
        if (!asks || std::find(removed_.begin(), removed_.end(), record.name) != removed_.end()) continue;
        removed_.push_back(record.name);
        take_out(world_, record.name);
      }
    }
  }
  return good;
}

bool CaseRun::edit_world() {
  if (ask_.verb == "add") return add_to_world();
  if (ask_.verb == "del") return delete_from_world();
  return true;
}

void CaseRun::make_problem() {
  // The world, and everything that is installed or that the flags name: all of it may change.
  std::vector<apk::Dependency> roots = world_;
  const auto root = [&](const std::string& name) {
    apk::Dependency atom;
    atom.name = name;
    roots.push_back(std::move(atom));
  };
  for (const std::size_t i : installed_records_) root(records_[i].record.name);
  for (const std::string& name : ask_.names)
    if (pool_.find(name) != kNone) root(name);
  problem_ = std::make_unique<Problem>(pool_, roots, sources_, Rules{});
  problem_->world.resize(world_.size());
  installed_.clear();
  installed_bytes_.assign(problem_->package_count(), 0);
  std::map<std::string_view, PackageId> by_identity;
  for (PackageId id = 0; id < problem_->package_count(); ++id) {
    Package& package = problem_->package(id);
    by_identity[package.checksum] = id;
    if (!package.arch.empty() && package.arch != "noarch" && package.arch != host_arch().apk)
      package.fault = "arch " + std::string(package.arch);
  }
  for (const CaseRecord& record : records_) {
    const auto found = by_identity.find(record.record.checksum);
    if (found == by_identity.end()) continue;
    installed_bytes_[found->second] = record.record.installed_bytes;
    if (record.uninstallable && problem_->package(found->second).fault.empty())
      problem_->package(found->second).fault = "a line of its record cannot be read";
  }
  for (const std::size_t i : installed_records_) {
    const auto found = by_identity.find(records_[i].record.checksum);
    if (found != by_identity.end()) installed_.push_back({found->second, records_[i].tag});
  }
}

bool CaseRun::in_repository(NameId name) const {
  const std::span<const Offer> offers = problem_->offers(name);
  return std::any_of(offers.begin(), offers.end(), [&](const Offer& offer) {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      if ((problem_->package(offer.package).sources >> i & 1) != 0 && sources_[i].repository && sources_[i].available)
        return true;
    return false;
  });
}

ApkQuestion CaseRun::fresh() const {
  ApkQuestion out;
  out.installed = installed_;
  out.give_up_broken = ask_.broken_world;
  return out;
}

/// Flags of what the command line names, or of everything. Says so when it names what nobody knows.
void CaseRun::set_flags(ApkQuestion& question) {
  const auto flag = [&](std::string_view name, unsigned flags, unsigned inherited) {
    if (const auto id = problem_->find(name)) question.name_flags.push_back({*id, flags, inherited});
  };
  const auto known = [&](const std::string& name) {
    if (problem_->find(name)) return true;
    error(fmt::format("Package '{}' not found", name));
    return false;
  };
  if (ask_.verb == "add") {
    const unsigned flags = (ask_.upgrade ? unsigned{kUpgrade} : 0) | (ask_.latest ? unsigned{kLatest} : 0);
    for (const std::string& text : ask_.names)
      if (const auto atom = read_atom(text); atom && !ask_.has_made) flag(atom->name, flags, flags);
    if (const auto atom = read_atom(ask_.made); atom && ask_.has_made) flag(atom->name, flags, flags);
  } else if (ask_.verb == "del") {
    for (const std::string& name : removed_) flag(name, kRemove, 0);
  } else if (ask_.verb == "fix") {
    unsigned flags = (ask_.upgrade ? unsigned{kUpgrade} : 0) | (ask_.reinstall ? unsigned{kReinstall} : 0);
    if (flags == 0) flags = kReinstall;
    for (const std::string& name : ask_.names)
      if (known(name)) flag(name, flags, ask_.depends ? flags : 0);
  } else {
    question.flags = kUpgrade | (ask_.available ? unsigned{kAvailable} : 0) | (ask_.latest ? unsigned{kLatest} : 0);
    if (!ask_.names.empty() && !ask_.ignore) question.flags &= ~unsigned{kUpgrade};
    for (const std::string& name : ask_.names)
      if (known(name)) flag(name, ask_.ignore ? kInstalled : kUpgrade, 0);
  }
}

bool CaseRun::check_tags() {
  if (ask_.broken_world) return true;
  bool good = true;
  for (const apk::Dependency& atom : world_) {
    const bool exists = atom.tag.empty() || std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
                          return source.repository && source.tag == atom.tag;
                        });
    if (exists) continue;
    good = false;
    answer_.output +=
        fmt::format("WARNING: The repository tag for world dependency '{}@{}' does not exist\n", atom.name, atom.tag);
  }
  if (!good)
    error(ask_.verb == "upgrade" ? "Not continuing with upgrade due to missing repository tags."
                                 : "Not committing changes due to missing repository tags.");
  return good;
}

/// `upgrade --prune` forgets what no repository has, `--available` pins by content.
void CaseRun::upgrade_world() {
  if (ask_.available)
    for (apk::Dependency& atom : world_)
      if (atom.op == apk::kByContent) {
        atom.op = apk::kAny;
        atom.version.clear();
      }
  if (ask_.prune)
    std::erase_if(world_, [&](const apk::Dependency& atom) {
      const auto name = problem_->find(atom.name);
      return !name || !in_repository(*name);
    });
  if (ask_.available || ask_.prune) make_problem();
}

/// Brings apk itself up to date, and what --preupgrade-depends names, with as little else as can be.
bool CaseRun::preupgrade() {
  std::vector<apk::Dependency> wanted;
  if (!owner_.empty()) {
    apk::Dependency atom;
    atom.name = owner_;
    wanted.push_back(atom);
  }
  for (const std::string& line : ask_.preupgrade)
    for (const std::string& text : split_words(line)) {
      const auto atom = read_atom(text);
      if (atom && atom->tag.empty()) put(wanted, *atom);
      else answer_.output += "WARNING: Ignored invalid preupgrade dependencies from: " + line + "\n";
    }
  ApkQuestion question = fresh();
  question.self_upgrade = true;
  bool any = false;
  for (const apk::Dependency& atom : wanted) {
    const auto name = problem_->find(atom.name);
    if (!name) continue;
    const auto present = std::find_if(installed_.begin(), installed_.end(), [&](const ApkInstalled& installed) {
      return problem_->package(installed.package).name == *name;
    });
    if (present == installed_.end()) continue;
    const Package& have = problem_->package(present->package);
    if (atom.accepts(have.version) == atom.conflict) continue;
    for (const Offer& offer : problem_->offers(*name)) {
      const Package& other = problem_->package(offer.package);
      const bool repository = (other.sources >> (given_.cache.empty() ? 1 : 2)) != 0;
      if (!repository || apk::compare_versions(other.version, have.version) <= 0) continue;
      question.name_flags.push_back({*name, kUpgrade, 0});
      any = true;
      break;
    }
  }
  if (!any) return true;
  const ApkAnswer answer = apk_choose(*problem_, question);
  if (answer.errors > 0) {
    answer_.output += "WARNING: Failed to perform initial preupgrade, continuing with a full upgrade.\n";
    return true;
  }
  const bool changes = std::any_of(answer.changes.begin(), answer.changes.end(), [](const ApkChange& change) {
    return change.before != change.after || change.reinstall || change.tag_before != change.tag_after;
  });
  if (!changes) return true;
  answer_.output += "Preupgrading:\n" + apk_transaction(words(answer), totals_);
  return true;
}

/// What `del` says about names that stay because something asks for them.
std::string CaseRun::kept_anyway(const ApkAnswer& answer) const {
  std::vector<char> marked(problem_->package_count()), seen;
  for (const ApkChange& change : answer.changes)
    if (change.after != kNone) marked[change.after] = 1;
  const auto in_world = [&](NameId name) {
    return std::any_of(problem_->world.begin(), problem_->world.end(),
                       [&](const Atom& atom) { return atom.name == name && !atom.conflict; });
  };
  std::vector<std::string> names = ask_.names;
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return display_less(a, b); });
  std::string out;
  for (const std::string& text : names) {
    const auto name = problem_->find(text);
    const bool excluded = std::any_of(old_world_.begin(), old_world_.end(),
                                      [&](const auto& atom) { return atom.conflict && atom.name == text; });
    if (!name || excluded) continue;
    seen.assign(problem_->package_count(), 0);
    std::string line;
    Wrapped wrapped(line);
    const std::function<void(PackageId)> show = [&](PackageId id) {
      const Package& package = problem_->package(id);
      if (!wrapped.open()) wrapped.group("  " + text + ":", 0);
      if (in_world(package.name)) wrapped.word(std::string(problem_->name(package.name)));
      for (const Provide& provide : package.provides)
        if (in_world(provide.name)) wrapped.word(std::string(problem_->name(provide.name)));
      const auto dependents = [&](NameId given) {
        for (const PackageId other : problem_->dependents(given)) {
          if (!marked[other] || std::exchange(seen[other], 1) != 0) continue;
          const auto& needs = problem_->package(other).depends;
          if (std::any_of(needs.begin(), needs.end(), [&](const Atom& atom) {
                return atom.name == given && !atom.conflict && problem_->accepts(atom, id);
              }))
            show(other);
        }
      };
      dependents(package.name);
      for (const Provide& provide : package.provides) dependents(provide.name);
      for (const Atom& atom : package.install_if)
        for (const Offer& offer : problem_->offers(atom.name)) {
          if (!marked[offer.package] || std::exchange(seen[offer.package], 1) != 0) continue;
          if (ask_.verbosity >= 2 || in_world(problem_->package(offer.package).name)) show(offer.package);
        }
    };
    for (const Offer& offer : problem_->offers(*name))
      if (marked[offer.package]) show(offer.package);
    wrapped.end();
    if (line.empty()) continue;
    if (out.empty()) out = "World updated, but the following packages are not removed due to:\n";
    out += line;
  }
  return out.empty() ? out : out + "\n";
}

void CaseRun::solve(const ApkQuestion& question) {
  const ApkAnswer answer = apk_choose(*problem_, question);
  if (answer.errors > 0) {
    answer_.output += apk_errors(words(answer), installed_);
    answer_.refused = true;
    return;
  }
  if (ask_.verb == "del" && ask_.verbosity >= 1) answer_.output += kept_anyway(answer);
  answer_.output += apk_transaction(words(answer), totals_);
}

Result<CaseAnswer> CaseRun::run(const ReadFile& read) {
  TRY(load(read));
  if (new_feature_)
    answer_.output += fmt::format("WARNING: This apk-tools is OLD! Some packages {}.\n",
                                  uninstallable_ ? "are not installable" : "might not function properly");
  if (odd_)
    answer_.output += fmt::format("WARNING: The indexes contain broken packages which {}.\n",
                                  uninstallable_ ? "are not installable" : "might not function properly");
  pool_.finish();
  if (!edit_world()) return std::move(answer_);
  pool_.finish();
  make_problem();
  if (!check_tags()) return std::move(answer_);
  if (ask_.only_preupgrade) {
    (void)preupgrade();
    return std::move(answer_);
  }
  if (ask_.verb == "upgrade") upgrade_world();
  ApkQuestion question = fresh();
  set_flags(question);
  if (!answer_.refused) solve(question);
  return std::move(answer_);
}

}  // namespace

Result<Case> read_case(std::string_view text, std::string_view source) {
  Case out;
  bool expect = false;
  int line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    const std::vector<std::string> words = split_words(line);
    const std::string first = words.empty() ? "" : words.front();
    const auto rest = [&](std::vector<std::string>& into) { into.insert(into.end(), words.begin() + 1, words.end()); };
    if (first == "@ARGS") rest(out.arguments);
    else if (first == "@WORLD") rest(out.world);
    else if (first == "@INSTALLED" && words.size() == 2) out.installed = words[1];
    else if (first == "@CACHE" && words.size() == 2) out.cache = words[1];
    else if (first == "@REPO" && words.size() == 2 && words[1][0] != '@') out.repositories.push_back({"", words[1]});
    else if (first == "@REPO" && words.size() == 3 && words[1][0] == '@')
      out.repositories.push_back({words[1], words[2]});
    else if (line == "@EXPECT") expect = true;
    else if (line.starts_with('@'))
      return Error::make(ErrorKind::kInvalid, "'{}' is no line of a case", line)
          .at({std::string(source), line_number, 1})
          .hint("a case has @ARGS, @WORLD, @INSTALLED, @REPO, @CACHE and @EXPECT");
    else if (expect) out.expected += std::string(line) + "\n";
  }
  if (out.arguments.empty())
    return Error::make(ErrorKind::kInvalid, "a case needs @ARGS: what apk is asked").at({std::string(source), 0, 0});
  return out;
}

Result<CaseAnswer> run_case(const Case& given, const ReadFile& read) {
  Ask ask = TRY(read_arguments(given.arguments));
  return CaseRun(given, std::move(ask)).run(read);
}

std::string difference(std::string_view expected, std::string_view printed) {
  if (expected == printed) return {};
  const std::vector<std::string> a = split(expected, '\n'), b = split(printed, '\n');
  if (a.size() * b.size() > kMaxLines) return "the texts differ, and are too long to be compared line by line\n";
  std::vector<std::vector<std::size_t>> common(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
  std::string out;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      if (i + 1 < a.size() || !a[i].empty()) out += "  " + a[i] + "\n";
      ++i, ++j;
    } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      out += "- " + a[i++] + "\n";
    } else {
      out += "+ " + b[j++] + "\n";
    }
  }
  return out;
}

}  // namespace nacre::solve
