#include "codec/tar.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace nacre;

namespace {

/// What a reader says of the bytes, in one text.
std::string told(std::string_view bytes, std::size_t piece) {
  std::string out;
  codec::TarLimits limits;
  limits.max_entries = 1000;
  limits.max_total_bytes = 1u << 20;
  codec::TarReader reader({[&](const codec::TarHeader& header) -> Result<> {
                             out += fmt::format("\n{} {} {} {:o} {} {} {} {}", header.type, header.path, header.link,
                                                header.mode, header.size, header.uid, header.gid, header.mtime);
                             return {};
                           },
                           [&](std::string_view content) -> Result<> {
                             out += content;
                             return {};
                           }},
                          limits);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!reader.push(bytes.substr(at, piece))) return "refused";
  return reader.finish() ? out : "refused";
}

}  // namespace

// The first byte is the size of the pieces: they change nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (told(bytes, bytes.size() + 1) != told(bytes, data[0] * std::size_t{7} + 1)) std::abort();
  return 0;
}
