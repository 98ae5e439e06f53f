#include "codec/digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <cstring>

namespace nacre::codec {
namespace {

/// Fetched once and kept: EVP_sha256() looks the algorithm up again at each use.
const EVP_MD* algorithm(HashKind kind) {
  static EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static EVP_MD* const kSha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  switch (kind) {
    case HashKind::kSha1: return kSha1;
    case HashKind::kSha256: return kSha256;
    case HashKind::kSha512: return kSha512;
  }
  return nullptr;
}

std::string digest_of(HashKind kind, std::string_view bytes) {
  Hasher hasher(kind);
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  State(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher(HashKind kind) : state_(std::make_unique<State>()) {
  if (EVP_DigestInit_ex(state_->context, algorithm(kind), nullptr) != 1) std::abort();
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

Hasher Hasher::clone() const {
  Hasher out;
  if (EVP_MD_CTX_copy_ex(out.state_->context, state_->context) != 1) std::abort();
  return out;
}

std::string Hasher::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, out, &size);
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
