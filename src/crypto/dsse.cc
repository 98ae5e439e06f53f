#include "crypto/dsse.h"

#include "base/encoding.h"

namespace nacre::crypto {
namespace {

constexpr std::string_view kBundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::size_t kMaxSignatures = 16;

/// Base64 in its one canonical form: of several texts for the same bytes only one is accepted.
Result<std::string> strict_base64(std::string_view text, std::string_view what) {
  std::string bytes = TRY(from_base64(text), "reading {}", what);
  if (to_base64(bytes) != text)
    return Error::make(ErrorKind::kInvalid, "{} is not canonical base64", what);
  return bytes;
}

Result<std::string> base64_at(const codec::Json& object, std::string_view key,
                              std::string_view what) {
  const std::string text = TRY(object.string_at(key), "reading {}", what);
  return strict_base64(text, what);
}

codec::Json bundle(const PublicKey& key) {
  return codec::Json::object()
      .set("mediaType", kBundleType)
      .set("verificationMaterial",
           codec::Json::object().set("publicKey",
                                     codec::Json::object().set("hint", key.fingerprint())));
}

Result<> check_is_bundle(const codec::Json& value) {
  if (!value.is_object())
    return Error::make(ErrorKind::kInvalid, "expected a Sigstore bundle, found no JSON object");
  const std::string& type = value["mediaType"].as_string();
  if (type.starts_with("application/vnd.dev.sigstore.bundle")) return {};
  return Error::make(ErrorKind::kInvalid, "expected a Sigstore bundle ({}), found mediaType '{}'",
                     kBundleType, type.substr(0, 128));
}

}  // namespace

std::string dsse_pae(std::string_view payload_type, std::string_view body) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, body.size(), body);
}

Result<codec::Json> dsse_sign(Signer& signer, Edition edition, std::string_view payload_type,
                              std::string_view payload) {
  const std::string signature =
      TRY(signer.sign(edition, Purpose::kAttestation, dsse_pae(payload_type, payload)));
  codec::Json envelope;
  envelope.set("payload", to_base64(payload));
  envelope.set("payloadType", payload_type);
  envelope.set("signatures", codec::Json::array({codec::Json::object().set(
                                 "sig", to_base64(signature))}));
  return envelope;
}

Result<std::string> dsse_verify(const codec::Json& envelope, const PublicKey& key,
                                std::string_view payload_type) {
  if (!envelope.is_object())
    return Error::make(ErrorKind::kInvalid, "expected a DSSE envelope, found no JSON object");
  const std::string type = TRY(envelope.string_at("payloadType"), "reading a DSSE envelope");
  if (type != payload_type)
    return Error::make(ErrorKind::kInvalid, "expected an envelope of '{}', found '{}'",
                       payload_type, type.substr(0, 128));
  std::string payload = TRY(base64_at(envelope, "payload", "the envelope's payload"));
  const auto& signatures = envelope["signatures"].items();
  if (signatures.empty() || signatures.size() > kMaxSignatures)
    return Error::make(ErrorKind::kInvalid, "expected 1 to {} signatures in an envelope, found {}",
                       kMaxSignatures, signatures.size());
  const std::string signed_bytes = dsse_pae(type, payload);
  for (const codec::Json& entry : signatures) {
    const std::string signature = TRY(base64_at(entry, "sig", "the envelope's signature"));
    auto verdict = key.verify(signed_bytes, signature);
    if (verdict) return payload;
    if (verdict.error().kind() != ErrorKind::kDenied) return std::move(verdict).error();
  }
  return Error::make(ErrorKind::kDenied, "no signature of the envelope fits the key {}",
                     key.fingerprint());
}

codec::Json bundle_of_envelope(const codec::Json& envelope, const PublicKey& key) {
  return bundle(key).set("dsseEnvelope", envelope);
}

codec::Json bundle_of_signature(std::string_view raw_sha256, std::string_view signature,
                                const PublicKey& key) {
  codec::Json digest = codec::Json::object();
  digest.set("algorithm", "SHA2_256").set("digest", to_base64(raw_sha256));
  codec::Json message = codec::Json::object();
  message.set("messageDigest", std::move(digest)).set("signature", to_base64(signature));
  return bundle(key).set("messageSignature", std::move(message));
}

Result<codec::Json> envelope_of_bundle(const codec::Json& bundle) {
  TRY(check_is_bundle(bundle));
  const codec::Json& envelope = bundle["dsseEnvelope"];
  if (envelope.is_object()) return envelope;
  return Error::make(ErrorKind::kInvalid, "the bundle holds no DSSE envelope{}",
                     bundle.find("messageSignature") == nullptr ? "" : ", but a message signature");
}

Result<std::string> signature_of_bundle(const codec::Json& bundle, std::string_view raw_sha256) {
  TRY(check_is_bundle(bundle));
  const codec::Json& message = bundle["messageSignature"];
  if (!message.is_object())
    return Error::make(ErrorKind::kInvalid, "the bundle holds no message signature{}",
                       bundle.find("dsseEnvelope") == nullptr ? "" : ", but a DSSE envelope");
  const codec::Json& digest = message["messageDigest"];
  const std::string algorithm = TRY(digest.string_at("algorithm"), "reading a Sigstore bundle");
  if (algorithm != "SHA2_256")
    return Error::make(ErrorKind::kInvalid, "expected a digest by SHA2_256, found '{}'",
                       algorithm.substr(0, 64));
  const std::string found = TRY(base64_at(digest, "digest", "the bundle's digest"));
  if (found != raw_sha256)
    return Error::make(ErrorKind::kDenied, "the bundle is about sha256:{}, not sha256:{}",
                       to_hex(found.substr(0, 64)), to_hex(raw_sha256));
  return base64_at(message, "signature", "the bundle's signature");
}

}  // namespace nacre::crypto
