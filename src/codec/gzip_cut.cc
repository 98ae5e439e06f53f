#include "codec/gzip_cut.h"

#include "base/little_endian.h"

#include <zlib.h>

#include <algorithm>

namespace nacre::codec {
namespace {

constexpr std::size_t kWindow = 32u << 10;
constexpr std::size_t kMaxTail = 16u << 20;   ///< What may have to be compressed again.
constexpr int kGzip = 15 + 16, kRaw = -15, kLevel = 6;

std::uint32_t crc(std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(before, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// The last boundary so far.
struct Boundary {
  std::uint64_t in = 0, out = 0;
  unsigned unused_bits = 0;    ///< Of the byte before `in`.
  unsigned char last_byte = 0;
  std::string window;
  std::uint32_t crc = 0;
};

}  // namespace

struct GzipCutter::State {
  std::function<Result<>(std::string_view)> on_data;
  std::function<std::uint64_t()> safe;
  std::uint64_t max_bytes = 0;
  z_stream stream{};
  bool ended = false, more_members = false, too_long = false;
  std::uint64_t in = 0, out = 0;
  std::optional<Boundary> boundary;
  std::string tail;            ///< Since the boundary.
  std::uint32_t crc_now = 0;

  void mark(unsigned char last_byte) {
    Boundary next;
    next.in = in;
    next.out = out;
    next.unused_bits = static_cast<unsigned>(stream.data_type) & 7u;
    next.last_byte = last_byte;
    next.window.resize(kWindow);
    uInt size = 0;
    ::inflateGetDictionary(&stream, reinterpret_cast<Bytef*>(next.window.data()), &size);
    next.window.resize(size);
    next.crc = crc_now;
    boundary = std::move(next);
    tail.clear();
    too_long = false;
  }

  Result<> take(std::string_view produced) {
    out += produced.size();
    if (out > max_bytes)
      return Error::make(ErrorKind::kInvalid, "gzip stream inflates to more than {} bytes", max_bytes);
    crc_now = crc(crc_now, produced);
    if (tail.size() + produced.size() > kMaxTail) too_long = true;
    else if (!too_long) tail += produced;
    return on_data(produced);
  }
};

GzipCutter::GzipCutter(std::function<Result<>(std::string_view)> on_data, std::function<std::uint64_t()> safe,
                       std::uint64_t max_bytes)
    : state_(std::make_unique<State>()) {
  state_->on_data = std::move(on_data);
  state_->safe = std::move(safe);
  state_->max_bytes = max_bytes;
  ::inflateInit2(&state_->stream, kGzip);
}
GzipCutter::~GzipCutter() { ::inflateEnd(&state_->stream); }

Result<> GzipCutter::push(std::string_view bytes) {
  State& s = *state_;
  std::string buffer(std::size_t{256} << 10, '\0');
  if (s.ended && !bytes.empty()) s.more_members = true;
  s.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  s.stream.avail_in = static_cast<uInt>(bytes.size());
  const Bytef* begin = s.stream.next_in;
  const std::uint64_t base = s.in;
  while (!s.ended && !s.more_members) {
    s.stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    s.stream.avail_out = static_cast<uInt>(buffer.size());
    const int status = ::inflate(&s.stream, Z_BLOCK);
    s.in = base + static_cast<std::uint64_t>(s.stream.next_in - begin);
    const std::size_t made = buffer.size() - s.stream.avail_out;
    TRY(s.take(std::string_view(buffer).substr(0, made)));
    if (status == Z_STREAM_END) {
      s.ended = true;
      s.more_members = s.stream.avail_in > 0;
      break;
    }
    if (status != Z_OK && status != Z_BUF_ERROR)
      return Error::make(ErrorKind::kInvalid, "gzip stream is broken after {} bytes", s.in);
    const bool at_boundary = (s.stream.data_type & 128) != 0 && (s.stream.data_type & 64) == 0;
    if (at_boundary && s.stream.next_in != begin && s.out <= s.safe()) s.mark(s.stream.next_in[-1]);
    if (s.stream.avail_in == 0 && s.stream.avail_out > 0) break;
  }
  return {};
}

Result<std::optional<GzipCut>> GzipCutter::finish(std::uint64_t keep) {
  State& s = *state_;
  std::optional<GzipCut> none;
  if (!s.ended) return Error::make(ErrorKind::kInvalid, "gzip stream ends inside a member");
  if (s.more_members || s.too_long || !s.boundary || s.boundary->out > keep || keep > s.out) return none;
  const Boundary& at = *s.boundary;
  s.tail.resize(static_cast<std::size_t>(keep - at.out));
  GzipCut cut;
  cut.size = keep;
  cut.offset = at.in - (at.unused_bits > 0 ? 1 : 0);
  z_stream deflate{};
  ::deflateInit2(&deflate, kLevel, Z_DEFLATED, kRaw, 8, Z_DEFAULT_STRATEGY);
  if (!at.window.empty())
    ::deflateSetDictionary(&deflate, reinterpret_cast<const Bytef*>(at.window.data()),
                           static_cast<uInt>(at.window.size()));
  if (at.unused_bits > 0) {
    const int used = static_cast<int>(8 - at.unused_bits);
    ::deflatePrime(&deflate, used, at.last_byte & ((1 << used) - 1));
  }
  cut.ending.resize(::deflateBound(&deflate, static_cast<uLong>(s.tail.size())) + 64);
  deflate.next_in = reinterpret_cast<Bytef*>(s.tail.data());
  deflate.avail_in = static_cast<uInt>(s.tail.size());
  deflate.next_out = reinterpret_cast<Bytef*>(cut.ending.data());
  deflate.avail_out = static_cast<uInt>(cut.ending.size());
  const int status = ::deflate(&deflate, Z_FINISH);
  cut.ending.resize(cut.ending.size() - deflate.avail_out);
  ::deflateEnd(&deflate);
  if (status != Z_STREAM_END) return Error::make(ErrorKind::kInternal, "the end of a gzip member cannot be written");
  append_little_endian(cut.ending, crc(at.crc, s.tail), 4);
  append_little_endian(cut.ending, keep & 0xffffffff, 4);
  return std::optional<GzipCut>(std::move(cut));
}

}  // namespace nacre::codec
