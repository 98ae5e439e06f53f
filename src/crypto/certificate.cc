#include "crypto/certificate.h"

#include "base/encoding.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/x509.h>

namespace nacre::crypto {
namespace {

constexpr std::size_t kMaxPemBytes = 1u << 20;
constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";

struct Block {
  std::string label, der;
  std::size_t end = 0;  ///< Just past it.
};

/// The next block at or after `at`; an empty label when there is none.
Result<Block> next_block(std::string_view text, std::size_t at) {
  Block out;
  const std::size_t begin = text.find(kBegin, at);
  if (begin == std::string_view::npos) return out;
  const std::size_t label_end = text.find(kDashes, begin + kBegin.size());
  if (label_end == std::string_view::npos) return Error::make(ErrorKind::kInvalid, "a PEM block has no label");
  out.label = text.substr(begin + kBegin.size(), label_end - begin - kBegin.size());
  const std::string closing = fmt::format("{}{}{}", kEnd, out.label, kDashes);
  const std::size_t body = label_end + kDashes.size(), close = text.find(closing, body);
  if (close == std::string_view::npos)
    return Error::make(ErrorKind::kInvalid, "the PEM block '{}' does not end", out.label);
  out.der = TRY(from_base64(join(split_words(text.substr(body, close - body)), "")), "reading the PEM block '{}'",
                out.label);
  out.end = close + closing.size();
  return out;
}

}  // namespace

Result<std::string> certificate_der(std::string_view pem) {
  if (pem.size() > kMaxPemBytes)
    return Error::make(ErrorKind::kInvalid, "a certificate of {} bytes is longer than {}", pem.size(), kMaxPemBytes);
  Block block = TRY(next_block(pem, 0));
  if (block.label.empty()) return Error::make(ErrorKind::kInvalid, "there is no PEM block in it");
  if (block.label != "CERTIFICATE")
    return Error::make(ErrorKind::kInvalid, "expected a CERTIFICATE, found a block '{}'", block.label);
  const Block second = TRY(next_block(pem, block.end));
  if (!second.label.empty())
    return Error::make(ErrorKind::kInvalid, "it holds more than one block").hint("give each certificate a name");
  const auto* bytes = reinterpret_cast<const unsigned char*>(block.der.data());
  const unsigned char* at = bytes;
  X509* parsed = d2i_X509(nullptr, &at, static_cast<long>(block.der.size()));
  X509_free(parsed);
  ERR_clear_error();
  if (parsed == nullptr || at != bytes + block.der.size())
    return Error::make(ErrorKind::kInvalid, "the block CERTIFICATE holds no X.509 certificate");
  return std::move(block.der);
}

std::string pem_block(std::string_view label, std::string_view der) {
  constexpr std::size_t kLine = 64;
  const std::string text = to_base64(der);
  std::string out = fmt::format("{}{}{}\n", kBegin, label, kDashes);
  for (std::size_t i = 0; i < text.size(); i += kLine) out += text.substr(i, kLine) + "\n";
  return out + fmt::format("{}{}{}\n", kEnd, label, kDashes);
}

}  // namespace nacre::crypto
