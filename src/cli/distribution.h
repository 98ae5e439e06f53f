#pragma once

#include "base/arch.h"
#include "base/env.h"
#include "build/build.h"
#include "build/fetch.h"
#include "definition/definition.h"
#include "index/index.h"
#include "solve/solve.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace nacre::cli {

using os::Path;

/// The distribution as its directory holds it: definitions, lock of sources, side files.
struct Distribution {
  Path folder;                                      ///< os/
  std::vector<definition::Definition> definitions;  ///< Ordered by name.
  std::vector<build::LockedSource> sources;
  Arch arch = host_arch();
  std::vector<Path> pipeline_dirs;                  ///< Before pipelines/, for definitions given as files.
  std::map<std::string, std::vector<std::string>> needs_met_by;  ///< needs.yaml; see CompileOptions.

  const definition::Definition* find(std::string_view name) const;        ///< By definition name; nullptr.
  const definition::Definition* maker_of(std::string_view package) const; ///< By main or subpackage name; nullptr.
};

/// That there is no definition of this name, with the nearest; of a subpackage, with the definition that makes it.
Error no_definition(const Distribution& os, const std::string& name);

/// FOLDER/*.yaml, sorted. kNotFound without the folder.
Result<std::vector<Path>> yaml_files(const Path& folder);

/// Reads packages/*.yaml (compiled with pipelines/ and needs.yaml), and sources.lock. Every faulty definition is
/// reported, not only the first.
Result<Distribution> load_distribution(const Path& folder, const Arch& arch);

/// Names of the packages that a definition makes, main first.
std::vector<std::string> package_names(const definition::Definition& definition);

/// Key in the store of the tree that an .apk unpacks to.
Sha256 tree_key(const Sha256& apk);

/// The tree that an .apk of the store unpacks to, made when it is not there yet.
Result<Path> unpacked_tree(Env& env, const Sha256& apk);

/// Packages that may stand in a build or test root: ours, as far as they are made, and stage0. Safe to use from several
/// threads.
class Shelf {
 public:
  explicit Shelf(Env& env) : env_(env), mutex_(std::make_unique<std::mutex>()) {}

  void add(Edition edition, const index::SerialPackage& package);
  void remove(std::string_view name, Edition edition);

  /// Solves what is `asked` for a build root: packages that its atoms name, what those need, and `always` come from our
  /// edition when we make that name; everything else from stage0; ours replaces stage0's of the same name. `ours`
  /// false: stage0 alone. `origins`: of ours only packages of these definitions; nullptr: of all.
  Result<std::vector<build::RootPackage>> root_for(const solve::World& asked,
                                                   const std::vector<std::string>& always, bool ours,
                                                   const std::set<std::string>* origins = nullptr);

  /// Solves `atoms` among packages of one edition alone, in install order: for images.
  Result<std::vector<index::SerialPackage>> closure(const solve::World& world, Edition edition);

 private:
  /// What a build root may be chosen from. Records of ours may provide names of stage0 packages whose libraries they
  /// give.
  struct Pool {
    std::deque<apk::IndexRecord> records;
    std::vector<solve::Candidate> candidates;
  };
  Pool pool(const std::vector<std::string>& atoms, const std::vector<std::string>& always, bool ours,
            const std::set<std::string>* origins) const;
  /// root_for() without the trees.
  Result<> choose(const solve::World& asked, const std::vector<std::string>& always, bool ours,
                  const std::set<std::string>* origins,
                  std::vector<std::pair<index::SerialPackage, Edition>>& out);
  /// After `pool` could not satisfy `world`: kDenied when packages of other editions would. Nothing when not even
  /// they do.
  Result<> explain_by_editions(const solve::World& world, std::vector<solve::Candidate> pool, Edition edition) const;
  Result<build::RootPackage> unpack(const index::SerialPackage& package, Edition edition);

  Env& env_;
  std::unique_ptr<std::mutex> mutex_;  ///< Of all below; not held while a tree is made.
  std::map<Edition, std::map<std::string, index::SerialPackage>> by_name_;
  std::map<Sha256, Path> trees_;  ///< Unpacked already, by .apk: the store is asked once a process.
};

}  // namespace nacre::cli
