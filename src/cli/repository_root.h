#pragma once

#include "apk/index_file.h"
#include "base/arch.h"
#include "base/env.h"
#include "build/build.h"
#include "solve/solve.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {

/// What a build root says of its packages when they come from repositories that somebody named: no edition of ours.
/// Nothing that bears it is put on a shelf, into a record of a build or into a serial.
constexpr std::string_view kForeignEdition = "foreign";

/// Where the packages of a root may come from.
struct RepositorySource {
  Arch arch = host_arch();
  /// "https://host/os", "./packages", or one of these after "@tag ". The index is in ARCH/APKINDEX.tar.gz below it.
  std::vector<std::string> repositories;
  std::vector<std::string> keyring;  ///< Files or addresses of public keys; the file name is the key's name.
  enum class Signatures { kCheck, kIgnore } signatures = Signatures::kCheck;
};

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
  /// The .apk of a pick in the store, its control segment checked against the record.
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
  struct Repository {
    std::string tag, base;  ///< Address or directory, without a final '/'.
    std::string bytes;      ///< Of the index.
    Sha256 digest;
    std::optional<apk::IndexFile> index;
    std::string signer;  ///< Fingerprint of the key that signed; empty: not checked.
    std::string name() const { return tag.empty() ? base : "@" + tag; }
  };
  struct Key {
    std::string name, pem;
  };

  Result<> open();
  Result<> read_keys();
  Result<> parse(Repository& repository);
  Result<> verify(Repository& repository) const;
  Result<std::vector<solve::Candidate>> candidates();
  Result<std::optional<std::vector<build::RootPackage>>> known(const Sha256& key);
  Result<build::RootPackage> unpack(const apk::IndexRecord& record, const Repository& from);
  Result<Sha256> fetch(const apk::IndexRecord& record, const Repository& from);
  Sha256 question(const solve::World& world) const;
  build::RootPackage root_package(std::string name, std::string version, const Sha256& apk) const;

  RepositorySource source_;
  Env& env_;
  bool opened_ = false;
  std::vector<Repository> repositories_;
  std::vector<Key> keys_;
  std::optional<std::set<std::string>> allowed_;
};

/// Whether `text` is an http or https address.
bool is_address(std::string_view text);

/// Bytes of an address: asked for with the ETag of what was kept, so that an unchanged file is not sent again.
Result<std::string> read_address(const std::string& url, std::uint64_t max_bytes, Env& env);

}  // namespace nacre::cli
