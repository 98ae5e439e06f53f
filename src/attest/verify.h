#pragma once

#include "attest/provenance.h"
#include "crypto/key.h"
#include "image/image.h"
#include "index/index.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nacre::attest {

/// Keys that a verifier trusts, each for one edition.
struct TrustedKeys {
  Edition edition = Edition::kCommunity;
  crypto::PublicKey package, attestation;
  std::vector<std::string> builders = {"https://nacre.dev/builders/local/v1"};  ///< Accepted builder ids.
};

/// One thing that was checked, for the report.
struct Check {
  std::string what;    ///< "signature of control segment", "provenance subject", …
  std::string detail;  ///< Key name, digest, builder, edition.
};

/// Evidence beside a package: bundles as bytes.
struct PackageEvidence {
  std::optional<std::string> provenance;   ///< Bundle JSON.
  std::optional<std::string> index;        ///< Signed APKINDEX.tar.gz that should name it.
  std::optional<std::string> sbom;         ///< A copy of the SBOM, which must be the one inside the package.
};

/// Signature of the control segment by the edition's key, data digest, per-file checksums, provenance (subject,
/// predicate type, builder id, edition, build type), in-package SBOM (present, names this package and version), and,
/// when given, that the signed index names exactly this file. kDenied names the first thing that does not hold and
/// the byte range or digest (expected, found).
Result<std::vector<Check>> verify_package(const os::Path& file, const PackageEvidence& evidence,
                                          const TrustedKeys& keys);

/// Signature, edition and serial in the signed description, every record well-formed, provenance (kDenied without).
Result<std::vector<Check>> verify_index(std::string_view bytes, std::string_view source,
                                        const std::optional<std::string>& provenance,
                                        const TrustedKeys& keys);

/// Where verify_image reads from: a store, an OCI layout, or a registry. Both must return bytes that have the digest
/// asked, or kDenied.
struct ImageSource {
  std::function<Result<std::string>(const Sha256& digest)> blob;
  std::function<Result<codec::Json>(const Sha256& subject)> referrers;   ///< Array of descriptors.
};

/// The predicate of the first attestation of this type about `subject`, unverified but for digests and subject; nullopt
/// when there is none.
Result<std::optional<codec::Json>> find_predicate(const Sha256& subject, std::string_view type,
                                                  const ImageSource& source);

/// Every blob of the image by digest (layers, diffIDs, config, manifest), image signature, provenance and SBOM
/// attestations on manifest and index (SPDX must be there, CycloneDX hold where it is), and that each installed
/// package stands in `signed_index` (of this edition) with the same checksum.
Result<std::vector<Check>> verify_image(const Sha256& index_or_manifest, const ImageSource& source,
                                        std::string_view signed_index, const TrustedKeys& keys);

}  // namespace nacre::attest
