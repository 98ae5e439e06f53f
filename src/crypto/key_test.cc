#include "crypto/key.h"

#include "crypto/test_keys.h"

namespace nacre::crypto {
namespace {

constexpr std::string_view kMessage = "what is signed\n";

struct Kind {
  const char* name;
  const PrivateKey& (*key)();
  KeyKind kind;
  std::string_view head;
};

class EachKind : public testing::TestWithParam<Kind> {};

TEST_P(EachKind, SignsAndVerifies) {
  const PrivateKey& key = GetParam().key();
  const PublicKey half = key.public_key();
  EXPECT_EQ(half.kind(), GetParam().kind);
  const auto signature = key.sign(kMessage);
  ASSERT_TRUE(signature) << signature.error().render();
  EXPECT_EQ(message_of(half.verify(kMessage, *signature)), "no error");
  EXPECT_EQ(message_of(half.verify("what is signed", *signature)),
            "the signature does not fit the key and the content");
  EXPECT_EQ(half.verify(kMessage, "").error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(half.verify(kMessage, *signature + '\0').error().kind(), ErrorKind::kDenied);
  for (std::size_t i = 0; i < signature->size(); ++i) {
    std::string other = *signature;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_EQ(half.verify(kMessage, other).error().kind(), ErrorKind::kDenied) << "byte " << i;
  }
}

TEST_P(EachKind, ComesBackFromPem) {
  const PrivateKey& key = GetParam().key();
  EXPECT_TRUE(key.pem().starts_with(GetParam().head)) << key.pem().substr(0, 40);
  const auto again = PrivateKey::from_pem(key.pem());
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->pem(), key.pem());
  const auto half = PublicKey::from_pem(key.public_key().pem());
  ASSERT_TRUE(half) << half.error().render();
  EXPECT_EQ(half->fingerprint(), key.public_key().fingerprint());
  EXPECT_EQ(message_of(half->verify(kMessage, *again->sign(kMessage))), "no error");
}

TEST_P(EachKind, AgreesWithTheOpensslProgram) {
  const os::TempDir dir = scratch();
  const PrivateKey& key = GetParam().key();
  ASSERT_TRUE(os::write_file(dir.path() / "key", key.pem(), 0600));
  ASSERT_TRUE(os::write_file(dir.path() / "pub", key.public_key().pem()));
  ASSERT_TRUE(os::write_file(dir.path() / "text", kMessage));
  ASSERT_TRUE(os::write_file(dir.path() / "ours", *key.sign(kMessage)));
  EXPECT_EQ(shell(dir.path(), "openssl dgst -sha256 -verify pub -signature ours text"),
            "Verified OK\n");
  EXPECT_EQ(shell(dir.path(), "openssl pkey -in key -pubout"), key.public_key().pem());
  EXPECT_EQ(shell(dir.path(),
                  "openssl pkey -pubin -in pub -outform DER | openssl dgst -sha256 -binary | "
                  "openssl base64"),
            key.public_key().fingerprint() + "\n");
  const std::string theirs = shell(dir.path(), "openssl dgst -sha256 -sign key text");
  EXPECT_EQ(message_of(key.public_key().verify(kMessage, theirs)), "no error");
}

INSTANTIATE_TEST_SUITE_P(
    , EachKind,
    testing::Values(Kind{"Rsa", rsa_key, KeyKind::kRsa4096, "-----BEGIN RSA PRIVATE KEY-----\n"},
                    Kind{"Ecdsa", ecdsa_key, KeyKind::kEcdsaP256,
                         "-----BEGIN PRIVATE KEY-----\n"}),
    [](const auto& kind) { return kind.param.name; });

TEST(PublicKey, ReadsOldSignaturesOverSha1) {
  const os::TempDir dir = scratch();
  ASSERT_TRUE(os::write_file(dir.path() / "key", rsa_key().pem(), 0600));
  ASSERT_TRUE(os::write_file(dir.path() / "text", kMessage));
  const std::string old = shell(dir.path(), "openssl dgst -sha1 -sign key text");
  const PublicKey half = rsa_key().public_key();
  EXPECT_EQ(message_of(half.verify_sha1(kMessage, old)), "no error");
  EXPECT_EQ(half.verify_sha1("other", old).error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(half.verify(kMessage, old).error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(message_of(ecdsa_key().public_key().verify_sha1(kMessage, old)),
            "SHA-1 signatures are only read with RSA keys");
}

TEST(PublicKey, RefusesAnotherKeysSignature) {
  const auto other = PrivateKey::generate(KeyKind::kEcdsaP256);
  EXPECT_EQ(ecdsa_key().public_key().verify(kMessage, *other->sign(kMessage)).error().kind(),
            ErrorKind::kDenied);
}

// Keys as the openssl program makes them: one row per key that we do not use.
struct Foreign {
  const char* name;
  const char* make;
  std::string_view message;
};

class ForeignKey : public testing::TestWithParam<Foreign> {};

TEST_P(ForeignKey, IsRefusedByName) {
  const os::TempDir dir = scratch();
  const std::string pem = shell(dir.path(), GetParam().make);
  EXPECT_EQ(message_of(PrivateKey::from_pem(pem)), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    , ForeignKey,
    testing::Values(
        Foreign{"OtherCurve",
                "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 2>/dev/null",
                "expected the curve P-256 (prime256v1), found 'secp384r1'"},
        Foreign{"Ed25519", "openssl genpkey -algorithm ED25519",
                "expected an RSA or ECDSA P-256 key, found ED25519"},
        Foreign{"ShortRsa",
                "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null",
                "expected an RSA key of 2048 to 8192 bits, found 1024 bits"},
        Foreign{"Encrypted",
                "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-128-cbc "
                "-pass pass:x 2>/dev/null",
                "the private key is encrypted\n"
                "  hint: store it without a password, readable by the signer's user alone"},
        Foreign{"Rubbish", "echo hello",
                "expected a PEM block 'PRIVATE KEY', found no PEM block"},
        Foreign{"Broken", "openssl genpkey -algorithm ED25519 | sed s/M/N/",
                "expected a PEM block 'PRIVATE KEY', found one that cannot be read"}),
    [](const auto& foreign) { return foreign.param.name; });

TEST(PublicKey, RefusesWhatIsNoPublicKey) {
  EXPECT_EQ(message_of(PublicKey::from_pem(ecdsa_key().pem())),
            "expected a PEM block 'PUBLIC KEY', found 'PRIVATE KEY'");
  EXPECT_EQ(message_of(PublicKey::from_pem("")),
            "expected a PEM block 'PUBLIC KEY', found no PEM block");
  EXPECT_EQ(message_of(PublicKey::from_pem(std::string(70'000, 'x'))),
            "expected a public key, found 70000 bytes");
  EXPECT_EQ(PublicKey().verify("a", "b").error().kind(), ErrorKind::kInternal);
}

TEST(RsaKeys, HaveTheBitsAskedFor) {
  for (const unsigned bits : {2048u, 3072u}) {
    const auto key = PrivateKey::generate_rsa(bits);
    ASSERT_TRUE(key) << key.error().render();
    const os::TempDir dir = scratch();
    ASSERT_TRUE(os::write_file(dir.path() / "key", key->pem(), 0600));
    EXPECT_EQ(shell(dir.path(), "openssl rsa -in key -noout -text 2>/dev/null | head -n 1"),
              fmt::format("Private-Key: ({} bit, 2 primes)\n", bits));
    const auto again = PrivateKey::from_pem(key->pem());
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(message_of(key->public_key().verify(kMessage, *again->sign(kMessage))), "no error");
    const auto other = PrivateKey::generate_rsa(bits);
    EXPECT_NE(other->public_key().fingerprint(), key->public_key().fingerprint());
  }
}

TEST(RsaKeys, AreRefusedWithFewerOrMoreBits) {
  for (const unsigned bits : {0u, 1024u, 2047u, 8193u, 1u << 31}) {
    const auto key = PrivateKey::generate_rsa(bits);
    ASSERT_FALSE(key) << bits;
    EXPECT_EQ(key.error().render(), fmt::format("expected 2048 to 8192 bits for an RSA key, got {}", bits));
  }
}

}  // namespace
}  // namespace nacre::crypto
