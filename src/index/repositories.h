#pragma once

#include "apk/index_file.h"
#include "apk/package_file.h"
#include "apk/record_view.h"
#include "base/arch.h"
#include "base/env.h"
#include "base/result.h"
#include "index/fetcher.h"
#include "index/kept_index.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::index {

/// One line of a list of repositories: "https://host/os", "file:///srv/os", "./packages", or one of these after "@tag
/// ".
struct RepositoryLine {
  std::string tag;   ///< Without '@'; empty: none.
  std::string base;  ///< Address or directory above ARCH/APKINDEX.tar.gz, without a final '/'.
};
/// kInvalid for what is none, also for the lines of apk v3 that name no APKINDEX. The address of an index itself
/// (".../x86_64/APKINDEX.tar.gz") is taken as its repository.
Result<RepositoryLine> parse_repository_line(std::string_view text);
/// The lines of a file such as /etc/apk/repositories: '#' begins a comment. Faults have their places.
Result<std::vector<RepositoryLine>> parse_repositories(std::string_view text, std::string_view source);

/// A public key that is trusted because somebody named it.
struct TrustedKey {
  std::string name, pem;
};

/// How much is read of what others made. What was read and kept before is not measured again.
struct SourceLimits {
  std::uint64_t index_bytes = apk::kMaxIndexBytes;                    ///< Of an index, inflated.
  std::uint64_t control_bytes = apk::ReadLimits{}.max_control_bytes;  ///< Of a package's control segment, inflated.
  std::uint64_t data_bytes = apk::ReadLimits{}.max_data_bytes;        ///< Of the files in its data segment.
  std::uint64_t answer_bytes = std::uint64_t{16} << 30;               ///< Of one answer of a server, or a file.
};

/// Where packages may come from, and whom to believe.
struct RepositorySource {
  Arch arch = host_arch();
  std::vector<std::string> repositories;  ///< Lines, see RepositoryLine.
  std::vector<std::string> keyring;       ///< Files, directories or addresses of public keys; file names are key names.
  std::vector<TrustedKey> keys;           ///< Trusted besides.
  enum class Signatures { kCheck, kIgnore } signatures = Signatures::kCheck;
  Reach reach = Reach::kOnline;
  SourceLimits limits;
};

/// The keys that a keyring names.
Result<std::vector<TrustedKey>> read_keyring(const std::vector<std::string>& keyring, const Fetcher& fetcher);

/// Foreign repositories, opened: each index brought, its signature checked, and mapped. The second time an unchanged
/// index is neither inflated nor parsed, and costs one question to its server or one hash of its file.
///
/// Packages come out of it as blobs of the store, checked byte for byte against the record that the signed index has.
class Repositories {
 public:
  struct Repository {
    std::string tag, base;
    std::string description;  ///< Of the signed index.
    std::string signer;       ///< Fingerprint of the key that signed; empty: not checked.
    Sha256 digest;            ///< Of APKINDEX.tar.gz.
    bool fresh = false;       ///< A trusted root's metadata vouches for it (index/freshness.h).
    KeptIndex index;
    /// For messages and pins: "@tag", else the address without a password.
    std::string name() const;
  };

  /// kDenied for an index that no key of the keyring signed. A directory without an index is an empty repository, with
  /// a note. Repositories are taken in the field's order: sorted by their lines, each once.
  static Result<Repositories> open(RepositorySource source, Env& env);

  /// None of them read: for fetch() of packages whose records come from elsewhere, a lock.
  static Result<Repositories> unopened(RepositorySource source, Env& env);

  const std::vector<Repository>& all() const { return repositories_; }
  const std::vector<TrustedKey>& keys() const { return keys_; }
  const RepositorySource& source() const { return source_; }

  /// One text for all that decides what a solver may see: lines, digests of indexes, keys.
  std::string identity() const;

  /// A package of one of these repositories.
  struct Wanted {
    const Repository* from = nullptr;
    apk::RecordView record;
  };
  /// Where the .apk is.
  std::string place_of(const Wanted& wanted) const;
  /// Reads a whole package, once, under `limits`; hands every byte to `copy` when that is one.
  using Reader = std::function<Result<apk::PackageFile>(const os::Path& file, const codec::Sink& copy,
                                                        const apk::ReadLimits& limits)>;
  /// Digest of the .apk in the store. What was brought and checked once is not read again: the map from record and
  /// signer to blob is kept. kDenied for bytes that are not what the index says. `reader` is for who wants to see the
  /// inside of what is new while it goes by.
  Result<Sha256> fetch(const Wanted& wanted, const Reader& reader = {}) const;
  /// The same of what was brought before; nothing for what is to be brought.
  Result<std::optional<Sha256>> find(const Wanted& wanted) const;
  /// fetch() for many, several at once; `on_done` hears how many are there, from any thread.
  Result<std::vector<Sha256>> fetch_all(std::span<const Wanted> wanted,
                                        const std::function<void(std::size_t done)>& on_done = {}) const;

 private:
  Repositories(RepositorySource source, Env& env, Fetcher fetcher)
      : source_(std::move(source)), env_(&env), fetcher_(std::move(fetcher)) {}
  static std::string apk_key(const Wanted& wanted);
  Result<> read_lines(const std::vector<std::string>& lines);
  Result<> load(Repository& repository) const;
  Result<Fetched> fetch_index(Repository& repository, const std::string& file) const;
  Result<std::string> verify(const Repository& repository, std::string_view bytes, const apk::IndexText& index) const;

  RepositorySource source_;
  Env* env_;
  Fetcher fetcher_;
  std::vector<Repository> repositories_;
  std::vector<TrustedKey> keys_;
};

}  // namespace nacre::index
