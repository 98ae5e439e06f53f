#include <algorithm>
#include <array>

#include "net/grpc.h"

namespace nacre::net {
namespace {

constexpr std::size_t kHead = 5;  // one byte for compression, four for the length

std::size_t length_in(std::string_view head) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < kHead; ++i) length = length << 8 | static_cast<unsigned char>(head[i]);
  return length;
}

constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

ErrorKind kind_of(GrpcCode code) {
  switch (code) {
    case GrpcCode::kNotFound: return ErrorKind::kNotFound;
    case GrpcCode::kPermissionDenied:
    case GrpcCode::kUnauthenticated: return ErrorKind::kDenied;
    case GrpcCode::kInvalidArgument:
    case GrpcCode::kOutOfRange:
    case GrpcCode::kUnimplemented: return ErrorKind::kInvalid;
    default: return ErrorKind::kUnavailable;
  }
}

}  // namespace

std::string_view name_of(GrpcCode code) {
  const auto number = static_cast<std::size_t>(code);
  return number < kNames.size() ? kNames[number] : "UNKNOWN";
}

GrpcCode grpc_code(std::uint64_t number) {
  return number < kNames.size() ? static_cast<GrpcCode>(number) : GrpcCode::kUnknown;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out(text.substr(0, max_bytes));
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = ' ';
  return out;
}

Error GrpcStatus::error() const {
  return Error::make(kind_of(code), "the server says {}{}{}", name_of(code), message.empty() ? "" : ": ", message);
}

std::string grpc_frame(std::string_view message) {
  std::string out(kHead, '\0');
  for (std::size_t i = 1; i < kHead; ++i) out[i] = static_cast<char>(message.size() >> (8 * (kHead - 1 - i)) & 255);
  out += message;
  return out;
}

GrpcFrames::GrpcFrames(std::size_t max_message_bytes, std::uint64_t max_bytes,
                       std::function<Result<>(std::string_view message)> on_message)
    : max_message_bytes_(max_message_bytes), left_(max_bytes), on_message_(std::move(on_message)) {}

Result<> GrpcFrames::push(std::string_view bytes) {
  if (bytes.size() > left_) return Error::make(ErrorKind::kInvalid, "the answer is longer than it may be");
  left_ -= bytes.size();
  pending_ += bytes;
  std::string_view rest = pending_;
  while (rest.size() >= kHead) {
    if (rest[0] != 0)
      return Error::make(ErrorKind::kInvalid,
                         "a message of the answer is marked {}, where 0 (not compressed) was asked",
                         static_cast<int>(static_cast<unsigned char>(rest[0])));
    const std::size_t length = length_in(rest);
    if (length > max_message_bytes_)
      return Error::make(ErrorKind::kInvalid, "a message of the answer has {} bytes, at most {} were expected", length,
                         max_message_bytes_);
    if (rest.size() - kHead < length) break;
    TRY(on_message_(rest.substr(kHead, length)));
    rest.remove_prefix(kHead + length);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return {};
}

Result<> GrpcFrames::finish() const {
  if (pending_.empty()) return {};
  return Error::make(ErrorKind::kInvalid, "the answer stopped inside a message");
}

Result<GrpcChannel::Reply> GrpcChannel::ask(const std::string& method, std::string request, std::stop_token stop,
                                            std::size_t max_message_bytes) {
  Reply reply;
  bool sent = false, came = false;
  GrpcCall call;
  call.method = method;
  call.body_bytes = grpc_frame_size(request.size());
  call.max_message_bytes = max_message_bytes;
  call.max_bytes = max_message_bytes + kHead;
  call.next = [&]() -> Result<std::optional<std::string>> {
    if (std::exchange(sent, true)) return std::optional<std::string>();
    return std::optional(std::move(request));
  };
  call.on_message = [&](std::string_view message) -> Result<> {
    if (std::exchange(came, true)) return Error::make(ErrorKind::kInvalid, "more than one message was answered");
    reply.message = message;
    return {};
  };
  reply.status = TRY(this->call(call, std::move(stop)));
  if (reply.status.ok() && !came) reply.status = {GrpcCode::kInternal, "the answer to " + method + " has no message"};
  return reply;
}

}  // namespace nacre::net
