#include "codec/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <future>
#include <thread>

namespace nacre::codec {
namespace {

constexpr std::size_t kBlockBytes = 1u << 20;
constexpr std::size_t kDictionaryBytes = 32u << 10;
constexpr std::string_view kHeader("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);

struct Piece {
  std::string compressed;
  std::uint32_t crc = 0;
  std::uint64_t size = 0;
};

/// One block as raw deflate, primed with what stood before it; the last one closes the stream.
Piece deflate_block(const std::string& dictionary, const std::string& block, int level, bool last) {
  Piece out;
  out.size = block.size();
  out.crc = static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(block.data()), static_cast<uInt>(block.size())));
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  if (!dictionary.empty())
    deflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(dictionary.data()),
                         static_cast<uInt>(dictionary.size()));
  out.compressed.resize(deflateBound(&stream, static_cast<uLong>(block.size())) + 64);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
  stream.avail_in = static_cast<uInt>(block.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.compressed.data());
  stream.avail_out = static_cast<uInt>(out.compressed.size());
  deflate(&stream, last ? Z_FINISH : Z_SYNC_FLUSH);
  out.compressed.resize(out.compressed.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

void append_le32(std::string& out, std::uint64_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 255);
}

}  // namespace

struct GzipWriter::State {
  Sink out;
  Options options;
  std::string pending, dictionary;
  std::deque<std::future<Piece>> running;
  std::uint32_t crc = 0;
  std::uint64_t total = 0;
  bool begun = false;

  std::size_t width() const {
    const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    return static_cast<std::size_t>(std::max(1, options.threads > 0 ? options.threads : cores));
  }

  Result<> start_block(std::string block, bool last) {
    std::string primer = std::move(dictionary);
    dictionary = block.size() >= kDictionaryBytes ? block.substr(block.size() - kDictionaryBytes) : block;
    const auto policy = width() == 1 || (last && running.empty()) ? std::launch::deferred : std::launch::async;
    running.push_back(std::async(policy, [primer = std::move(primer), text = std::move(block),
                                          level = options.level, last] {
      return deflate_block(primer, text, level, last);
    }));
    while (running.size() > width()) TRY(take_one());
    return {};
  }

  Result<> take_one() {
    const Piece piece = running.front().get();
    running.pop_front();
    crc = static_cast<std::uint32_t>(::crc32_combine(crc, piece.crc, static_cast<z_off_t>(piece.size)));
    total += piece.size;
    if (!begun) TRY(out(kHeader));
    begun = true;
    return out(piece.compressed);
  }
};

GzipWriter::GzipWriter(Sink out, Options options) : state_(std::make_unique<State>()) {
  state_->out = std::move(out);
  state_->options = options;
}
GzipWriter::~GzipWriter() = default;
GzipWriter::GzipWriter(GzipWriter&&) noexcept = default;

Result<> GzipWriter::write(std::string_view bytes) {
  State& s = *state_;
  while (!bytes.empty()) {
    // A full block is held back until more comes: only then is it known not to be the last.
    if (s.pending.size() == kBlockBytes) TRY(s.start_block(std::exchange(s.pending, {}), false));
    const std::size_t take = std::min(kBlockBytes - s.pending.size(), bytes.size());
    s.pending.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
  }
  return {};
}

Result<> GzipWriter::finish() {
  State& s = *state_;
  TRY(s.start_block(std::exchange(s.pending, {}), true));
  while (!s.running.empty()) TRY(s.take_one());
  std::string tail;
  append_le32(tail, s.crc);
  append_le32(tail, s.total);
  return s.out(tail);
}

Result<std::string> gzip(std::string_view bytes, int level) {
  std::string out;
  GzipWriter::Options options;
  options.level = level;
  GzipWriter writer(
      [&](std::string_view piece) -> Result<> {
        out.append(piece);
        return {};
      },
      options);
  TRY(writer.write(bytes));
  TRY(writer.finish());
  return out;
}

std::string_view gzip_tar_end() {
  static const std::string kMember = *gzip(std::string(1024, '\0'));
  return kMember;
}

struct GzipReader::State {
  Visitor visitor;
  std::uint64_t max_bytes = 0, produced = 0, consumed = 0;
  std::size_t member = 0;
  z_stream stream{};
  bool open = false, inside = false;

  ~State() {
    if (open) inflateEnd(&stream);
  }

  Result<> begin_member() {
    if (open) inflateReset(&stream);
    else inflateInit2(&stream, 15 + 16);
    open = inside = true;
    return {};
  }

  Result<> deliver(std::string_view bytes) {
    produced += bytes.size();
    if (produced > max_bytes)
      return Error::make(ErrorKind::kInvalid, "gzip stream inflates to more than {} bytes", max_bytes);
    return bytes.empty() || !visitor.on_data ? Result<>{} : visitor.on_data(bytes);
  }
};

GzipReader::GzipReader(Visitor visitor, std::uint64_t max_bytes) : state_(std::make_unique<State>()) {
  state_->visitor = std::move(visitor);
  state_->max_bytes = max_bytes;
}
GzipReader::~GzipReader() = default;
GzipReader::GzipReader(GzipReader&&) noexcept = default;

Result<> GzipReader::push(std::string_view bytes) {
  State& s = *state_;
  char buffer[1 << 16];
  while (!bytes.empty()) {
    if (!s.inside) TRY(s.begin_member());
    const auto size = static_cast<uInt>(std::min<std::size_t>(bytes.size(), 1u << 30));
    s.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    s.stream.avail_in = size;
    int status = Z_OK;
    do {
      s.stream.next_out = reinterpret_cast<Bytef*>(buffer);
      s.stream.avail_out = sizeof buffer;
      status = inflate(&s.stream, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return Error::make(ErrorKind::kInvalid, "gzip member {} is broken: {}", s.member,
                           s.stream.msg != nullptr ? s.stream.msg : "bad data");
      TRY(s.deliver({buffer, sizeof buffer - s.stream.avail_out}));
    } while (status == Z_OK && (s.stream.avail_in > 0 || s.stream.avail_out == 0));
    const std::size_t used = size - s.stream.avail_in;
    s.consumed += used;
    bytes.remove_prefix(used);
    if (status == Z_STREAM_END) {
      s.inside = false;
      const std::size_t index = s.member++;
      if (s.visitor.on_member_end) TRY(s.visitor.on_member_end(index, s.consumed));
    }
  }
  return {};
}

Result<> GzipReader::finish() {
  if (state_->inside || state_->member == 0)
    return Error::make(ErrorKind::kInvalid, "gzip stream stops inside member {}", state_->member);
  return {};
}

Result<std::string> gunzip(std::string_view bytes, std::uint64_t max_bytes) {
  std::string out;
  GzipReader reader({[&](std::string_view piece) -> Result<> {
                       out.append(piece);
                       return {};
                     },
                     {}},
                    max_bytes);
  TRY(reader.push(bytes));
  TRY(reader.finish());
  return out;
}

}  // namespace nacre::codec
