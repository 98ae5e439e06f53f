#pragma once

#include "apk/index_file.h"
#include "base/arch.h"
#include "base/edition.h"
#include "base/env.h"
#include "codec/json.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nacre::crypto { class Signer; }

namespace nacre::index {

/// One published package in a serial.
struct SerialPackage {
  apk::IndexRecord record;
  Sha256 apk;                ///< Blob of the .apk.
  Sha256 provenance;         ///< Blob: DSSE bundle of its SLSA provenance.
  Sha256 sbom;               ///< Blob: SPDX document.
  Sha256 action_key;         ///< Of the build that made it.
};

/// One published image in a serial.
struct SerialImage {
  std::string name;                     ///< "nginx"
  Sha256 index_digest;                  ///< OCI index (or manifest when there is one architecture only).
  std::vector<std::string> tags;        ///< "1.26.3", "1.26", "latest", "serial-1"
  std::vector<Sha256> blobs;            ///< Everything that the image needs: manifests, configs, layers, attestations.
  std::vector<std::string> packages;    ///< "name=version", sorted.
  Sha256 inputs;                        ///< Key of what it was composed from; equal key: not composed again.
  codec::Json referrers;                ///< Descriptors of attestations by subject digest: {"sha256:…": [descriptor…]},
                                        ///< and "tags": {"sha256-….sig": "sha256:…"} for clients that find them by tag.
};

/// An immutable state of an edition (design, decision 9). A blob of canonical JSON names everything it consists of.
struct Serial {
  Edition edition = Edition::kCommunity;
  std::uint64_t number = 0;
  std::int64_t published = 0;
  std::string reason;                   ///< "first", "update zlib 1.3.1 -> 1.3.2", "rollback to 3"
  std::uint64_t rolled_back_to = 0;     ///< 0 unless this serial is a rollback.
  Sha256 previous;                      ///< Manifest of the serial before; all zero for the first.
  std::string arch = "x86_64";
  Sha256 index;                         ///< Blob: signed APKINDEX.tar.gz.
  Sha256 index_provenance, index_sbom;
  std::vector<SerialPackage> packages;  ///< Sorted by name, then version.
  std::vector<SerialImage> images;      ///< Sorted by name.
};

codec::Json serial_to_json(const Serial& serial);
Result<Serial> serial_from_json(const codec::Json& json);

/// The description inside a signed index: "nacre EDITION serial N". The edition of an index is what its signed
/// description says.
std::string index_description(Edition edition, std::uint64_t serial);
struct IndexIdentity { Edition edition; std::uint64_t serial; };
Result<IndexIdentity> parse_index_description(std::string_view description);

/// Serials of an edition as the state database and the store hold them.
Result<std::optional<Serial>> head(Env& env, Edition edition);
/// Its number alone: one look-up. Serials are numbered from 1 without gaps.
Result<std::optional<std::uint64_t>> head_number(Env& env, Edition edition);
Result<Serial> load_serial(Env& env, Edition edition, std::uint64_t number);
Result<std::vector<Serial>> list_serials(Env& env, Edition edition);

/// Makes the signed APKINDEX of a set of packages.
Result<std::string> make_index(const std::vector<SerialPackage>& packages, Edition edition,
                               std::uint64_t serial, const apk::SegmentSigner& signer);

/// Makes `next` visible as the edition's newest serial in one transaction: kConflict when another process published
/// meanwhile; kConflict when a (name, version, arch) was published before with other bytes (design, decision 14);
/// kDenied when a package is of another edition. Fills in number, previous, published. A crash at any point leaves
/// the old head or the new one. `next.index` says by its signed description which serial it was made for: that must
/// be the one after the head. All blobs that `next` names must be in the store, and the index must hold exactly its
/// packages (kInvalid). A rollback holds the packages and images of the serial that it names.
Result<Serial> publish_serial(Env& env, Serial next);

/// Digest of the .apk that this name, version and architecture mean for ever in an edition; nothing when it was never
/// published.
Result<std::optional<Sha256>> published_content(Env& env, Edition edition, const apk::IndexRecord& record);

/// Everything in the store that a serial needs, sorted; not the manifest itself, and not what is all zero (absent).
std::vector<Sha256> blobs_of(const Serial& serial);
/// The same for every serial of every edition, and their manifests: nothing of it may be collected (design, decision
/// 9).
Result<std::vector<Sha256>> published_blobs(Env& env);

/// SegmentSigner that asks `signer` for the edition's package key.
apk::SegmentSigner segment_signer(crypto::Signer& signer, Edition edition);

}  // namespace nacre::index
