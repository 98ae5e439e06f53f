#pragma once

#include "base/edition.h"
#include "base/result.h"
#include "crypto/signer.h"
#include "os/fd.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

/// What `nacre signer` and its callers say to each other over a unix socket.
///
/// A frame is a length (4 bytes, big-endian) and that many bytes. A request is one frame of JSON,
/// {"op":"sign","edition":"community","purpose":"package"}, and for "sign" a second frame, the
/// message. The answer is one frame of JSON, {"ok":true} or {"error":TEXT,"kind":KIND}, and after
/// the former a second frame: the signature, or the public key as PEM.
namespace nacre::crypto::wire {

constexpr std::size_t kMaxHeaderBytes = 16u << 10;
constexpr std::size_t kMaxMessageBytes = 256u << 20;  ///< The largest index that is read (index/repositories.cc).
constexpr std::size_t kMaxAnswerBytes = 64u << 10;

enum class Op { kSign, kPublicKey };

struct Request {
  Op op = Op::kSign;
  Edition edition = Edition::kCommunity;
  Purpose purpose = Purpose::kPackage;
};

std::string to_text(const Request& request);
Result<Request> parse_request(std::string_view text);  ///< kInvalid for anything else.

/// The first frame of an answer that says no.
std::string to_text(const Error& error);
/// Nothing for {"ok":true}; else the Error that the peer sent.
Result<> parse_verdict(std::string_view text);

/// A connected socket with a deadline for all that goes over it.
class Channel {
 public:
  /// `wake_fd`, when not -1, ends every wait as soon as it is readable.
  Channel(os::Fd fd, double seconds, int wake_fd = -1);
  void restart(double seconds);  ///< Sets a new deadline, from now.
  Result<> send(std::string_view frame);
  Result<std::string> receive(std::size_t max_bytes);  ///< kInvalid for a longer frame.
  /// The same in pieces of at most 256 KiB, none of which is kept: bytes of the frame.
  Result<std::size_t> receive(std::size_t max_bytes, const std::function<void(std::string_view piece)>& take);
  int fd() const { return fd_.get(); }

 private:
  Result<> wait(short events);
  Result<> read_exactly(char* out, std::size_t size);
  Result<> write_all(std::string_view bytes);

  os::Fd fd_;
  int wake_fd_;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace nacre::crypto::wire
