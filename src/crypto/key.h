#pragma once

#include "base/result.h"
#include "base/sha256.h"

#include <memory>
#include <string>
#include <string_view>

namespace nacre::crypto {

enum class KeyKind {
  kRsa4096,    ///< Packages and indexes: RSASSA-PKCS1-v1_5 with SHA-256 ("RSA256" in apk).
  kEcdsaP256,  ///< Attestations and images: ECDSA over SHA-256, ASN.1 DER.
};

/// The public half. Value type; cheap to copy. RSA keys of others may have 2048 to 8192 bits.
class PublicKey {
 public:
  /// Reads a PEM "PUBLIC KEY" (PKIX). kInvalid for anything else or a kind that we do not use.
  static Result<PublicKey> from_pem(std::string_view pem);
  std::string pem() const;
  KeyKind kind() const;
  std::string fingerprint() const;  ///< Base64 of SHA-256 over the DER SubjectPublicKeyInfo: the bundle's hint.
  /// kDenied when the signature does not fit.
  Result<> verify(std::string_view message, std::string_view signature) const;
  /// RSA only: verifies over SHA-1 (old ".SIGN.RSA." signatures of foreign repositories).
  Result<> verify_sha1(std::string_view message, std::string_view signature) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
  friend class PrivateKey;
};

/// The private half; only the signer process holds one (and tests).
class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyKind kind);
  static Result<PrivateKey> generate_rsa(unsigned bits);     ///< kInvalid outside 2048 to 8192 bits.
  static Result<PrivateKey> from_pem(std::string_view pem);  ///< PKCS#8 or PKCS#1, unencrypted.
  std::string pem() const;                                   ///< PKCS#8 for ECDSA, PKCS#1 for RSA (melange's form).
  PublicKey public_key() const;
  Result<std::string> sign(std::string_view message) const;  ///< Hashes with SHA-256 and signs.
  Result<std::string> sign_digest(const Sha256& digest) const;  ///< The same, of a message that is hashed already.

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace nacre::crypto
