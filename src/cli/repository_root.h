#pragma once

#include "base/env.h"
#include "build/build.h"
#include "index/repositories.h"
#include "solve/solve.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {

/// What a build root says of its packages when they come from repositories that somebody named: no edition of ours.
/// Nothing that bears it is put on a shelf, into a record of a build or into a serial.
constexpr std::string_view kForeignEdition = "foreign";

using index::is_address;
using index::RepositorySource;

/// Build and test roots from APK repositories: indexes read and verified, packages chosen by solve, fetched, checked
/// against the index, and unpacked as trees of the store.
///
/// What was chosen is kept by the digests of indexes, keys and world, so that an equal question costs one hash of each
/// index and one look for each tree. Answers of web servers are kept with their ETag and asked for again.
class RepositoryShelf {
 public:
  RepositoryShelf(RepositorySource source, Env& env) : source_(std::move(source)), env_(env) {}

  /// Packages for `world`, in install order. kDenied for an index that no key of the keyring signed, and for a package
  /// that is not the one its index names; else as solve::solve says it. A directory without an index is an empty
  /// repository, with a note.
  Result<std::vector<build::RootPackage>> root_for(const solve::World& world);

  /// One package of an answer, and the repository that it comes from.
  struct Pick {
    apk::IndexRecord record;
    std::string base;        ///< Address or directory of the repository.
    std::string tag, signer;
  };
  /// The same packages without fetching any.
  Result<std::vector<Pick>> pick(const solve::World& world);
  /// "NAME=VERSION" of everything that there is to choose from.
  Result<std::set<std::string>> labels();
  /// Nothing else may be chosen: architectures are kept in step.
  void restrict_to(std::set<std::string> labels) { allowed_ = std::move(labels); }
  /// What a base image has: chosen from too, and never among the picks.
  void stand_upon(std::vector<apk::IndexRecord> installed) { below_ = std::move(installed); }
  /// Keys of the keyring: file name and PEM.
  Result<std::vector<std::pair<std::string, std::string>>> keys();
  /// What was chosen from.
  struct IndexIdentity {
    std::string url, sha256, description, key;   ///< key: fingerprint of the one that signed; "" when not checked.
  };
  Result<std::vector<IndexIdentity>> indexes();
  /// Where the .apk of a pick lies.
  std::string place_of(const Pick& pick) const;

 private:
  /// A package of an index.
  struct Chosen {
    const index::Repositories::Repository* from = nullptr;
    apk::PackageNumber number = 0;
    apk::RecordView record() const { return from->index->record(number); }
  };
  Result<> open();
  std::string question() const;
  bool may_be_chosen(const apk::RecordView& record) const;
  /// All that there is to choose from, in the order of the pool's record numbers.
  std::vector<Chosen> places() const;
  /// An equal question is answered from what was kept; another world over the same indexes from the kept pool.
  Result<std::vector<Chosen>> choose(const solve::World& world);
  Result<std::vector<Chosen>> ask(const solve::World& world) const;
  static bool is_pool_of(const std::vector<Chosen>& all, const solve::Pool& pool);
  Result<std::optional<std::vector<Chosen>>> kept_answer(const std::string& key) const;
  /// kDenied when packages come from signed indexes of two editions; a build root may hold stage0 beside one other.
  /// Repositories that are no edition's are nobody's.
  enum class Mixture { kNone, kBuildRoot };
  static Result<> refuse_mixture(const std::vector<Chosen>& chosen, Mixture allowed);
  Result<std::optional<std::vector<build::RootPackage>>> known(const Sha256& key);
  Result<build::RootPackage> unpack(const apk::RecordView& record, const Sha256& apk);
  build::RootPackage root_package(std::string name, std::string version, const Sha256& apk) const;

  RepositorySource source_;
  Env& env_;
  std::optional<index::Repositories> repositories_;
  std::optional<std::set<std::string>> allowed_;
  std::vector<apk::IndexRecord> below_;
};

/// Bytes of an address: asked for with the ETag of what was kept, so that an unchanged file is not sent again.
Result<std::string> read_address(const std::string& url, std::uint64_t max_bytes, Env& env);

}  // namespace nacre::cli
