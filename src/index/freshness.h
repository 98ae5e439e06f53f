#pragma once

#include "base/edition.h"
#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "crypto/key.h"
#include "crypto/signer.h"
#include "index/fetcher.h"
#include "index/index.h"
#include "os/clock.h"
#include "os/file.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::index {

/// Metadata of The Update Framework (TUF 1.0) in `tuf/` of a repository, beside what stock apk reads: who may say
/// what is
/// new (root), which indexes there are (targets), which metadata belongs together (snapshot), and that it is still so
/// (timestamp). docs/formats/freshness.md.
enum class Role { kRoot, kTargets, kSnapshot, kTimestamp };
std::string_view name_of(Role role);
/// In what is signed, of a channel's metadata: its name. Other clients pass over it.
inline constexpr std::string_view kChannelKey = "x-nacre-channel";
constexpr Role kRoles[] = {Role::kRoot, Role::kTargets, Role::kSnapshot, Role::kTimestamp};

/// JSON as TUF signs it: keys sorted, no blanks, only '"' and '\' escaped. kInvalid for numbers with a fraction.
Result<std::string> canonical_json(const codec::Json& value);

/// One signed document, its form checked but not yet who signed it.
struct Metadata {
  Role role = Role::kRoot;
  std::uint64_t version = 0;
  std::string expires;             ///< "2026-11-24T05:03:00Z"
  codec::Json body;                ///< "signed"
  std::string signed_bytes;        ///< What signatures cover.
  std::vector<std::pair<std::string, std::string>> signatures;  ///< Key id, raw bytes.
};
/// kInvalid for anything but metadata of `role`, and for versions, times and digests that are none.
Result<Metadata> parse_metadata(std::string_view bytes, Role role, std::string_view source);

/// What a root says: keys by id, and for each role whose keys, and how many of them.
struct Root {
  struct Keys {
    std::vector<std::string> ids;
    unsigned threshold = 1;
  };
  std::uint64_t version = 0;
  std::string expires;
  std::map<std::string, crypto::PublicKey, std::less<>> keys;  ///< Of kinds that nacre can check; others are left out.
  std::map<Role, Keys> roles;
  bool consistent = false;  ///< Metadata and indexes have their version and digest in their names.
  std::string channel;      ///< Of the edition whose repository this is; empty: the edition itself.
};
Result<Root> parse_root(const Metadata& metadata);
/// kDenied unless as many different keys of the role as it asks for signed. A key counts once, whatever its ids.
Result<> check_signatures(const Metadata& metadata, const Root& root, std::string_view source);

// ---- what a client does ----

/// An index that the metadata of its repository vouches for.
struct FreshTarget {
  Sha256 digest;
  std::uint64_t size = 0;
  bool consistent = false;  ///< Also there as ARCH/HEX.APKINDEX.tar.gz, which no later publish replaces.
};

/// Trusts a root (its JSON) for a repository from now on; explicit, for an address or a directory. kDenied when its own
/// keys did not sign it.
Result<> trust_root(Env& env, const std::string& base, std::string_view root_json);
Result<bool> forget_root(Env& env, const std::string& base);  ///< False: none was trusted.

/// What is remembered of a repository: nothing lower is ever taken again.
struct TrustedRepository {
  std::string base;
  std::uint64_t root = 0, timestamp = 0, snapshot = 0, targets = 0;
};
Result<std::vector<TrustedRepository>> trusted_repositories(Env& env);

/// Walks root, timestamp, snapshot and targets of a repository as a TUF client must, and remembers the versions seen.
/// Nothing when no root is trusted for `base`. kDenied for what is expired (freeze), older than what was seen
/// (rollback),
/// put together from different times (mix-and-match), longer than it may be, or signed by other keys; also when a
/// repository that had metadata has none. `target` is "ARCH/APKINDEX.tar.gz".
Result<std::optional<FreshTarget>> check_freshness(Env& env, const Fetcher& fetcher, const std::string& base,
                                                   const std::string& target);

// ---- what a publisher does ----

/// How many days each role's word is good for.
struct Lifetimes {
  int root = 365, targets = 90, snapshot = 30, timestamp = 7;
};

enum class Renew { kAlways, kWhenDue };

struct FreshnessOptions {
  Edition edition = Edition::kCommunity;
  Lifetimes days;
  /// Keys of a root beside the signer's own, and those of them that can sign now (offline keys, brought for the
  /// occasion).
  std::vector<crypto::PublicKey> root_keys;
  std::vector<crypto::PrivateKey> root_signers;
  unsigned root_threshold = 0;  ///< 0: as the root before; 1 in the first.
  bool new_root = false;        ///< Make the next root even when the one that is there is good.
  std::string channel;  ///< Whose metadata it is: says so itself, so that nobody passes one channel off as another.
  /// Whether a timestamp is made anew while the one that is there is younger than a day and says the same.
  Renew renew = Renew::kAlways;
};

/// What was written.
struct FreshnessReport {
  std::uint64_t root = 0, targets = 0, snapshot = 0, timestamp = 0;  ///< Versions.
  std::vector<std::string> indexes;  ///< Targets.
  std::string timestamp_expires, root_expires;
  bool changed = false;  ///< Something was written.
};

/// Writes metadata for every ARCH/APKINDEX.tar.gz below `folder`: a root when there is none or it must be renewed,
/// targets
/// and snapshot when something changed or they come near their end, and always a timestamp, last and by rename. A crash
/// leaves metadata that is whole, old or new. kDenied when a root needs signatures that nobody here can give.
Result<FreshnessReport> write_freshness(const os::Path& folder, crypto::Signer& signer, os::Clock& clock,
                                        const FreshnessOptions& options);

// ---- the metadata of an edition: in the state database ("tuf/EDITION"), served and written out beside its index; and
// of each of its channels ("tuf/EDITION/@CHANNEL"), with versions of its own: a channel that is set back is news ----

/// Documents by file name: "3.root.json", "root.json", "7.targets.json", "timestamp.json".
using MetadataFiles = std::map<std::string, std::string, std::less<>>;

/// The same for the newest serial of `options.edition`, in one transaction; one writer at a time. Nothing before the
/// first publish. A crash between a publish and this leaves metadata that names the serial before: it is whole, and the
/// next call makes it the newest. The edition's channels that moved, or whose metadata is due, come along.
Result<std::optional<FreshnessReport>> refresh_edition(Env& env, crypto::Signer& signer,
                                                       const FreshnessOptions& options);
Result<MetadataFiles> edition_metadata(Env& env, Edition edition, std::string_view channel = {});
Result<std::optional<std::string>> edition_metadata_file(Env& env, Edition edition, std::string_view name,
                                                         std::string_view channel = {});
/// Whether the newest targets name this index.
Result<bool> metadata_names(const MetadataFiles& files, const Sha256& index);

/// How long one role's word is good, and when its publisher should renew it.
struct FreshnessDue {
  Role role = Role::kRoot;
  std::uint64_t version = 0;
  std::string expires, due;
};
Result<std::vector<FreshnessDue>> freshness_due(const MetadataFiles& files, const FreshnessOptions& options);
/// What is in `folder`/tuf.
Result<MetadataFiles> folder_metadata(const os::Path& folder);

/// "HEX.APKINDEX.tar.gz": the name of an index that no later publish replaces.
std::string consistent_name(const Sha256& index);

}  // namespace nacre::index
