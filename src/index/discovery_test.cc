#include "index/discovery.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/encoding.h"
#include "crypto/key.h"

namespace nacre::index {
namespace {

/// A number of the DER of a public key: the modulus of a 2048-bit key stands at a known place, its exponent at the end.
struct Numbers {
  std::string modulus, exponent;
};
Numbers numbers_of(const crypto::PublicKey& key) {
  std::string body;
  const std::string pem = key.pem();
  for (std::size_t at = pem.find('\n') + 1; at < pem.rfind("-----END"); ++at)
    if (pem[at] != '\n') body += pem[at];
  const std::string der = *from_base64(body);
  return {der.substr(33, 256), der.substr(der.size() - 3)};
}

std::string url_base64(std::string_view bytes) {
  std::string out = to_base64(bytes);
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  while (out.ends_with('=')) out.pop_back();
  return out;
}

TEST(Discovery, AKeySetBecomesPemFiles) {
  const auto made = crypto::PrivateKey::generate_rsa(2048);
  ASSERT_TRUE(made) << made.error().render();
  const Numbers numbers = numbers_of(made->public_key());
  const std::string set = fmt::format(R"({{"keys":[{{"kty":"RSA","kid":"theirs-1","n":"{}","e":"{}"}}]}})",
                                      url_base64(numbers.modulus), url_base64(numbers.exponent));
  const auto keys = parse_key_set(set, "set");
  ASSERT_TRUE(keys) << keys.error().render();
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().name, "theirs-1.rsa.pub");
  EXPECT_EQ(keys->front().pem, made->public_key().pem());
}

TEST(Discovery, FaultyKeySetsAreRefused) {
  for (const char* text :
       {"{}", "[]", R"({"keys":[{"kty":"RSA"}]})", R"({"keys":[{"kty":"RSA","kid":"../x","n":"AQ","e":"AQ"}]})",
        R"({"keys":[{"kty":"EC","kid":"x"}]})", R"({"keys":[{"kty":"RSA","kid":"x","n":"","e":""}]})",
        R"({"keys":[{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"}]})"}) {
    const auto keys = parse_key_set(text, "set");
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().kind(), ErrorKind::kInvalid) << text;
  }
}

}  // namespace
}  // namespace nacre::index
