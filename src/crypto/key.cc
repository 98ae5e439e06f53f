#include "crypto/key.h"

#include "base/encoding.h"
#include "codec/digest.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace nacre::crypto {
namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeKeyContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Bio = std::unique_ptr<BIO, FreeBio>;
using Digest = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

constexpr std::size_t kMaxPemBytes = 64u << 10;
/// Foreign repositories still sign with 2048 bits.
constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;

/// The reason that OpenSSL gives for its last failure; empties its queue.
std::string reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  std::string out = text == nullptr ? "no reason given" : text;
  ERR_clear_error();
  return out;
}

/// OpenSSL would ask on the terminal without this.
int no_password(char*, int, int, void*) { return -1; }

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size <= 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

/// Key material leaves no copy in freed memory.
Bio secret_buffer() { return Bio(BIO_new(BIO_s_secmem())); }

/// What stands in place of the block that was expected, by its label alone: the rest may be secret.
std::string found_in(std::string_view pem, std::string_view expected) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  const std::size_t begin = pem.find(kBegin);
  if (begin == pem.npos) return "no PEM block";
  const std::string_view rest = pem.substr(begin + kBegin.size(), 64);
  const std::string_view label = rest.substr(0, rest.find("-----"));
  if (label.ends_with(expected)) return "one that cannot be read";
  return fmt::format("'{}'", label);
}

Result<KeyKind> kind_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA")) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= kMinRsaBits && bits <= kMaxRsaBits) return KeyKind::kRsa4096;
    return Error::make(ErrorKind::kInvalid, "expected an RSA key of {} to {} bits, found {} bits",
                       kMinRsaBits, kMaxRsaBits, bits);
  }
  char group[64] = "unnamed";
  if (!EVP_PKEY_is_a(key, "EC")) {
    const char* name = EVP_PKEY_get0_type_name(key);
    return Error::make(ErrorKind::kInvalid, "expected an RSA or ECDSA P-256 key, found {}",
                       name == nullptr ? "an unknown kind" : name);
  }
  EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
  if (std::string_view(group) == "prime256v1") return KeyKind::kEcdsaP256;
  return Error::make(ErrorKind::kInvalid, "expected the curve P-256 (prime256v1), found '{}'",
                     group);
}

/// DER of the SubjectPublicKeyInfo.
std::string public_der(const EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

Result<> check(EVP_PKEY* key, const char* hash, std::string_view message,
               std::string_view signature) {
  const Digest context(EVP_MD_CTX_new());
  if (!context ||
      EVP_DigestVerifyInit_ex(context.get(), nullptr, hash, nullptr, nullptr, key, nullptr) != 1)
    return Error::make(ErrorKind::kInternal, "cannot begin to verify: {}", reason());
  const int answer = EVP_DigestVerify(
      context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
      reinterpret_cast<const unsigned char*>(message.data()), message.size());
  ERR_clear_error();
  if (answer == 1) return {};
  return Error::make(ErrorKind::kDenied, "the signature does not fit the key and the content");
}

}  // namespace

struct PublicKey::State {
  Key key;
  KeyKind kind;
};
struct PrivateKey::State {
  Key key;
  KeyKind kind;
};

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes)
    return Error::make(ErrorKind::kInvalid, "expected a public key, found {} bytes", pem.size());
  Key key(PEM_read_bio_PUBKEY(reading(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key)
    return Error::make(ErrorKind::kInvalid, "expected a PEM block 'PUBLIC KEY', found {}",
                       found_in(pem, "PUBLIC KEY"));
  const KeyKind kind = TRY(kind_of(key.get()));
  PublicKey out;
  out.state_ = std::make_shared<const State>(State{std::move(key), kind});
  return out;
}

std::string PublicKey::pem() const {
  if (!state_) return {};
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), state_->key.get()) != 1) return {};
  return text_of(bio.get());
}

KeyKind PublicKey::kind() const { return state_ ? state_->kind : KeyKind::kEcdsaP256; }

std::string PublicKey::fingerprint() const {
  if (!state_) return {};
  return to_base64(codec::sha256(public_der(state_->key.get())).view());
}

Result<> PublicKey::verify(std::string_view message, std::string_view signature) const {
  if (!state_) return Error::make(ErrorKind::kInternal, "verifying with a key that was never set");
  return check(state_->key.get(), "SHA256", message, signature);
}

Result<> PublicKey::verify_sha1(std::string_view message, std::string_view signature) const {
  if (!state_) return Error::make(ErrorKind::kInternal, "verifying with a key that was never set");
  if (state_->kind != KeyKind::kRsa4096)
    return Error::make(ErrorKind::kInvalid, "SHA-1 signatures are only read with RSA keys");
  return check(state_->key.get(), "SHA1", message, signature);
}

Result<PrivateKey> PrivateKey::generate(KeyKind kind) {
  Key key(kind == KeyKind::kRsa4096 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{4096})
                                    : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return Error::make(ErrorKind::kInternal, "cannot make a key: {}", reason());
  PrivateKey out;
  out.state_ = std::make_shared<const State>(State{std::move(key), kind});
  return out;
}

Result<PrivateKey> PrivateKey::generate_rsa(unsigned bits) {
  if (bits < unsigned{kMinRsaBits} || bits > unsigned{kMaxRsaBits})
    return Error::make(ErrorKind::kInvalid, "expected {} to {} bits for an RSA key, got {}", kMinRsaBits, kMaxRsaBits,
                       bits);
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
  if (!key) return Error::make(ErrorKind::kInternal, "cannot make a key: {}", reason());
  PrivateKey out;
  out.state_ = std::make_shared<const State>(State{std::move(key), KeyKind::kRsa4096});
  return out;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes)
    return Error::make(ErrorKind::kInvalid, "expected a private key, found {} bytes", pem.size());
  Key key(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key) {
    if (pem.find("ENCRYPTED PRIVATE KEY") != pem.npos || pem.find("4,ENCRYPTED") != pem.npos)
      return Error::make(ErrorKind::kInvalid, "the private key is encrypted")
          .hint("store it without a password, readable by the signer's user alone");
    return Error::make(ErrorKind::kInvalid, "expected a PEM block 'PRIVATE KEY', found {}",
                       found_in(pem, "PRIVATE KEY"));
  }
  const KeyKind kind = TRY(kind_of(key.get()));
  PrivateKey out;
  out.state_ = std::make_shared<const State>(State{std::move(key), kind});
  return out;
}

std::string PrivateKey::pem() const {
  if (!state_) return {};
  const Bio bio = secret_buffer();
  EVP_PKEY* key = state_->key.get();
  const int written =
      !bio ? 0
      : state_->kind == KeyKind::kRsa4096
          ? PEM_write_bio_PrivateKey_traditional(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                                 nullptr)
          : PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return written == 1 ? text_of(bio.get()) : std::string();
}

PublicKey PrivateKey::public_key() const {
  PublicKey out;
  if (!state_) return out;
  // A key of its own, from the public half: what holds a PublicKey never holds the secret.
  const std::string der = public_der(state_->key.get());
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(der.data());
  Key key(d2i_PUBKEY(nullptr, &bytes, static_cast<long>(der.size())));
  if (!key) return out;
  out.state_ =
      std::make_shared<const PublicKey::State>(PublicKey::State{std::move(key), state_->kind});
  return out;
}

Result<std::string> PrivateKey::sign(std::string_view message) const { return sign_digest(codec::sha256(message)); }

Result<std::string> PrivateKey::sign_digest(const Sha256& digest) const {
  if (!state_) return Error::make(ErrorKind::kInternal, "signing with a key that was never set");
  const KeyContext context(EVP_PKEY_CTX_new(state_->key.get(), nullptr));
  const auto* bytes = reinterpret_cast<const unsigned char*>(digest.view().data());
  const std::size_t count = digest.view().size();
  std::size_t size = 0;
  if (!context || EVP_PKEY_sign_init(context.get()) != 1 ||
      (state_->kind == KeyKind::kRsa4096 &&
       EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1) ||
      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_sign(context.get(), nullptr, &size, bytes, count) != 1)
    return Error::make(ErrorKind::kInternal, "cannot begin to sign: {}", reason());
  std::string out(size, '\0');
  if (EVP_PKEY_sign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, count) != 1)
    return Error::make(ErrorKind::kInternal, "cannot sign: {}", reason());
  out.resize(size);
  return out;
}

}  // namespace nacre::crypto
