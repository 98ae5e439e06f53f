#include "package/kernel.h"

#include "base/text.h"
#include "codec/archive.h"
#include "codec/gzip.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace nacre::package {
namespace {

constexpr std::uint64_t kMaxUnpacked = std::uint64_t{1} << 30;
constexpr std::string_view kGzipMagic("\x1f\x8b\x08", 3);
constexpr std::string_view kBanner = "Linux version ";

template <class Int>
std::optional<Int> little_endian(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || sizeof(Int) > bytes.size() - offset) return std::nullopt;
  Int out = 0;
  for (std::size_t i = 0; i < sizeof out; ++i)
    out = static_cast<Int>(out | static_cast<Int>(static_cast<unsigned char>(bytes[offset + i])) << 8 * i);
  return out;
}

/// "6.12.57-example SMP …" -> "6.12.57-example".
std::string version_word(std::string_view text) {
  const std::size_t end =
      text.find_first_not_of("0123456789.-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  return std::string(text.substr(0, end));
}

std::string line_at(std::string_view bytes, std::size_t at) {
  const std::string_view rest = bytes.substr(at);
  return std::string(trim(rest.substr(0, std::min(rest.find_first_of(std::string_view("\0\n", 2)), rest.size()))));
}

std::string line_after(std::string_view bytes, std::string_view prefix) {
  const std::size_t at = bytes.find(prefix);
  return at == std::string_view::npos ? std::string() : line_at(bytes, at + prefix.size());
}

/// The text after "Linux version " in a gzip stream that has other bytes behind it.
std::string line_in_gzip(std::string_view bytes, std::string_view prefix) {
  constexpr std::size_t kKept = 512;  // Of what came before: a version line may lie across two pieces.
  std::string window, found;
  codec::GzipReader reader({[&](std::string_view piece) -> Result<> {
                              window.append(piece);
                              const std::size_t at = window.find(prefix);
                              if (at != std::string::npos && window.size() - at >= kKept) {
                                found = line_at(window, at + prefix.size());
                                return Error::make(ErrorKind::kConflict, "found");
                              }
                              if (at == std::string::npos && window.size() > kKept)
                                window.erase(0, window.size() - kKept);
                              return {};
                            },
                            {}},
                           kMaxUnpacked);
  if (!reader.push(bytes) && found.empty()) found = line_after(window, prefix);
  return found;
}

/// https://www.kernel.org/doc/html/latest/arch/x86/boot.html: "HdrS" at 514, the version's offset less 0x200 at 526.
std::string version_in_boot_header(std::string_view image) {
  constexpr std::size_t kMagicAt = 514, kPointerAt = 526, kBase = 0x200;
  if (image.size() < kPointerAt + 2 || image.substr(kMagicAt, 4) != "HdrS") return {};
  const auto pointer = little_endian<std::uint16_t>(image, kPointerAt);
  if (!pointer || *pointer == 0 || kBase + *pointer >= image.size()) return {};
  return line_at(image, kBase + *pointer);
}

/// The .linux section of a portable executable, or nothing.
std::optional<std::string_view> linux_section(std::string_view image) {
  constexpr std::size_t kPointerAt = 0x3c, kFileHeader = 24, kSectionBytes = 40;
  if (!image.starts_with("MZ")) return std::nullopt;
  const auto start = little_endian<std::uint32_t>(image, kPointerAt);
  if (!start || *start > image.size() || image.substr(*start, 4) != std::string_view("PE\0\0", 4)) return std::nullopt;
  const auto count = little_endian<std::uint16_t>(image, std::uint64_t{*start} + 6);
  const auto optional_bytes = little_endian<std::uint16_t>(image, std::uint64_t{*start} + 20);
  if (!count || !optional_bytes) return std::nullopt;
  std::uint64_t at = std::uint64_t{*start} + kFileHeader + *optional_bytes;
  for (unsigned i = 0; i < *count; ++i, at += kSectionBytes) {
    if (at > image.size() || image.size() - at < kSectionBytes) return std::nullopt;
    if (image.substr(at, 8) != std::string_view(".linux\0\0", 8)) continue;
    const auto size = little_endian<std::uint32_t>(image, at + 16);
    const auto offset = little_endian<std::uint32_t>(image, at + 20);
    if (*offset > image.size() || *size > image.size() - *offset) return std::nullopt;
    return image.substr(*offset, *size);
  }
  return std::nullopt;
}

}  // namespace

std::string kernel_version(std::string_view image) {
  std::string unpacked;
  if (image.starts_with(kGzipMagic)) {
    auto plain = codec::gunzip(image, kMaxUnpacked);
    if (!plain) return {};
    unpacked = *std::move(plain);
    image = unpacked;
  } else if (const auto section = linux_section(image)) {
    image = *section;
  }
  if (const std::string version = version_in_boot_header(image); !version.empty()) return version_word(version);
  if (const std::size_t at = image.find(kGzipMagic); at != std::string_view::npos)
    if (const std::string version = line_in_gzip(image.substr(at), kBanner); !version.empty())
      return version_word(version);
  return version_word(line_after(image, kBanner));
}

std::string module_kernel(std::string_view module) {
  const auto plain = codec::plain_text(std::string(module), "kernel module", kMaxUnpacked);
  return plain ? version_word(line_after(*plain, "vermagic=")) : std::string();
}

}  // namespace nacre::package
