#include "codec/gzip.h"

#include <sys/mman.h>
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

using namespace nacre;

namespace {

constexpr std::uint64_t kMost = 1u << 20;

/// Memory that ends where nothing may be read: ISA-L is assembly, which no sanitizer sees into.
class Guarded {
 public:
  Guarded() : begin_(static_cast<char*>(::mmap(nullptr, kSize + kPage, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (begin_ == MAP_FAILED || ::mprotect(begin_ + kSize, kPage, PROT_NONE) != 0) std::abort();
  }
  std::string_view hold(std::string_view bytes) {
    if (bytes.empty()) return {begin_ + kSize, 0};
    char* place = begin_ + kSize - bytes.size();
    std::memcpy(place, bytes.data(), bytes.size());
    return {place, bytes.size()};
  }

 private:
  static constexpr std::size_t kSize = 1u << 20, kPage = 4096;
  char* begin_;
};

struct Inflated {
  bool good = false;
  bool whole = true;  ///< Less than the most came out: the answer is about the bytes alone.
  std::string text;
  std::vector<std::uint64_t> ends;
};

Inflated by_ours(std::string_view bytes, std::size_t piece) {
  static Guarded memory;
  Inflated out;
  codec::GzipReader reader({[&](std::string_view made) -> Result<> {
                              out.text += made;
                              return {};
                            },
                            [&](std::size_t, std::uint64_t end) -> Result<> {
                              out.ends.push_back(end);
                              return {};
                            }},
                           kMost);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (!reader.push(memory.hold(bytes.substr(at, piece)))) return out;
  out.good = reader.finish().has_value();
  return out;
}

Inflated by_zlib(std::string_view bytes) {
  Inflated out;
  std::string buffer(64u << 10, '\0');
  z_stream stream{};
  if (::inflateInit2(&stream, 15 + 16) != Z_OK) std::abort();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int status = Z_OK;
  while (status == Z_OK && out.whole) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.text.append(buffer, 0, buffer.size() - stream.avail_out);
    out.whole = out.text.size() <= kMost;
    if (status != Z_STREAM_END) continue;
    out.ends.push_back(bytes.size() - stream.avail_in);
    out.good = stream.avail_in == 0;
    if (!out.good) status = ::inflateReset(&stream);
  }
  ::inflateEnd(&stream);
  return out;
}

}  // namespace

// The first byte is the size of the pieces. What zlib reads, ISA-L reads alike, member by member; and it reads the same
// whole as in pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Inflated whole = by_ours(bytes, bytes.size() + 1), pieces = by_ours(bytes, data[0] + std::size_t{1});
  if (whole.good != pieces.good) std::abort();
  if (whole.good && (whole.text != pieces.text || whole.ends != pieces.ends)) std::abort();
  const Inflated other = by_zlib(bytes);
  if (!other.whole) return whole.good ? std::abort(), 0 : 0;
  if (other.good && !whole.good) std::abort();
  if (other.good && (other.text != whole.text || other.ends != whole.ends)) std::abort();
  return 0;
}
