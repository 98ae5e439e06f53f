#include "image/java_truststore.h"

#include "codec/digest.h"

#include <algorithm>
#include <cctype>

namespace nacre::image {
namespace {

// Shape: FEEDFEED, version 2, count; entries (tag, alias, date in ms, for certificates: type, length, DER); SHA-1 over
// password (UTF-16, big endian), a phrase, and all that stands before.
constexpr std::uint32_t kMagic = 0xfeedfeed, kVersion = 2, kPrivateTag = 1, kTrustedTag = 2;
constexpr std::size_t kDigestBytes = 20;
constexpr std::string_view kPassword = "changeit", kPhrase = "Mighty Aphrodite", kType = "X.509";

std::string be(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 255);
  return out;
}

std::string text(std::string_view value) { return be(value.size(), 2) + std::string(value); }

std::string digest(std::string_view body) {
  codec::Hasher hasher(codec::HashKind::kSha1);
  for (const char c : kPassword) hasher.update(std::string{'\0', c});
  hasher.update(kPhrase);
  hasher.update(body);
  return hasher.finish();
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::string_view rest() const { return rest_; }
  Result<std::string_view> take(std::size_t size) {
    if (size > rest_.size()) return Error::make(ErrorKind::kInvalid, "the key store ends early");
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  Result<std::uint64_t> number(std::size_t bytes) {
    const std::string_view found = TRY(take(bytes));
    std::uint64_t out = 0;
    for (const char c : found) out = out << 8 | static_cast<unsigned char>(c);
    return out;
  }
  Result<std::string_view> text() {
    const std::uint64_t size = TRY(number(2));
    return take(size);
  }
  Result<> skip_certificate() {
    TRY(text());
    const std::uint64_t size = TRY(number(4));
    TRY(take(size));
    return {};
  }

 private:
  std::string_view rest_;
};

std::string lower(std::string_view alias) {
  std::string out(alias);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

}  // namespace

Result<JavaTruststore> JavaTruststore::parse(std::string_view bytes) {
  Reader in(bytes);
  const std::uint64_t magic = TRY(in.number(4)), version = TRY(in.number(4)), count = TRY(in.number(4));
  if (magic != kMagic || version != kVersion)
    return Error::make(ErrorKind::kInvalid, "it is no Java key store of version {} (JKS)", kVersion);
  JavaTruststore out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t tag = TRY(in.number(4));
    const std::string_view alias = TRY(in.text());
    const std::string_view before = in.rest();
    TRY(in.take(8));
    if (tag == kPrivateTag) {
      const std::uint64_t size = TRY(in.number(4));
      TRY(in.take(size));
      const std::uint64_t chain = TRY(in.number(4));
      for (std::uint64_t j = 0; j < chain; ++j) TRY(in.skip_certificate());
    } else if (tag == kTrustedTag) {
      TRY(in.skip_certificate());
    } else {
      return Error::make(ErrorKind::kInvalid, "the key store has an entry of kind {}", tag);
    }
    out.entries_[std::string(alias)] =
        be(tag, 4) + std::string(before.substr(0, before.size() - in.rest().size()));
  }
  if (in.rest().size() != kDigestBytes || in.rest() != digest(bytes.substr(0, bytes.size() - kDigestBytes)))
    return Error::make(ErrorKind::kInvalid, "the key store's digest does not fit the password '{}'", kPassword);
  return out;
}

void JavaTruststore::add(std::string_view alias, std::string_view der, std::int64_t date) {
  entries_[lower(alias)] = be(kTrustedTag, 4) + be(static_cast<std::uint64_t>(date) * 1000, 8) + text(kType) +
                           be(der.size(), 4) + std::string(der);
}

std::string JavaTruststore::write() const {
  std::string out = be(kMagic, 4) + be(kVersion, 4) + be(entries_.size(), 4);
  for (const auto& [alias, entry] : entries_) out += entry.substr(0, 4) + text(alias) + entry.substr(4);
  return out + digest(out);
}

}  // namespace nacre::image
