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
  /// The .apk of a pick in the store, every byte checked against the record. Opens no index.
  Result<Sha256> fetch(const Pick& pick);
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
  /// What a solver chooses from: candidates point into records, which lie as places do; then those of below_.
  struct Pool {
    const index::Repositories::Repository* origin(const solve::Candidate& candidate) const {
      const auto i = static_cast<std::size_t>(candidate.record - records.data());
      return i < places.size() ? places[i].from : nullptr;
    }
    std::vector<index::Repositories::Wanted> places;
    std::vector<apk::IndexRecord> records;
    std::vector<solve::Candidate> candidates;
  };
  Result<> open();
  void fill(Pool& pool) const;
  /// kDenied when packages come from signed indexes of two editions; a build root may hold stage0 beside one other.
  /// Repositories that are no edition's are nobody's.
  enum class Mixture { kNone, kBuildRoot };
  static Result<> refuse_mixture(const std::vector<solve::Candidate>& chosen, const Pool& pool, Mixture allowed);
  Result<std::optional<std::vector<build::RootPackage>>> known(const Sha256& key);
  Result<build::RootPackage> unpack(const apk::IndexRecord& record, const Sha256& apk);
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
