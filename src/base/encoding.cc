#include "base/encoding.h"

#include <array>
#include <cstdint>

namespace nacre {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

unsigned byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string out(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kHexDigits[byte_at(bytes, i) >> 4];
    out[2 * i + 1] = kHexDigits[byte_at(bytes, i) & 15];
  }
  return out;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0)
    return Error::make(ErrorKind::kInvalid, "hexadecimal text has an odd length, {}", text.size());
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0)
      return Error::make(ErrorKind::kInvalid, "'{}' is not hexadecimal", text.substr(i, 2));
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  char* at = out.data();
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned word = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
    for (const unsigned shift : {18u, 12u, 6u, 0u}) *at++ = kBase64Digits[word >> shift & 63];
  }
  if (i == bytes.size()) return out;
  const bool two = i + 1 < bytes.size();
  const unsigned word = byte_at(bytes, i) << 16 | (two ? byte_at(bytes, i + 1) << 8 : 0);
  *at++ = kBase64Digits[word >> 18 & 63];
  *at++ = kBase64Digits[word >> 12 & 63];
  if (two) *at = kBase64Digits[word >> 6 & 63];
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return Error::make(ErrorKind::kInvalid, "base64 text has length {}, not a multiple of 4",
                       text.size());
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
    unsigned word = 0;
    for (std::size_t k = 0; k < 4 - padding; ++k) {
      const std::size_t digit = kBase64Digits.find(text[i + k]);
      if (digit == std::string_view::npos)
        return Error::make(ErrorKind::kInvalid, "'{}' is not base64", text.substr(i, 4));
      word |= static_cast<unsigned>(digit) << (18 - 6 * k);
    }
    out += static_cast<char>(word >> 16 & 255);
    if (padding < 2) out += static_cast<char>(word >> 8 & 255);
    if (padding < 1) out += static_cast<char>(word & 255);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       kUnreserved.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

}  // namespace nacre
