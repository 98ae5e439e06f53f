#include "codec/gzip_pieces.h"

#include "base/little_endian.h"
#include "base/parallel.h"

#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace nacre::codec {
namespace {

constexpr int kLevel = 6;
constexpr std::size_t kFixedHeader = 10, kTrailer = 8;
constexpr std::size_t kFieldHeader = 4, kRow = 16, kMaxExtra = 65535;
constexpr std::size_t kMaxPieces = (kMaxExtra - kFieldHeader) / kRow;
constexpr std::string_view kField = "np";
constexpr std::string_view kLastBlock("\x03\x00", 2);  ///< Empty, and the last.

std::uint32_t get(std::string_view bytes, std::size_t at, unsigned count) {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < count; ++i)
    out |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return out;
}

Bytef* input(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

/// A compressor, which one thread uses again and again: making one costs more than a small piece.
class Stream {
 public:
  Stream() { deflateInit2(&stream_, kLevel, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
  Stream(const Stream&) = delete;
  ~Stream() { deflateEnd(&stream_); }

  GzipPiece piece_of(std::string_view text) {
    GzipPiece out;
    out.size = static_cast<std::uint32_t>(text.size());
    out.crc = static_cast<std::uint32_t>(::crc32(0, input(text), static_cast<uInt>(text.size())));
    deflateReset(&stream_);
    out.bytes.resize(deflateBound(&stream_, static_cast<uLong>(text.size())) + 64);
    stream_.next_in = input(text);
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.bytes.data());
    stream_.avail_out = static_cast<uInt>(out.bytes.size());
    deflate(&stream_, Z_FULL_FLUSH);
    out.bytes.resize(out.bytes.size() - stream_.avail_out);
    return out;
  }

 private:
  z_stream stream_{};
};

/// Inflates up to `room` bytes; how far it came.
struct Inflated {
  std::string text;
  bool whole = false;  ///< The input was taken to its end, which is that of a block, and of a byte.
};
Result<Inflated> inflate_some(std::string_view bytes, std::size_t room) {
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return Error::make(ErrorKind::kInternal, "inflateInit2 failed");
  Inflated out;
  out.text.resize(room);
  stream.next_in = input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.text.data());
  stream.avail_out = static_cast<uInt>(room);
  const int status = ::inflate(&stream, Z_SYNC_FLUSH);
  out.text.resize(room - stream.avail_out);
  // zlib.h: 128 between two blocks, 64 in the last one, below that how many bits of a byte are left.
  out.whole = stream.avail_in == 0 && status == Z_OK && stream.data_type == 128;
  const bool broken = status != Z_OK && status != Z_BUF_ERROR;
  inflateEnd(&stream);
  if (broken) return Error::make(ErrorKind::kInvalid, "a piece of the gzip member is broken");
  return out;
}

}  // namespace

GzipPieceView view_of(const GzipPiece& piece) { return {piece.bytes, piece.size, piece.crc, piece.items}; }

std::vector<GzipPiece> deflate_pieces(std::span<const std::string_view> texts) {
  std::vector<GzipPiece> out(texts.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    Stream stream;
    for (std::size_t i = next++; i < texts.size(); i = next++) out[i] = stream.piece_of(texts[i]);
  };
  // A thread is not worth it for a few.
  const std::size_t threads = std::min<std::size_t>(worker_count(), texts.size() / 8);
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return out;
}

std::string join_pieces(std::span<const GzipPieceView> pieces, PieceTable table) {
  const bool tabled = table == PieceTable::kYes && pieces.size() <= kMaxPieces;
  std::size_t total = kFixedHeader + 2 + kFieldHeader + pieces.size() * kRow + kLastBlock.size() + kTrailer;
  for (const GzipPieceView& piece : pieces) total += piece.bytes.size();
  std::string out;
  out.reserve(total);
  out += std::string_view("\x1f\x8b\x08", 3);
  out += tabled ? '\x04' : '\0';
  out += std::string_view("\0\0\0\0\0\xff", 6);
  if (tabled) {
    append_little_endian(out, kFieldHeader + pieces.size() * kRow, 2);
    out += kField;
    append_little_endian(out, pieces.size() * kRow, 2);
    for (const GzipPieceView& piece : pieces) {
      append_little_endian(out, static_cast<std::uint32_t>(piece.bytes.size()), 4);
      append_little_endian(out, piece.size, 4);
      append_little_endian(out, piece.crc, 4);
      append_little_endian(out, piece.items, 4);
    }
  }
  uLong crc = 0;
  std::uint64_t size = 0;
  for (const GzipPieceView& piece : pieces) {
    out += piece.bytes;
    crc = ::crc32_combine(crc, piece.crc, static_cast<z_off_t>(piece.size));
    size += piece.size;
  }
  out += kLastBlock;
  append_little_endian(out, static_cast<std::uint32_t>(crc), 4);
  append_little_endian(out, static_cast<std::uint32_t>(size), 4);
  return out;
}

std::optional<std::vector<GzipPieceView>> split_pieces(std::string_view member) {
  if (member.size() < kFixedHeader + 2 + kFieldHeader + kLastBlock.size() + kTrailer ||
      !member.starts_with(std::string_view("\x1f\x8b\x08\x04", 4)))
    return std::nullopt;
  std::size_t at = kFixedHeader;
  const std::size_t extra = get(member, at, 2);
  at += 2;
  if (extra < kFieldHeader || extra > member.size() - at || member.substr(at, 2) != kField) return std::nullopt;
  const std::size_t rows = get(member, at + 2, 2);
  if (rows + kFieldHeader != extra || rows % kRow != 0) return std::nullopt;
  at += kFieldHeader;
  std::size_t begin = at + rows, size = 0;
  std::vector<GzipPieceView> out;
  for (std::size_t row = at; row < at + rows; row += kRow) {
    const std::size_t length = get(member, row, 4);
    if (length > member.size() - begin) return std::nullopt;
    out.push_back({member.substr(begin, length), get(member, row + 4, 4), get(member, row + 8, 4),
                   get(member, row + 12, 4)});
    // Deflate makes at most 1,032 bytes of one: no table asks for more memory than that.
    if (out.back().size > length * 1032) return std::nullopt;
    begin += length;
    size += out.back().size;
  }
  const bool whole = member.size() - begin == kLastBlock.size() + kTrailer &&
                     member.substr(begin, kLastBlock.size()) == kLastBlock &&
                     get(member, member.size() - 4, 4) == static_cast<std::uint32_t>(size);
  return whole ? std::optional(std::move(out)) : std::nullopt;
}

Result<std::string> inflate_piece(const GzipPieceView& piece) {
  // One byte more than it should be, so that too much is seen.
  Inflated out = TRY(inflate_some(piece.bytes, std::size_t{piece.size} + 1));
  if (!out.whole || out.text.size() != piece.size ||
      ::crc32(0, input(out.text), static_cast<uInt>(out.text.size())) != piece.crc)
    return Error::make(ErrorKind::kInvalid, "a piece of the gzip member is not what its table says");
  return std::move(out.text);
}

Result<std::string> inflate_beginning(const GzipPieceView& piece, std::size_t max_bytes) {
  Inflated out = TRY(inflate_some(piece.bytes, std::min<std::size_t>(max_bytes, piece.size)));
  return std::move(out.text);
}

}  // namespace nacre::codec
