#include "crypto/wire.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// What a signer reads from its callers, they from it, and both from key files.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre::crypto;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = wire::parse_request(bytes)) {
    const auto again = wire::parse_request(wire::to_text(*request));
    if (!again || again->op != request->op || again->edition != request->edition) std::abort();
  }
  if (const auto verdict = wire::parse_verdict(bytes); !verdict)
    (void)wire::parse_verdict(wire::to_text(verdict.error()));
  (void)PublicKey::from_pem(bytes);
  (void)PrivateKey::from_pem(bytes);
  return 0;
}
