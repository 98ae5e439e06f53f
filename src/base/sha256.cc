#include "base/sha256.h"

#include "base/encoding.h"

#include <cstring>

namespace nacre {

std::string Sha256::hex() const { return to_hex(view()); }

std::string_view Sha256::view() const {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Sha256> parse_sha256(std::string_view text) {
  const std::string_view whole = text;
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  if (text.size() != 64)
    return Error::make(ErrorKind::kInvalid, "expected a SHA-256 of 64 hexadecimal digits, got '{}'",
                       whole);
  const std::string raw = TRY(from_hex(text), "reading the SHA-256 '{}'", whole);
  Sha256 out;
  std::memcpy(out.bytes.data(), raw.data(), out.bytes.size());
  return out;
}

}  // namespace nacre

std::size_t std::hash<nacre::Sha256>::operator()(const nacre::Sha256& digest) const noexcept {
  std::size_t out = 0;
  std::memcpy(&out, digest.bytes.data(), sizeof out);
  return out;
}
