#include "crypto/dsse.h"

#include "base/encoding.h"
#include "codec/digest.h"
#include "crypto/test_keys.h"

namespace nacre::crypto {
namespace {

constexpr std::string_view kPayload = R"({"_type":"https://in-toto.io/Statement/v1"})";

/// A signer in a directory of its own, and one envelope that it made.
struct Signed {
  os::TempDir dir = scratch();
  FileSigner signer{dir.path()};
  PublicKey key = *signer.public_key(Edition::kCommunity, Purpose::kAttestation);
  codec::Json envelope = *dsse_sign(signer, Edition::kCommunity, kInTotoPayload, kPayload);
};

TEST(Pae, IsTheOneOfTheSpecification) {
  EXPECT_EQ(dsse_pae("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(dsse_pae("", std::string("\0\n", 2)), std::string("DSSEv1 0  2 \0\n", 14));
}

TEST(Envelope, HasTheShapeThatCosignReads) {
  const Signed made;
  EXPECT_EQ(codec::to_json(made.envelope),
            R"({"payload":")" + to_base64(kPayload) +
                R"(","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":")" +
                made.envelope["signatures"].items().at(0)["sig"].as_string() + R"("}]})");
  const auto payload = dsse_verify(made.envelope, made.key);
  ASSERT_TRUE(payload) << payload.error().render();
  EXPECT_EQ(*payload, kPayload);
}

TEST(Envelope, IsVerifiedByTheOpensslProgram) {
  const Signed made;
  const std::string signature =
      *from_base64(made.envelope["signatures"].items().at(0)["sig"].as_string());
  ASSERT_TRUE(os::write_file(made.dir.path() / "pae", dsse_pae(kInTotoPayload, kPayload)));
  ASSERT_TRUE(os::write_file(made.dir.path() / "sig", signature));
  ASSERT_TRUE(os::write_file(made.dir.path() / "pub", made.key.pem()));
  EXPECT_EQ(shell(made.dir.path(), "openssl dgst -sha256 -verify pub -signature sig pae"),
            "Verified OK\n");
}

TEST(Envelope, IsRefusedWithAnyBitFlipped) {
  const Signed made;
  const std::string text = codec::to_json(made.envelope);
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string other = text;
    other[i / 8] = static_cast<char>(other[i / 8] ^ 1 << i % 8);
    const auto envelope = codec::parse_json(other, "envelope");
    EXPECT_FALSE(envelope && dsse_verify(*envelope, made.key)) << other;
  }
}

TEST(Envelope, TakesOneFittingSignatureOfSeveral) {
  Signed made;
  codec::Json several;
  several.push(codec::Json::object().set("sig", to_base64("not a signature")).set("keyid", "x"));
  several.push(made.envelope["signatures"].items().at(0));
  made.envelope.set("signatures", several);
  EXPECT_EQ(message_of(dsse_verify(made.envelope, made.key)), "no error");
}

TEST(Envelope, OfAnotherKeyOrEditionIsDenied) {
  Signed made;
  const PublicKey other = *made.signer.public_key(Edition::kProduction, Purpose::kAttestation);
  const auto verdict = dsse_verify(made.envelope, other);
  EXPECT_EQ(verdict.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(message_of(verdict),
            "no signature of the envelope fits the key " + other.fingerprint());
}

struct Fault {
  const char* name;
  std::string_view text;
  std::string_view message;
};

class EnvelopeFault : public testing::TestWithParam<Fault> {};

TEST_P(EnvelopeFault, IsNamed) {
  const auto json = codec::parse_json(GetParam().text, "envelope");
  ASSERT_TRUE(json) << json.error().render();
  const auto verdict = dsse_verify(*json, ecdsa_key().public_key());
  EXPECT_EQ(message_of(verdict), GetParam().message);
  EXPECT_EQ(verdict.error().kind(), ErrorKind::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(
    , EnvelopeFault,
    testing::Values(
        Fault{"NoObject", "[]", "expected a DSSE envelope, found no JSON object"},
        Fault{"OtherType", R"({"payloadType":"text/plain"})",
              "expected an envelope of 'application/vnd.in-toto+json', found 'text/plain'"},
        Fault{"SeveralTextsOfOnePayload",
              R"({"payloadType":"application/vnd.in-toto+json","payload":"YR=="})",
              "the envelope's payload is not canonical base64"},
        Fault{"NoSignatures",
              R"({"payloadType":"application/vnd.in-toto+json","payload":"YQ==","signatures":[]})",
              "expected 1 to 16 signatures in an envelope, found 0"}),
    [](const auto& fault) { return fault.param.name; });

TEST(Bundle, HoldsAnEnvelope) {
  const Signed made;
  const codec::Json bundle = bundle_of_envelope(made.envelope, made.key);
  EXPECT_EQ(codec::to_json(bundle),
            R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",)"
            R"("verificationMaterial":{"publicKey":{"hint":")" +
                made.key.fingerprint() + R"("}},"dsseEnvelope":)" + codec::to_json(made.envelope) +
                "}");
  const auto envelope = envelope_of_bundle(bundle);
  ASSERT_TRUE(envelope) << envelope.error().render();
  EXPECT_EQ(*envelope, made.envelope);
  EXPECT_EQ(message_of(signature_of_bundle(bundle, "")),
            "the bundle holds no message signature, but a DSSE envelope");
}

TEST(Bundle, HoldsASignatureOverAFile) {
  const PublicKey key = ecdsa_key().public_key();
  const Sha256 digest = codec::sha256("file");
  const std::string signature = *ecdsa_key().sign("file");
  const codec::Json bundle = bundle_of_signature(digest.view(), signature, key);
  EXPECT_EQ(codec::to_json(bundle["messageSignature"]),
            R"({"messageDigest":{"algorithm":"SHA2_256","digest":")" + to_base64(digest.view()) +
                R"("},"signature":")" + to_base64(signature) + R"("})");
  const auto again = signature_of_bundle(bundle, digest.view());
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(message_of(key.verify("file", *again)), "no error");
  const auto other = signature_of_bundle(bundle, codec::sha256("other").view());
  EXPECT_EQ(other.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(message_of(envelope_of_bundle(bundle)),
            "the bundle holds no DSSE envelope, but a message signature");
  EXPECT_EQ(message_of(envelope_of_bundle(codec::Json::object().set("mediaType", "text/plain"))),
            "expected a Sigstore bundle (application/vnd.dev.sigstore.bundle.v0.3+json), found "
            "mediaType 'text/plain'");
}

}  // namespace
}  // namespace nacre::crypto
