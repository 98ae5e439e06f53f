#include "cli/distribution.h"

#include "apk/index_file.h"
#include "apk/package_file.h"
#include "base/text.h"
#include "codec/digest.h"
#include "definition/load.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <set>

namespace nacre::cli {
namespace {

/// needs.yaml: a mapping of names to lists of names. A distribution may do without.
Result<std::map<std::string, std::vector<std::string>>> read_needs(const Path& file) {
  std::map<std::string, std::vector<std::string>> out;
  if (!os::exists(file)) return out;
  const std::string text = TRY(os::read_file(file));
  const codec::YamlTree yaml = TRY(codec::parse_yaml(text, file.string()));
  const auto fault = [&](const codec::YamlNode& node, std::string_view what) {
    return Error::make(ErrorKind::kInvalid, "expected {}", what).at(yaml.place(node.span));
  };
  if (yaml.root.kind != codec::YamlKind::kMapping) return fault(yaml.root, "a mapping of needs to packages");
  for (const codec::YamlNode::Entry& need : yaml.root.entries) {
    if (need.value.kind != codec::YamlKind::kSequence) return fault(need.value, "a list of packages");
    std::vector<std::string>& packages = out[need.key];
    for (const codec::YamlNode& item : need.value.items) {
      if (item.kind != codec::YamlKind::kScalar) return fault(item, "the name of a package");
      packages.push_back(item.text);
    }
  }
  return out;
}

}  // namespace

const definition::Definition* Distribution::find(std::string_view name) const {
  for (const definition::Definition& definition : definitions)
    if (definition.name == name) return &definition;
  return nullptr;
}

const definition::Definition* Distribution::maker_of(std::string_view package) const {
  for (const definition::Definition& definition : definitions) {
    if (definition.name == package) return &definition;
    for (const definition::Subpackage& sub : definition.subpackages)
      if (sub.name == package) return &definition;
  }
  return nullptr;
}

Error no_definition(const Distribution& os, const std::string& name) {
  Error out = Error::make(ErrorKind::kNotFound, "no definition '{}' in '{}'", name, os.folder.string());
  if (const definition::Definition* maker = os.maker_of(name))
    return std::move(out).hint(fmt::format("definition '{}' makes that package", maker->name));
  std::vector<std::string> known;
  for (const definition::Definition& definition : os.definitions) known.push_back(definition.name);
  return std::move(out).hint(nearest_hint(name, known));
}

Result<std::vector<Path>> yaml_files(const Path& folder) {
  std::vector<Path> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  if (error == std::errc::no_such_file_or_directory)
    return Error::make(ErrorKind::kNotFound, "there is no directory '{}'", folder.string());
  if (error) return Error::make(ErrorKind::kDenied, "cannot read '{}': {}", folder.string(), error.message());
  std::sort(out.begin(), out.end());
  return out;
}

Result<Distribution> load_distribution(const Path& folder, const Arch& arch) {
  Distribution out;
  out.folder = folder;
  out.arch = arch;
  definition::PipelineFolders pipelines({folder / "pipelines"});
  definition::CompileOptions options;
  options.arch = arch;
  options.needs_met_by = out.needs_met_by = TRY(read_needs(folder / "needs.yaml"));
  std::vector<Error> faults;
  auto listed = yaml_files(folder / "packages");
  if (!listed)
    return Error::make(ErrorKind::kNotFound, "no definitions in '{}'", (folder / "packages").string())
        .hint("name the distribution's directory in NACRE_OS_DIR, or run in its checkout");
  const std::vector<Path> files = *std::move(listed);
  for (const Path& file : files) {
    auto definition = definition::load_definition(file, pipelines, options);
    if (definition)
      out.definitions.push_back(*std::move(definition));
    else
      faults.push_back(std::move(definition).error());
  }
  if (faults.size() == 1) return std::move(faults.front());  // with its place, so that the line is shown
  if (!faults.empty()) {
    std::vector<std::string> texts;
    for (const Error& fault : faults) texts.push_back(fault.render());
    return Error::make(ErrorKind::kInvalid, "{} of {} definitions are faulty:\n{}", faults.size(), files.size(),
                       join(texts, "\n"));
  }
  const Path lock = folder / "sources.lock";
  if (os::exists(lock)) {
    const std::string text = TRY(os::read_file(lock));
    out.sources = TRY(build::parse_sources_lock(text, lock.string()));
  }
  std::sort(out.definitions.begin(), out.definitions.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::vector<std::string> package_names(const definition::Definition& definition) {
  std::vector<std::string> out = {definition.name};
  for (const definition::Subpackage& sub : definition.subpackages) out.push_back(sub.name);
  return out;
}

void Shelf::add(Edition edition, const index::SerialPackage& package) {
  const std::lock_guard lock(*mutex_);
  by_name_[edition][package.record.name] = package;
}

void Shelf::remove(std::string_view name, Edition edition) {
  const std::lock_guard lock(*mutex_);
  by_name_[edition].erase(std::string(name));
}

namespace {

/// Names that a package gives, without versions.
std::set<std::string> names_given(const apk::IndexRecord& record) {
  std::set<std::string> out = {record.name};
  for (const std::string& text : record.provides) out.insert(apk::parse_provide(text).name);
  return out;
}

std::set<std::string> libraries_given(const apk::IndexRecord& record) {
  std::set<std::string> out;
  for (const std::string& name : names_given(record))
    if (name.starts_with("so:")) out.insert(name);
  return out;
}

/// Ours that the atoms and what they need ask for, by name.
std::set<std::string> chosen_of(const std::map<std::string, index::SerialPackage>& shelf,
                                std::vector<std::string> open, const std::set<std::string>* origins) {
  std::set<std::string> chosen;
  while (!open.empty()) {
    const auto atom = apk::parse_dependency(open.back());
    open.pop_back();
    if (!atom || atom->conflict) continue;
    for (const auto& [name, package] : shelf) {
      if (origins != nullptr && !origins->contains(package.record.origin)) continue;
      if (!names_given(package.record).contains(atom->name) || !chosen.insert(name).second) continue;
      open.insert(open.end(), package.record.depends.begin(), package.record.depends.end());
    }
  }
  return chosen;
}

}  // namespace

Shelf::Pool Shelf::pool(const std::vector<std::string>& atoms, const std::vector<std::string>& always,
                        bool ours, const std::set<std::string>* origins) const {
  Pool out;
  std::set<std::string> chosen;
  std::map<std::string, apk::IndexRecord*> giver;  // of a library, among ours
  const auto shelf = by_name_.find(Edition::kCommunity);
  if (ours && shelf != by_name_.end()) {
    std::vector<std::string> open = atoms;
    open.insert(open.end(), always.begin(), always.end());
    chosen = chosen_of(shelf->second, std::move(open), origins);
    for (const std::string& name : chosen) {
      apk::IndexRecord& record = out.records.emplace_back(shelf->second.at(name).record);
      for (const std::string& library : libraries_given(record)) giver[library] = &record;
      out.candidates.push_back({&record, "community", Edition::kCommunity, 0});
    }
  }
  const auto stage0 = by_name_.find(Edition::kStage0);
  if (stage0 == by_name_.end()) return out;
  for (const auto& [name, package] : stage0->second) {
    if (chosen.contains(name)) continue;
    const std::set<std::string> libraries = libraries_given(package.record);
    const bool superseded = !libraries.empty() &&
                            std::all_of(libraries.begin(), libraries.end(),
                                        [&](const std::string& library) { return giver.contains(library); });
    if (superseded)  // it leaves the root as soon as ours give what it gives (design, decision 11)
      giver.at(*libraries.begin())->provides.push_back(name);
    else
      out.candidates.push_back({&package.record, "stage0", Edition::kStage0, 1});
  }
  return out;
}

Sha256 tree_key(const Sha256& apk) { return codec::sha256("tree of " + apk.hex()); }

Result<Path> unpacked_tree(Env& env, const Sha256& apk) {
  return env.store.tree(tree_key(apk), [&](const Path& folder) -> Result<> {
    // Without root there is one owner only, and no setuid that could mean another.
    const auto owners = ::geteuid() == 0 ? apk::Owners::kKeep : apk::Owners::kIgnore;
    const Path file = TRY(env.store.local(apk));
    return apk::unpack_package(file, folder, owners);
  });
}

Result<build::RootPackage> Shelf::unpack(const index::SerialPackage& package, Edition edition) {
  build::RootPackage out;
  out.name = package.record.name;
  out.version = package.record.version;
  out.edition = std::string(name_of(edition));
  out.content = package.apk;
  out.record = apk::write_index({package.record});
  {
    const std::lock_guard lock(*mutex_);
    if (const auto known = trees_.find(package.apk); known != trees_.end()) {
      out.tree = known->second;
      return out;
    }
  }
  out.tree = TRY(unpacked_tree(env_, package.apk), "unpacking '{}-{}'", out.name, out.version);
  const std::lock_guard lock(*mutex_);
  trees_.emplace(package.apk, out.tree);
  return out;
}

Result<std::vector<build::RootPackage>> Shelf::root_for(const solve::World& asked,
                                                        const std::vector<std::string>& always, bool ours,
                                                        const std::set<std::string>* origins) {
  std::vector<std::pair<index::SerialPackage, Edition>> packages;
  TRY(choose(asked, always, ours, origins, packages));
  std::vector<build::RootPackage> out;
  for (const auto& [package, edition] : packages) out.push_back(TRY(unpack(package, edition)));
  return out;
}

Result<> Shelf::choose(const solve::World& asked, const std::vector<std::string>& always, bool ours,
                       const std::set<std::string>* origins,
                       std::vector<std::pair<index::SerialPackage, Edition>>& out) {
  const std::lock_guard lock(*mutex_);
  solve::World world = asked;
  for (const std::string& name : always) {
    const auto& shelf = by_name_[Edition::kCommunity];
    const auto found = shelf.find(name);
    const bool seen = found != shelf.end() && (origins == nullptr || origins->contains(found->second.record.origin));
    if (ours && seen) world.atoms.push_back(name);
  }
  solve::Options options;
  options.mixing = solve::Options::Mixing::kBuildRoot;
  const Pool pool = this->pool(asked.atoms, always, ours, origins);
  const std::vector<solve::Candidate> chosen = TRY(solve::solve(world, pool.candidates, options));
  for (const solve::Candidate& candidate : chosen)
    out.emplace_back(by_name_[candidate.edition].at(candidate.record->name), candidate.edition);
  return {};
}

Result<> Shelf::explain_by_editions(const solve::World& world, std::vector<solve::Candidate> pool,
                                    Edition edition) const {
  for (const auto& [other, packages] : by_name_)
    for (const auto& [name, package] : packages)
      if (other != edition) pool.push_back({&package.record, std::string(name_of(other)), other, 1});
  solve::Options options;
  options.mixing = solve::Options::Mixing::kAny;
  const auto chosen = solve::solve(world, pool, options);
  if (!chosen) return {};
  for (auto at = chosen->rbegin(); at != chosen->rend(); ++at) {  // from what was asked for to what that needs
    const solve::Candidate& candidate = *at;
    if (candidate.edition == edition) continue;
    Error error = Error::make(ErrorKind::kDenied, "{}-{} is of the edition {}, and only packages of {} may be chosen",
                              candidate.record->name, candidate.record->version, name_of(candidate.edition),
                              name_of(edition));
    for (std::size_t i = 0; i < std::min(world.atoms.size(), world.places.size()); ++i)
      if (const auto atom = apk::parse_dependency(world.atoms[i]); atom && atom->name == candidate.record->name)
        error = std::move(error).at(world.places[i]);
    if (candidate.edition == Edition::kStage0)
      return std::move(error).hint("stage0 builds but never ships: name a package that we build");
    return std::move(error).hint("content of two editions never mixes");
  }
  return {};
}

Result<std::vector<index::SerialPackage>> Shelf::closure(const solve::World& world, Edition edition) {
  const std::lock_guard lock(*mutex_);
  std::vector<solve::Candidate> pool;
  for (const auto& [name, package] : by_name_[edition])
    pool.push_back({&package.record, std::string(name_of(edition)), edition, 0});
  Result<std::vector<solve::Candidate>> solved = solve::solve(world, pool);
  if (!solved) TRY(explain_by_editions(world, std::move(pool), edition));
  const std::vector<solve::Candidate> chosen = TRY(std::move(solved));
  std::vector<index::SerialPackage> out;
  for (const solve::Candidate& candidate : chosen) out.push_back(by_name_[edition].at(candidate.record->name));
  return out;
}

}  // namespace nacre::cli
