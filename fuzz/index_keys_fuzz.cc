#include "crypto/certificate.h"
#include "crypto/key.h"
#include "index/discovery.h"
#include "index/index.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// Keys of strangers: a key set, a PEM key, a certificate, an index's description. A key that was read is read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto keys = index::parse_key_set(bytes, "fuzz"))
    for (const index::TrustedKey& key : *keys)
      if (key.name.find('/') != std::string::npos || !crypto::PublicKey::from_pem(key.pem)) std::abort();
  if (const auto key = crypto::PublicKey::from_pem(bytes)) {
    const auto again = crypto::PublicKey::from_pem(key->pem());
    if (!again || again->fingerprint() != key->fingerprint()) std::abort();
    if (key->verify("text", "no signature")) std::abort();
  }
  (void)crypto::certificate_der(bytes);
  (void)index::parse_index_description(bytes);
  return 0;
}
