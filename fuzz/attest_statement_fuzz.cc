#include "attest/statement_check.h"
#include "codec/digest.h"
#include "crypto/signer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

namespace {

/// One key in memory: a signer of files would read it again for each input.
struct KeySigner final : crypto::Signer {
  crypto::PrivateKey key = *crypto::PrivateKey::generate(crypto::KeyKind::kEcdsaP256);
  Result<std::string> sign(Edition, crypto::Purpose, std::string_view message) override { return key.sign(message); }
  Result<crypto::PublicKey> public_key(Edition, crypto::Purpose) override { return key.public_key(); }
};

struct World {
  KeySigner signer;
  crypto::PublicKey key = signer.key.public_key();
  attest::TrustedKeys keys{Edition::kCommunity, key, key, {"b"}};
  attest::StatementWanted wanted{codec::sha256("x"), attest::kProvenanceType, attest::kPackageBuildType};
};

}  // namespace

// The first byte chooses: the bytes as a bundle (nothing that we did not sign may hold), or as a payload that we signed
// (then builder and edition must be those asked for).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    if (attest::check_statement(bytes, world.wanted, world.keys)) std::abort();
    return 0;
  }
  const auto envelope = crypto::dsse_sign(world.signer, Edition::kCommunity, crypto::kInTotoPayload, bytes);
  if (!envelope) std::abort();
  const auto found = attest::check_envelope(*envelope, world.wanted, world.keys);
  if (!found) return 0;
  if (found->predicate["runDetails"]["builder"]["id"].as_string() != "b") std::abort();
  if (found->predicate["buildDefinition"]["externalParameters"]["edition"].as_string() != "community") std::abort();
  return 0;
}
