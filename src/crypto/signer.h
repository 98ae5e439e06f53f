#pragma once

#include "base/edition.h"
#include "base/result.h"
#include "crypto/key.h"
#include "os/file.h"

#include <memory>
#include <string>
#include <stop_token>
#include <string_view>

namespace nacre::crypto {

/// What a signature is for; each purpose has its own key in each edition.
enum class Purpose {
  kPackage,      ///< .apk control segments and APKINDEX: RSA.
  kAttestation,  ///< DSSE envelopes, cosign signatures: ECDSA P-256.
  kRoot,         ///< Freshness metadata: the root, which names all other keys: ECDSA P-256.
  kFreshness,    ///< Freshness metadata: targets, snapshot and timestamp: ECDSA P-256.
};

std::string_view name_of(Purpose purpose);  ///< "package", "attestation", "root", "freshness"

/// Name of the key file as apk expects it in /etc/apk/keys and in ".SIGN.RSA256.NAME":
/// "nacre-community.rsa.pub" for packages, "nacre-community.ecdsa.pub" for attestations,
/// "nacre-community.root.pub" and "nacre-community.freshness.pub".
std::string public_key_name(Edition edition, Purpose purpose);

/// Signs bytes with the key of one edition and purpose. The key never leaves the implementation.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual Result<std::string> sign(Edition edition, Purpose purpose, std::string_view message) = 0;
  virtual Result<PublicKey> public_key(Edition edition, Purpose purpose) = 0;
};

/// Keys in files of one directory, made on first use (mode 0600): `<edition>-<purpose>.pem`. Used inside the
/// signer process, and by tests.
class FileSigner final : public Signer {
 public:
  explicit FileSigner(os::Path folder) : folder_(std::move(folder)) {}
  Result<std::string> sign(Edition, Purpose, std::string_view message) override;
  Result<std::string> sign_digest(Edition, Purpose, const Sha256& message);  ///< Of a message that is hashed already.
  Result<PublicKey> public_key(Edition, Purpose) override;

 private:
  Result<PrivateKey> load(Edition, Purpose);
  os::Path folder_;
};

/// Talks to `nacre signer` over its unix socket. Connects on each call; kUnavailable with a hint when nobody
/// listens, kDenied when the signer's policy refuses.
class RemoteSigner final : public Signer {
 public:
  explicit RemoteSigner(os::Path socket) : socket_(std::move(socket)) {}
  Result<std::string> sign(Edition, Purpose, std::string_view message) override;
  Result<PublicKey> public_key(Edition, Purpose) override;

 private:
  os::Path socket_;
};

/// The signer process: serves `keys` on `socket` (mode 0660, group of the caller) to peers whose uid is allowed
/// (SO_PEERCRED), one request per connection, messages of at most 256 MiB, of which it keeps the hash alone, and logs
/// every signature (time, peer uid, edition, purpose, SHA-256 of the message) as one JSON line in `log`. Returns when
/// `stop` is requested.
struct SignerOptions {
  os::Path socket, key_folder, log;
  unsigned allowed_uid = 0;
  bool allow_production = true;  ///< Policy: false refuses the production edition.
};
Result<> serve_signer(const SignerOptions& options, std::stop_token stop);

}  // namespace nacre::crypto
