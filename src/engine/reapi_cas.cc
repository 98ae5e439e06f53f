#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "codec/digest.h"
#include "engine/pause.h"
#include "engine/reapi.h"
#include "engine/wire.h"

namespace nacre::engine {
namespace {

using net::GrpcCode;
using net::GrpcStatus;

constexpr std::string_view kCasService = "build.bazel.remote.execution.v2.ContentAddressableStorage/";
constexpr std::uint64_t kMaxBatch = (4u << 20) - (64u << 10);  ///< gRPC servers refuse messages of more than 4 MiB.
constexpr std::uint64_t kRowOverhead = 128;                    ///< A digest, and heads of fields.
constexpr std::size_t kDigestsAtOnce = 10'000, kPiece = 1u << 20;

/// Trouble that may be over soon.
bool may_pass(GrpcCode code) {
  switch (code) {
    case GrpcCode::kUnavailable:
    case GrpcCode::kDeadlineExceeded:
    case GrpcCode::kResourceExhausted:
    case GrpcCode::kAborted:
    case GrpcCode::kInternal:
    case GrpcCode::kUnknown:
    case GrpcCode::kCancelled: return true;
    default: return false;
  }
}

/// A name for one upload: the API wants a UUID, and only asks that no two are the same.
std::string upload_id() {
  unsigned char bytes[16] = {};
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) bytes[0] = 1;
  bytes[6] = static_cast<unsigned char>(bytes[6] % 16 + 0x40);
  bytes[8] = static_cast<unsigned char>(bytes[8] % 64 + 0x80);
  std::string out;
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += fmt::format("{:02x}", bytes[i]);
  }
  return out;
}

/// A blob's content from some offset on, hashed by nobody: put_stream compares what the server counted.
class Source {
 public:
  static Result<Source> open(const Blob& blob) {
    Source out(blob);
    if (blob.file.empty()) return out;
    out.file_ = os::Fd(::open(blob.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!out.file_) return os::system_error(errno, fmt::format("open '{}'", blob.file.string()));
    return out;
  }
  Result<std::string> piece(std::uint64_t offset) const {
    const std::uint64_t size = std::min<std::uint64_t>(kPiece, blob_->digest.size - offset);
    if (!file_) return blob_->bytes.substr(offset, size);
    std::string out(size, '\0');
    for (std::size_t done = 0; done < out.size();) {
      const ssize_t got = ::pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os::system_error(errno, fmt::format("read '{}'", blob_->file.string()));
      if (got == 0)
        return Error::make(ErrorKind::kInvalid, "'{}' became shorter while it was sent", blob_->file.string());
      done += static_cast<std::size_t>(got);
    }
    return out;
  }

 private:
  explicit Source(const Blob& blob) : blob_(&blob) {}
  const Blob* blob_;
  os::Fd file_;
};

/// One WriteRequest without its data.
WireWriter piece_head(const std::string& name, std::uint64_t offset, std::uint64_t bytes, std::uint64_t whole) {
  WireWriter out;
  if (offset == 0) out.text(1, name);
  out.number(2, offset).flag(3, offset + bytes == whole);
  return out;
}

/// How many bytes it has with its data.
std::uint64_t piece_size(const std::string& name, std::uint64_t offset, std::uint64_t bytes, std::uint64_t whole) {
  std::uint64_t length_bytes = 1;
  for (std::uint64_t left = bytes; left > 127; left >>= 7) ++length_bytes;
  return piece_head(name, offset, bytes, whole).take().size() + 1 + length_bytes + bytes;
}

/// A small blob's whole content. kDenied when a file changed since its digest was taken.
Result<std::string> content_of(const Blob& blob) {
  if (blob.file.empty()) return blob.bytes;
  std::string bytes = TRY(os::read_file(blob.file, blob.digest.size));
  if (digest_of(bytes) != blob.digest)
    return Error::make(ErrorKind::kDenied, "'{}' is no longer what it was", blob.file.string());
  return bytes;
}

}  // namespace

ReapiCas::ReapiCas(net::GrpcChannel& channel, std::string instance, std::stop_token stop, Patience patience)
    : channel_(channel),
      instance_(std::move(instance)),
      stop_(std::move(stop)),
      patience_(patience),
      max_batch_bytes_(kMaxBatch) {}

void ReapiCas::limit_batches(std::uint64_t max_bytes) {
  if (max_bytes >= (64u << 10)) max_batch_bytes_ = std::min(kMaxBatch, max_bytes);
}

Result<std::vector<Digest>> ReapiCas::missing(std::span<const Digest> digests) {
  const std::set<Digest> asked(digests.begin(), digests.end());
  const std::vector<Digest> all(asked.begin(), asked.end());
  std::vector<Digest> out;
  for (std::size_t at = 0; at < all.size(); at += kDigestsAtOnce) {
    WireWriter request;
    request.text(1, instance_);
    for (std::size_t i = at; i < std::min(all.size(), at + kDigestsAtOnce); ++i) request.message(2, to_wire(all[i]));
    const std::string bytes = request.take();
    Pause pause(patience_);
    while (true) {
      auto reply = TRY(channel_.ask(std::string(kCasService) + "FindMissingBlobs", bytes, stop_));
      if (!reply.status.ok()) {
        if (!may_pass(reply.status.code) || !pause.again(stop_)) return reply.status.error();
        continue;
      }
      const std::vector<Digest> found = TRY(digests_from_wire(reply.message, 2));
      for (const Digest& digest : found) {
        if (!asked.contains(digest))
          return Error::make(ErrorKind::kDenied, "the engine misses {}, which it was not asked for", digest.hash.oci());
        out.push_back(digest);
      }
      break;
    }
  }
  return out;
}

Result<> ReapiCas::put(std::span<const Blob> blobs) {
  std::vector<const Blob*> batch;
  std::uint64_t bytes = 0;
  for (const Blob& blob : blobs) {
    const std::uint64_t cost = blob.digest.size + kRowOverhead;
    if (cost > max_batch_bytes_) {
      TRY(put_stream(blob), "sending {}", blob.digest.hash.oci());
      continue;
    }
    if (bytes + cost > max_batch_bytes_) {
      TRY(put_batch(batch));
      batch.clear();
      bytes = 0;
    }
    batch.push_back(&blob);
    bytes += cost;
  }
  if (batch.empty()) return {};
  return put_batch(batch);
}

Result<> ReapiCas::put_batch(std::span<const Blob* const> blobs) {
  std::set<Digest> left;
  WireWriter request;
  request.text(1, instance_);
  for (const Blob* blob : blobs) {
    if (!left.insert(blob->digest).second) continue;
    const std::string bytes = TRY(content_of(*blob));
    request.message(2, WireWriter().message(1, to_wire(blob->digest)).text(2, bytes).take());
  }
  const std::string bytes = request.take();
  Pause pause(patience_);
  while (true) {
    auto reply = TRY(channel_.ask(std::string(kCasService) + "BatchUpdateBlobs", bytes, stop_));
    GrpcStatus trouble = reply.status;
    if (trouble.ok()) {
      const std::vector<BatchRow> rows = TRY(batch_rows_from_wire(reply.message));
      for (const BatchRow& row : rows)
        if (row.status.code == 0) left.erase(row.digest);
        else trouble = {static_cast<GrpcCode>(row.status.code), row.status.message};
      if (left.empty()) return {};
      if (trouble.ok())
        return Error::make(ErrorKind::kUnavailable, "the engine does not say whether it took {} blobs", left.size());
    }
    if (!may_pass(trouble.code) || !pause.again(stop_)) return trouble.error();
  }
}

Result<> ReapiCas::put_stream(const Blob& blob) {
  Pause pause(patience_);
  while (true) {
    std::uint64_t committed = 0;
    const GrpcStatus status = TRY(send_stream(blob, committed));
    if (status.code == GrpcCode::kAlreadyExists) return {};
    if (status.ok() && committed == blob.digest.size) return {};
    if (status.ok()) {  // servers say all kinds of things when another client sent the same meanwhile
      const std::vector<Digest> lacks = TRY(missing(std::span(&blob.digest, 1)));
      if (lacks.empty()) return {};
      if (!pause.again(stop_))
        return Error::make(ErrorKind::kUnavailable, "the engine took {} of {} bytes", committed, blob.digest.size);
      continue;
    }
    if (!may_pass(status.code) || !pause.again(stop_)) return status.error();
  }
}

Result<GrpcStatus> ReapiCas::send_stream(const Blob& blob, std::uint64_t& committed) {
  const Source source = TRY(Source::open(blob));
  const std::string name = fmt::format("{}uploads/{}/blobs/{}", prefix(), upload_id(), blob.digest.str());
  const std::uint64_t size = blob.digest.size;
  std::uint64_t offset = 0;
  bool finished = false;
  net::GrpcCall call;
  for (std::uint64_t at = 0; at < size; at += kPiece)
    call.body_bytes += net::grpc_frame_size(piece_size(name, at, std::min<std::uint64_t>(kPiece, size - at), size));
  call.method = "google.bytestream.ByteStream/Write";
  call.max_message_bytes = call.max_bytes = 64u << 10;
  call.silence_seconds = patience_.silence_seconds;
  call.next = [&]() -> Result<std::optional<std::string>> {
    if (finished) return std::optional<std::string>();
    const std::string piece = TRY(source.piece(offset));
    std::string message = piece_head(name, offset, piece.size(), size).text(10, piece).take();
    offset += piece.size();
    finished = offset == size;
    return std::optional(std::move(message));
  };
  call.on_message = [&](std::string_view message) {
    return read_fields(message, [&](const WireField& field) -> Result<> {
      if (field.number == 1) committed = field.value;
      return {};
    });
  };
  return channel_.call(call, stop_);
}

Result<> ReapiCas::read(const Digest& digest, const Sink& sink) {
  if (digest.size == 0) return {};
  std::uint64_t offset = 0;
  Pause pause(patience_);
  while (true) {
    bool moved = false;
    net::GrpcCall call;
    call.method = "google.bytestream.ByteStream/Read";
    call.max_bytes = digest.size - offset + digest.size / 64 + (4u << 20);  // and heads of messages
    call.silence_seconds = patience_.silence_seconds;
    const std::string request =
        WireWriter().text(1, fmt::format("{}blobs/{}", prefix(), digest.str())).number(2, offset).take();
    call.body_bytes = net::grpc_frame_size(request.size());
    bool sent = false;
    call.next = [&]() -> Result<std::optional<std::string>> {
      if (std::exchange(sent, true)) return std::optional<std::string>();
      return std::optional(request);
    };
    call.on_message = [&](std::string_view message) {
      return read_fields(message, [&](const WireField& field) -> Result<> {
        if (field.number != 10 || !field.is_bytes) return {};
        offset += field.bytes.size();
        moved = moved || !field.bytes.empty();
        return sink(field.bytes);
      });
    };
    const GrpcStatus status = TRY(channel_.call(call, stop_));
    if (moved) pause.reset();
    if (status.ok()) {  // cut off, or a lie, which fetch() finds
      if (offset >= digest.size || !pause.again(stop_)) return {};
      continue;
    }
    if (offset >= digest.size || !may_pass(status.code) || !pause.again(stop_)) return status.error();
  }
}

}  // namespace nacre::engine
