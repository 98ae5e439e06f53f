#include "crypto/signer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::crypto {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 64u << 10;

/// A key that others can read or write is no secret.
Result<std::string> read_key_file(const os::Path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return os::system_error(errno, fmt::format("open '{}'", path.string()));
  if ((status.st_mode & 077) != 0)
    return Error::make(ErrorKind::kDenied, "the key '{}' is open to others (mode {:04o})",
                       path.string(), status.st_mode & 07777u)
        .hint(fmt::format("chmod 600 '{}'", path.string()));
  return os::read_file(path, kMaxKeyBytes);
}

/// Puts a key at `path` unless one is there: of several processes, the first wins.
Result<> create_key(const os::Path& path, KeyKind kind) {
  TRY(os::make_dirs(path.parent_path(), 0700));
  const PrivateKey key = TRY(PrivateKey::generate(kind));
  os::AtomicFile file = TRY(os::AtomicFile::create(path, 0600));
  TRY(file.write(key.pem()));
  if (::fsync(file.fd()) != 0)
    return os::system_error(errno, fmt::format("sync '{}'", path.string()));
  // A hard link never replaces; the temporary name goes with `file`.
  if (::link(file.temporary_path().c_str(), path.c_str()) != 0 && errno != EEXIST)
    return os::system_error(errno, fmt::format("create '{}'", path.string()));
  return os::sync_dir(path.parent_path());
}

}  // namespace

std::string_view name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kPackage: return "package";
    case Purpose::kAttestation: return "attestation";
    case Purpose::kRoot: return "root";
    case Purpose::kFreshness: return "freshness";
  }
  return "";
}

std::string public_key_name(Edition edition, Purpose purpose) {
  const std::string_view end = purpose == Purpose::kPackage       ? "rsa"
                               : purpose == Purpose::kAttestation ? "ecdsa"
                                                                  : name_of(purpose);
  return fmt::format("nacre-{}.{}.pub", nacre::name_of(edition), end);
}

Result<PrivateKey> FileSigner::load(Edition edition, Purpose purpose) {
  const os::Path path =
      folder_ / fmt::format("{}-{}.pem", nacre::name_of(edition), name_of(purpose));
  const KeyKind kind = purpose == Purpose::kPackage ? KeyKind::kRsa4096 : KeyKind::kEcdsaP256;
  if (!os::exists(path)) TRY(create_key(path, kind), "making the key '{}'", path.string());
  const std::string pem = TRY(read_key_file(path));
  PrivateKey key = TRY(PrivateKey::from_pem(pem), "reading the key '{}'", path.string());
  if (key.public_key().kind() != kind)
    return Error::make(ErrorKind::kInvalid, "the key '{}' must be {}", path.string(),
                       kind == KeyKind::kRsa4096 ? "RSA" : "ECDSA P-256");
  return key;
}

Result<std::string> FileSigner::sign(Edition edition, Purpose purpose, std::string_view message) {
  const PrivateKey key = TRY(load(edition, purpose));
  return key.sign(message);
}

Result<std::string> FileSigner::sign_digest(Edition edition, Purpose purpose, const Sha256& message) {
  const PrivateKey key = TRY(load(edition, purpose));
  return key.sign_digest(message);
}

Result<PublicKey> FileSigner::public_key(Edition edition, Purpose purpose) {
  const PrivateKey key = TRY(load(edition, purpose));
  return key.public_key();
}

}  // namespace nacre::crypto
