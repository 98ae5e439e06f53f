#pragma once

#include "base/result.h"
#include "base/sha256.h"

#include <memory>
#include <string>
#include <string_view>

namespace nacre::codec {

enum class HashKind { kSha1, kSha256, kSha512 };

/// A running hash. Not thread-safe; several may run at once.
class Hasher {
 public:
  explicit Hasher(HashKind kind = HashKind::kSha256);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void update(std::string_view bytes);
  std::string finish();      ///< Raw digest (20, 32 or 64 bytes); the object is spent after.
  Sha256 finish_sha256();    ///< Only for kSha256.
  Hasher clone() const;      ///< Of all that it was given so far, to go on with apart.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256 sha256(std::string_view bytes);
std::string sha1(std::string_view bytes);    ///< 20 raw bytes.
std::string sha512(std::string_view bytes);  ///< 64 raw bytes.

}  // namespace nacre::codec
