#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nacre::net {

/// How a call ended, as the server (or, for kUnavailable, the way to it) says. Numbers of gRPC's status codes.
enum class GrpcCode {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

std::string_view name_of(GrpcCode code);   ///< "NOT_FOUND"; "UNKNOWN" for numbers that are none.
GrpcCode grpc_code(std::uint64_t number);  ///< kUnknown for numbers that are none.
/// Of text of a server: bytes that would move a terminal's cursor become blanks; cut at `max_bytes`.
std::string printable(std::string_view text, std::size_t max_bytes);

struct GrpcStatus {
  GrpcCode code = GrpcCode::kOk;
  std::string message;  ///< Printable, bounded.
  bool ok() const { return code == GrpcCode::kOk; }
  /// kNotFound, kDenied, kInvalid or kUnavailable, with the code's name and the message.
  Error error() const;
};

/// One call: messages go out, messages come in. Never both at once in turns: no method that nacre uses needs that.
struct GrpcCall {
  std::string method;  ///< "google.bytestream.ByteStream/Read"
  /// The next message to send; nothing when there is no more.
  std::function<Result<std::optional<std::string>>()> next;
  /// Sum of grpc_frame_size() of all of them, so that the last byte also ends what is sent: a server may answer to the
  /// last message, and libcurl 7.88 may lose an answer that comes while the end is still to be sent.
  std::uint64_t body_bytes = 0;
  /// Every message that arrives. An error ends the call, and is its result.
  std::function<Result<>(std::string_view message)> on_message;
  std::size_t max_message_bytes = 8u << 20;          ///< Of one that arrives; more is kInvalid.
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  ///< Of all that arrive.
  double silence_seconds = 60;                       ///< Without a byte in either direction: kUnavailable.
};

/// Calls to one server. Safe to use from several threads.
class GrpcChannel {
 public:
  virtual ~GrpcChannel() = default;
  /// Errors are ours ("interrupted", what `next` or `on_message` said, kInvalid for an answer that is not gRPC); what
  /// the server or the network says is a status.
  virtual Result<GrpcStatus> call(const GrpcCall& call, std::stop_token stop) = 0;

  /// One message out, at most one back.
  struct Reply {
    GrpcStatus status;
    std::string message;
  };
  Result<Reply> ask(const std::string& method, std::string request, std::stop_token stop,
                    std::size_t max_message_bytes = 8u << 20);
};

/// Where a server is, and how it is known.
struct GrpcPlace {
  std::string address;     ///< "grpc://host:port", or "grpcs://" for TLS.
  std::string ca_file;     ///< Who vouches for a grpcs:// server; empty: whom the machine trusts.
  std::string token_file;  ///< Holds what "authorization: Bearer" gets, read anew for each call; empty: none.
};

/// Through libcurl: HTTP/2 from the first byte for grpc://, by ALPN for grpcs://. Nothing is sent before the first
/// call. kInvalid for an address of another form.
Result<std::unique_ptr<GrpcChannel>> open_channel(const GrpcPlace& place, std::string user_agent);

/// Cuts a body into messages (length-prefixed, uncompressed). For channels, and for the fuzzer.
class GrpcFrames {
 public:
  GrpcFrames(std::size_t max_message_bytes, std::uint64_t max_bytes,
             std::function<Result<>(std::string_view message)> on_message);
  Result<> push(std::string_view bytes);
  Result<> finish() const;  ///< kInvalid when the body stopped inside a message.

 private:
  std::size_t max_message_bytes_;
  std::uint64_t left_;
  std::function<Result<>(std::string_view)> on_message_;
  std::string pending_;
};

/// A message as it goes over the wire, and how many bytes that are.
std::string grpc_frame(std::string_view message);
constexpr std::uint64_t grpc_frame_size(std::uint64_t message_bytes) { return message_bytes + 5; }

}  // namespace nacre::net
