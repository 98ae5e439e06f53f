#pragma once

#include "base/edition.h"
#include "build/build.h"
#include "codec/json.h"
#include "crypto/dsse.h"
#include "image/image.h"
#include "index/index.h"

#include <string>
#include <utility>
#include <vector>

namespace nacre::attest {

/// Who built. The identity differs when the process cannot give what SLSA Build L3 asks (no separate signer, no
/// sandbox).
struct Builder {
  std::string id = "https://nacre.dev/builders/local/v1";
  std::string version;          ///< Of nacre.
  Edition edition = Edition::kCommunity;
};

constexpr std::string_view kPackageBuildType = "https://nacre.dev/buildtypes/package/v1";
constexpr std::string_view kImageBuildType = "https://nacre.dev/buildtypes/image/v1";
constexpr std::string_view kIndexBuildType = "https://nacre.dev/buildtypes/index/v1";
constexpr std::string_view kStage0BuildType = "https://nacre.dev/buildtypes/stage0/v1";

constexpr std::string_view kProvenanceType = "https://slsa.dev/provenance/v1";
constexpr std::string_view kSpdxType = "https://spdx.dev/Document";
constexpr std::string_view kCycloneDxType = "https://cyclonedx.org/bom";
constexpr std::string_view kCosignSignatureType = "https://sigstore.dev/cosign/sign/v1";

/// A subject of an in-toto statement: a name (may be empty) and its SHA-256.
struct Subject {
  std::string name;
  Sha256 digest;
};

/// in-toto Statement v1 around a predicate.
codec::Json statement(const std::vector<Subject>& subjects, std::string_view predicate_type,
                      codec::Json predicate);

/// SLSA v1 predicates: what the process outside the sandbox saw (design, decision 7). externalParameters is complete:
/// definition file and digest, architecture, edition. resolvedDependencies: the definition, every source (digest,
/// uri, how it came), every package of the root.
codec::Json build_provenance(const build::BuildRequest& request, const build::BuiltTree& built,
                             const std::string& definition_path, const Sha256& definition_digest,
                             const std::string& commit, const Builder& builder);
/// What a reader of a build's provenance should know besides who built, one line each: network, and steps that an
/// earlier build ran. Empty for other provenance, and for a build without either.
std::vector<std::string> build_remarks(const codec::Json& predicate);
codec::Json image_provenance(const image::ComposeRequest& request, const image::Image& image,
                             const Sha256& spec_digest, std::int64_t started,
                             std::int64_t finished, const Builder& builder);
codec::Json index_provenance(const std::vector<index::SerialPackage>& packages,
                             std::uint64_t serial, std::int64_t now, const Builder& builder);
/// A stage0 package: the .debs, by name, version and SHA-256.
codec::Json stage0_provenance(const std::vector<std::pair<std::string, Sha256>>& debs,
                              const Builder& builder);

/// Signs a statement and keeps the Sigstore bundle (v0.3, DSSE) as a blob.
Result<Sha256> sign_statement(const codec::Json& statement, Edition edition,
                              crypto::Signer& signer, store::Store& store);

/// What an image carries besides itself: cosign's new form (referrers with `subject`) and legacy form (tags
/// sha256-HEX.sig/.att).
struct ImageEvidence {
  std::vector<Sha256> blobs;        ///< Everything written, manifests too.
  codec::Json referrers;            ///< {"sha256:SUBJECT": [descriptor with artifactType and annotations, …]}
  std::vector<std::pair<std::string, Sha256>> tags;  ///< "sha256-HEX.sig" -> manifest.
};
/// What is said of a manifest or an index of an image.
struct Claims {
  image::Descriptor subject;
  std::vector<std::pair<std::string, codec::Json>> predicates;  ///< (type, predicate).
};
/// Signs each subject as an image of `repository` ("nacre/nginx") and attaches the statements about it. What is said of
/// several is one statement with all of them as subjects: one signature, and one blob. `created` fills the time
/// annotations (reproducible: SOURCE_DATE_EPOCH of the image).
Result<ImageEvidence> attach_evidence(const std::vector<Claims>& image, const std::string& repository,
                                      std::int64_t created, Edition edition, crypto::Signer& signer,
                                      store::Store& store);

/// A document about an image, as it is.
struct Document {
  image::Descriptor subject;  ///< Manifest or index.
  std::string media_type, text;
};
/// Referrers that nobody signed, one for each document, whose artifactType is the document's media type. No tags.
Result<ImageEvidence> attach_documents(const std::vector<Document>& documents, std::int64_t created,
                                       store::Store& store);

}  // namespace nacre::attest
