#include "crypto/dsse.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// An envelope or a bundle from anywhere: nothing crashes, and only what the key signed is believed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre::crypto;
  static const PublicKey kKey = [] {
    auto key = PrivateKey::generate(KeyKind::kEcdsaP256);
    if (!key) std::abort();
    return key->public_key();
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto json = nacre::codec::parse_json(bytes, "fuzz");
  if (!json) return 0;
  if (dsse_verify(*json, kKey, (*json)["payloadType"].as_string())) std::abort();
  const auto envelope = envelope_of_bundle(*json);
  if (envelope && dsse_verify(*envelope, kKey)) std::abort();
  const auto signature = signature_of_bundle(*json, std::string(32, 'x'));
  if (signature && kKey.verify("file", *signature)) std::abort();
  return 0;
}
