#include "index/discovery.h"

#include <algorithm>

#include "base/encoding.h"
#include "codec/json.h"
#include "crypto/key.h"

namespace nacre::index {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxAnswer = 1u << 20;
constexpr std::size_t kMaxKeys = 64, kMaxName = 128;

/// Base64 as web tokens have it: '-' and '_', no padding.
Result<std::string> from_base64_url(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  return from_base64(text);
}

constexpr char kDerInteger = 0x02, kDerBitString = 0x03, kDerSequence = 0x30;
constexpr std::size_t kPemLine = 64;

/// Tag, length and content.
std::string der_value(char tag, const std::string& content) {
  std::string length;
  for (std::size_t left = content.size(); left > 0; left >>= 8) length.insert(0, 1, static_cast<char>(left & 0xff));
  if (content.size() < 0x80) length = std::string(1, static_cast<char>(content.size()));
  else length.insert(0, 1, static_cast<char>(0x80 | length.size()));
  return tag + length + content;
}

/// A number that is not negative, from its bytes.
std::string der_number(std::string_view bytes) {
  while (bytes.size() > 1 && bytes.front() == '\0') bytes.remove_prefix(1);
  const bool high = !bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0x80) != 0;
  return der_value(kDerInteger, (high ? std::string(1, '\0') : std::string()) + std::string(bytes));
}

/// SubjectPublicKeyInfo: SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { SEQUENCE { n, e } } }
Result<crypto::PublicKey> rsa_key(std::string_view modulus, std::string_view exponent) {
  constexpr std::string_view kAlgorithm("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);
  const std::string numbers = der_value(kDerSequence, der_number(modulus) + der_number(exponent));
  const std::string body = to_base64(
      der_value(kDerSequence, std::string(kAlgorithm) + der_value(kDerBitString, std::string(1, '\0') + numbers)));
  std::string pem = "-----BEGIN PUBLIC KEY-----\n";
  for (std::size_t at = 0; at < body.size(); at += kPemLine) pem += body.substr(at, kPemLine) + "\n";
  auto key = crypto::PublicKey::from_pem(pem + "-----END PUBLIC KEY-----\n");
  if (!key) return Error::make(ErrorKind::kInvalid, "its numbers make no RSA key that nacre takes");
  return key;
}

bool fits_a_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 ||
                  std::string_view("._-@+").find(static_cast<char>(c)) != std::string_view::npos;
         });
}

}  // namespace

Result<std::vector<TrustedKey>> parse_key_set(std::string_view text, std::string_view source) {
  const Json set = TRY(codec::parse_json(text, source));
  if (!set["keys"].is_array())
    return Error::make(ErrorKind::kInvalid, "'{}' is no key set: it has no list 'keys'", source);
  if (set["keys"].items().size() > kMaxKeys)
    return Error::make(ErrorKind::kInvalid, "'{}' holds more than {} keys", source, kMaxKeys);
  std::vector<TrustedKey> out;
  for (const Json& row : set["keys"].items()) {
    const std::string& id = row["kid"].as_string();
    if (!fits_a_file_name(id))
      return Error::make(ErrorKind::kInvalid, "'{}' has a key called '{}', which is no file name", source,
                         id.substr(0, kMaxName));
    if (row["kty"].as_string() != "RSA")
      return Error::make(ErrorKind::kInvalid, "the key '{}' of '{}' is of kind '{}', and apk knows RSA alone", id,
                         source, row["kty"].as_string());
    const std::string modulus = TRY(from_base64_url(row["n"].as_string()), "reading the key '{}' of '{}'", id, source);
    const std::string exponent = TRY(from_base64_url(row["e"].as_string()), "reading the key '{}' of '{}'", id, source);
    const crypto::PublicKey key = TRY(rsa_key(modulus, exponent), "reading the key '{}' of '{}'", id, source);
    out.push_back({id + ".rsa.pub", key.pem()});
  }
  return out;
}

Result<std::vector<DiscoveredKey>> discover_keys(const std::string& repository, const Fetcher& fetcher) {
  std::vector<DiscoveredKey> out;
  const RepositoryLine line = TRY(parse_repository_line(repository));
  if (!is_address(line.base)) return out;
  const std::string who = safe_place(line.base), place = line.base + "/apk-configuration";
  const auto text = TRY(fetcher.read_if_there(place, kMaxAnswer), "asking '{}' for its keys", who);
  if (!text) return out;
  const Json configuration = TRY(codec::parse_json(*text, safe_place(place)));
  const std::string& keys_at = configuration["jwks_uri"].as_string();
  if (!is_address(keys_at))
    return Error::make(ErrorKind::kInvalid, "'{}' names no key set: 'jwks_uri' is '{}'", safe_place(place), keys_at);
  if (line.base.starts_with("https://") && !keys_at.starts_with("https://"))
    return Error::make(ErrorKind::kInvalid, "'{}' names its keys over http: '{}'", safe_place(place),
                       safe_place(keys_at));
  const std::string set = TRY(fetcher.read(keys_at, kMaxAnswer), "fetching the keys of '{}'", who);
  const std::vector<TrustedKey> keys = TRY(parse_key_set(set, safe_place(keys_at)));
  for (const TrustedKey& key : keys) {
    const crypto::PublicKey parsed = TRY(crypto::PublicKey::from_pem(key.pem));
    out.push_back({key, parsed.fingerprint(), who});
  }
  return out;
}

}  // namespace nacre::index
