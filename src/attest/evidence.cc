#include "attest/provenance.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>
#include <map>

// cosign's two forms of image evidence (spec supply-chain 3a and 3b).
namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kBundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kEmptyConfig = "application/vnd.oci.empty.v1+json";
constexpr std::string_view kSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr std::string_view kDsseEnvelope = "application/vnd.dsse.envelope.v1+json";

/// Writes blobs and manifests and remembers them. They are on disk when the serial that names them is published: it
/// settles all of its blobs at once.
struct Writer {
  store::Store& store;
  ImageEvidence& out;

  Result<image::Descriptor> put(std::string_view media_type, std::string_view bytes) {
    image::Descriptor descriptor;
    descriptor.media_type = media_type;
    descriptor.size = bytes.size();
    descriptor.digest = TRY(store.put_bytes(bytes, store::Store::Durability::kLater));
    out.blobs.push_back(descriptor.digest);
    return descriptor;
  }
};

Json manifest_around(const image::Descriptor& config, Json layers) {
  Json out;
  out.set("schemaVersion", 2).set("mediaType", kManifestType);
  return out.set("config", image::to_json(config)).set("layers", std::move(layers));
}

/// One referrer: a manifest whose `subject` is the image's and whose layer is the document.
Result<> attach_referrer(Writer& writer, const Document& document, Json notes) {
  const image::Descriptor config = TRY(writer.put(kEmptyConfig, "{}"));
  const image::Descriptor layer = TRY(writer.put(document.media_type, document.text));
  Json layers = Json::array();
  Json manifest = manifest_around(config, layers.push(image::to_json(layer)));
  manifest.set("artifactType", document.media_type).set("subject", image::to_json(document.subject));
  manifest.set("annotations", notes);
  const image::Descriptor written = TRY(writer.put(kManifestType, codec::to_json(manifest)));
  Json row = image::to_json(written);
  row.set("artifactType", document.media_type).set("annotations", std::move(notes));
  const std::string subject = document.subject.digest.oci();
  Json list = writer.out.referrers[subject];
  writer.out.referrers.set(subject, list.push(std::move(row)));
  return {};
}

/// A signed bundle as a referrer, as cosign attaches it.
Result<> attach_bundle(Writer& writer, const image::Descriptor& subject, const Json& bundle,
                       std::string_view predicate_type, std::int64_t created) {
  Json notes;
  notes.set("dev.sigstore.bundle.content", "dsse-envelope");
  notes.set("dev.sigstore.bundle.predicateType", predicate_type);
  notes.set("org.opencontainers.image.created", os::rfc3339(created));
  return attach_referrer(writer, {subject, std::string(kBundleType), codec::to_json(bundle)}, std::move(notes));
}

/// The manifest behind a legacy tag. cosign writes a configuration that it never reads; an empty one, which all images
/// share, is a blob less to send for each tag.
Result<> attach_tag(Writer& writer, const image::Descriptor& subject, const char* suffix,
                    std::string_view artifact_type, Json layers) {
  const image::Descriptor config = TRY(writer.put(kEmptyConfig, "{}"));
  Json manifest = manifest_around(config, std::move(layers));
  manifest.set("artifactType", artifact_type);
  const image::Descriptor tagged = TRY(writer.put(kManifestType, codec::to_json(manifest)));
  writer.out.tags.emplace_back(fmt::format("sha256-{}.{}", subject.digest.hex(), suffix), tagged.digest);
  return {};
}

Result<Json> legacy_signature(Writer& writer, const image::Descriptor& subject,
                              const std::string& repository, Edition edition,
                              crypto::Signer& signer) {
  Json identity, image, critical, payload;
  identity.set("docker-reference", repository);
  image.set("docker-manifest-digest", subject.digest.oci());
  critical.set("identity", std::move(identity)).set("image", std::move(image));
  critical.set("type", "cosign container image signature");
  payload.set("critical", std::move(critical)).set("optional", Json::object());
  const std::string bytes = codec::to_json(payload);
  const std::string signature =
      TRY(signer.sign(edition, crypto::Purpose::kAttestation, bytes));
  const image::Descriptor blob = TRY(writer.put(kSimpleSigning, bytes));
  Json notes, layer = image::to_json(blob), layers = Json::array();
  notes.set("dev.cosignproject.cosign/signature", to_base64(signature));
  layer.set("annotations", std::move(notes));
  return layers.push(std::move(layer));
}

Result<Json> legacy_attestation(Writer& writer, const Json& envelope,
                                std::string_view predicate_type) {
  const image::Descriptor blob = TRY(writer.put(kDsseEnvelope, codec::to_json(envelope)));
  Json notes, layer = image::to_json(blob);
  notes.set("dev.cosignproject.cosign/signature", "").set("predicateType", predicate_type);
  return layer.set("annotations", std::move(notes));
}

/// Signed once for all subjects of which the same is said.
class Envelopes {
 public:
  Envelopes(const std::vector<Claims>& all, Edition edition, crypto::Signer& signer)
      : all_(all), edition_(edition), signer_(signer) {}

  /// The envelope around a statement of all that claim this, or only are signed (the predicate is {}).
  Result<Json> about(std::string_view type, const Json& predicate) {
    std::vector<Subject> subjects;
    for (const Claims& claims : all_) {
      const bool same = type == kCosignSignatureType ||
                        std::any_of(claims.predicates.begin(), claims.predicates.end(), [&](const auto& claim) {
                          return claim.first == type && claim.second == predicate;
                        });
      if (same) subjects.push_back({"", claims.subject.digest});
    }
    const std::string text = codec::to_json(statement(subjects, type, predicate));
    const auto [at, fresh] = signed_.try_emplace(codec::sha256(text));
    if (fresh) at->second = TRY(crypto::dsse_sign(signer_, edition_, crypto::kInTotoPayload, text));
    return at->second;
  }

 private:
  const std::vector<Claims>& all_;
  Edition edition_;
  crypto::Signer& signer_;
  std::map<Sha256, Json> signed_;
};

}  // namespace

Result<ImageEvidence> attach_evidence(const std::vector<Claims>& image, const std::string& repository,
                                      std::int64_t created, Edition edition, crypto::Signer& signer,
                                      store::Store& store) {
  ImageEvidence out;
  out.referrers = Json::object();
  Writer writer{store, out};
  const crypto::PublicKey key = TRY(signer.public_key(edition, crypto::Purpose::kAttestation));
  Envelopes envelopes(image, edition, signer);
  for (const Claims& claims : image) {
    const auto attach = [&](std::string_view type, const Json& envelope) {
      return attach_bundle(writer, claims.subject, crypto::bundle_of_envelope(envelope, key), type, created);
    };
    const Json signature = TRY(envelopes.about(kCosignSignatureType, Json::object()));
    TRY(attach(kCosignSignatureType, signature));
    Json attestations = Json::array();
    for (const auto& [type, predicate] : claims.predicates) {
      const Json envelope = TRY(envelopes.about(type, predicate));
      TRY(attach(type, envelope));
      Json layer = TRY(legacy_attestation(writer, envelope, type));
      attestations.push(std::move(layer));
    }
    Json legacy = TRY(legacy_signature(writer, claims.subject, repository, edition, signer));
    TRY(attach_tag(writer, claims.subject, "sig", kSimpleSigning, std::move(legacy)));
    TRY(attach_tag(writer, claims.subject, "att", kDsseEnvelope, std::move(attestations)));
  }
  return out;
}

Result<ImageEvidence> attach_documents(const std::vector<Document>& documents, std::int64_t created,
                                       store::Store& store) {
  ImageEvidence out;
  out.referrers = Json::object();
  Writer writer{store, out};
  for (const Document& document : documents) {
    Json notes;
    notes.set("org.opencontainers.image.created", os::rfc3339(created));
    TRY(attach_referrer(writer, document, std::move(notes)));
  }
  return out;
}

}  // namespace nacre::attest
