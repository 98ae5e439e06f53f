// The older functions need none of OpenSSL's preparation (configuration, providers), which takes longer than many of
// our commands.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "codec/digest.h"

#include <openssl/sha.h>

#include <cstring>
#include <variant>

namespace nacre::codec {
namespace {

std::string digest_of(HashKind kind, std::string_view bytes) {
  Hasher hasher(kind);
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace

struct Hasher::State {
  std::variant<SHA_CTX, SHA256_CTX, SHA512_CTX> stream;
};

Hasher::Hasher(HashKind kind) : state_(std::make_unique<State>()) {
  switch (kind) {
    case HashKind::kSha1: SHA1_Init(&state_->stream.emplace<SHA_CTX>()); break;
    case HashKind::kSha256: SHA256_Init(&state_->stream.emplace<SHA256_CTX>()); break;
    case HashKind::kSha512: SHA512_Init(&state_->stream.emplace<SHA512_CTX>()); break;
  }
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  if (auto* const sha1 = std::get_if<SHA_CTX>(&state_->stream)) SHA1_Update(sha1, bytes.data(), bytes.size());
  else if (auto* const sha256 = std::get_if<SHA256_CTX>(&state_->stream))
    SHA256_Update(sha256, bytes.data(), bytes.size());
  else SHA512_Update(std::get_if<SHA512_CTX>(&state_->stream), bytes.data(), bytes.size());
}

Hasher Hasher::clone() const {
  Hasher out;
  *out.state_ = *state_;
  return out;
}

std::string Hasher::finish() {
  unsigned char out[SHA512_DIGEST_LENGTH];
  std::size_t size = 0;
  if (auto* const sha1 = std::get_if<SHA_CTX>(&state_->stream)) {
    SHA1_Final(out, sha1);
    size = SHA_DIGEST_LENGTH;
  } else if (auto* const sha256 = std::get_if<SHA256_CTX>(&state_->stream)) {
    SHA256_Final(out, sha256);
    size = SHA256_DIGEST_LENGTH;
  } else {
    SHA512_Final(out, std::get_if<SHA512_CTX>(&state_->stream));
    size = SHA512_DIGEST_LENGTH;
  }
  return {reinterpret_cast<const char*>(out), size};
}

Sha256 Hasher::finish_sha256() {
  const std::string raw = finish();
  Sha256 out;
  std::memcpy(out.bytes.data(), raw.data(), std::min(raw.size(), out.bytes.size()));
  return out;
}

Sha256 sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.finish_sha256();
}

std::string sha1(std::string_view bytes) { return digest_of(HashKind::kSha1, bytes); }
std::string sha512(std::string_view bytes) { return digest_of(HashKind::kSha512, bytes); }

}  // namespace nacre::codec
