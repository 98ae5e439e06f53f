#include "attest/provenance.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "os/clock.h"
#include "store/store.h"

// cosign's two forms of image evidence (spec supply-chain 3a and 3b).
namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kBundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kEmptyConfig = "application/vnd.oci.empty.v1+json";
constexpr std::string_view kImageConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view kSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr std::string_view kDsseEnvelope = "application/vnd.dsse.envelope.v1+json";
constexpr std::string_view kNoTime = "0001-01-01T00:00:00Z";

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

/// The manifest behind a legacy tag: a config that repeats the layers' digests, as cosign writes it.
Result<> attach_tag(Writer& writer, const image::Descriptor& subject, const char* suffix,
                    const Json& layers) {
  Json diff_ids = Json::array(), history = Json::array();
  for (const Json& layer : layers.items()) {
    Json moment;
    history.push(moment.set("created", kNoTime));
    diff_ids.push(layer["digest"]);
  }
  Json root_fs, config;
  root_fs.set("type", "layers").set("diff_ids", std::move(diff_ids));
  config.set("architecture", "").set("created", kNoTime).set("history", std::move(history));
  config.set("os", "").set("rootfs", std::move(root_fs)).set("config", Json::object());
  const image::Descriptor written = TRY(writer.put(kImageConfig, codec::to_json(config)));
  const Json manifest = manifest_around(written, layers);
  const image::Descriptor tagged = TRY(writer.put(kManifestType, codec::to_json(manifest)));
  writer.out.tags.emplace_back(fmt::format("sha256-{}.{}", subject.digest.hex(), suffix),
                               tagged.digest);
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

}  // namespace

Result<ImageEvidence> attach_evidence(
    const image::Descriptor& subject, const std::string& repository,
    const std::vector<std::pair<std::string, Json>>& predicates, std::int64_t created,
    Edition edition, crypto::Signer& signer, store::Store& store) {
  ImageEvidence out;
  out.referrers = Json::object();
  Writer writer{store, out};
  const crypto::PublicKey key = TRY(signer.public_key(edition, crypto::Purpose::kAttestation));
  std::vector<std::pair<std::string, Json>> all = {
      {std::string(kCosignSignatureType), Json::object()}};
  all.insert(all.end(), predicates.begin(), predicates.end());

  Json attestations = Json::array();
  for (const auto& [type, predicate] : all) {
    const Json text = statement({{"", subject.digest}}, type, predicate);
    const Json envelope =
        TRY(crypto::dsse_sign(signer, edition, crypto::kInTotoPayload, codec::to_json(text)));
    TRY(attach_bundle(writer, subject, crypto::bundle_of_envelope(envelope, key), type, created));
    if (type == kCosignSignatureType) continue;
    Json layer = TRY(legacy_attestation(writer, envelope, type));
    attestations.push(std::move(layer));
  }
  const Json signature =
      TRY(legacy_signature(writer, subject, repository, edition, signer));
  TRY(attach_tag(writer, subject, "sig", signature));
  TRY(attach_tag(writer, subject, "att", attestations));
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
