#include "crypto/wire.h"

#include "crypto/purposes.h"

#include "codec/json.h"
#include "os/file.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace nacre::crypto::wire {
namespace {

struct KindName {
  ErrorKind kind;
  std::string_view name;
};
constexpr std::array kKinds = {
    KindName{ErrorKind::kInvalid, "invalid"},         KindName{ErrorKind::kNotFound, "not found"},
    KindName{ErrorKind::kConflict, "conflict"},       KindName{ErrorKind::kDenied, "denied"},
    KindName{ErrorKind::kUnavailable, "unavailable"}, KindName{ErrorKind::kInternal, "internal"},
};

constexpr codec::JsonLimits kLimits{.max_bytes = kMaxHeaderBytes, .max_depth = 4, .max_values = 64};

Result<Purpose> parse_purpose(std::string_view text) {
  for (const Purpose purpose : kPurposes)
    if (text == name_of(purpose)) return purpose;
  return Error::make(ErrorKind::kInvalid, "unknown purpose '{}'", text)
      .hint("known: package, attestation, root, freshness");
}

Result<Op> parse_op(std::string_view text) {
  if (text == "sign") return Op::kSign;
  if (text == "public-key") return Op::kPublicKey;
  return Error::make(ErrorKind::kInvalid, "expected 'sign' or 'public-key', got '{}'", text);
}

Error ended(std::size_t done, std::size_t size) {
  return Error::make(ErrorKind::kUnavailable, "the connection ended after {} of {} bytes", done,
                     size);
}

}  // namespace

std::string to_text(const Request& request) {
  codec::Json out;
  out.set("op", request.op == Op::kSign ? "sign" : "public-key");
  out.set("edition", name_of(request.edition));
  out.set("purpose", name_of(request.purpose));
  return codec::to_json(out);
}

Result<Request> parse_request(std::string_view text) {
  const codec::Json json = TRY(codec::parse_json(text, "request", kLimits));
  const std::string op = TRY(json.string_at("op"));
  const std::string edition = TRY(json.string_at("edition"));
  const std::string purpose = TRY(json.string_at("purpose"));
  Request out;
  out.op = TRY(parse_op(op));
  out.edition = TRY(parse_edition(edition));
  out.purpose = TRY(parse_purpose(purpose));
  return out;
}

std::string to_text(const Error& error) {
  const auto entry = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const KindName& row) { return row.kind == error.kind(); });
  codec::Json out;
  // An escape may need six bytes for one.
  out.set("error", error.render().substr(0, kMaxHeaderBytes / 8));
  out.set("kind", entry == kKinds.end() ? "internal" : entry->name);
  return codec::to_json(out);
}

Result<> parse_verdict(std::string_view text) {
  const codec::Json json = TRY(codec::parse_json(text, "answer", kLimits));
  if (json["ok"].as_bool()) return {};
  const std::string message = TRY(json.string_at("error"));
  const std::string kind = TRY(json.string_at("kind"));
  const auto entry = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const KindName& row) { return row.name == kind; });
  return Error::make(entry == kKinds.end() ? ErrorKind::kInternal : entry->kind, "{}", message);
}

Channel::Channel(os::Fd fd, double seconds, int wake_fd) : fd_(std::move(fd)), wake_fd_(wake_fd) {
  restart(seconds);
}

void Channel::restart(double seconds) {
  deadline_ = std::chrono::steady_clock::now() +
              std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

Result<> Channel::wait(short events) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return Error::make(ErrorKind::kUnavailable, "the peer did not answer in time");
    pollfd watched[] = {{fd_.get(), events, 0}, {wake_fd_, POLLIN, 0}};
    const int ready = ::poll(watched, 2, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return os::system_error(errno, "wait for the peer");
    if (ready <= 0) continue;
    if (watched[1].revents != 0) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (watched[0].revents != 0) return {};
  }
}

Result<> Channel::read_exactly(char* out, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    TRY(wait(POLLIN));
    const ssize_t got = ::recv(fd_.get(), out + done, size - done, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return ended(done, size);
    if (got < 0) return os::system_error(errno, "read from the peer");
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<> Channel::write_all(std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    TRY(wait(POLLOUT));
    const ssize_t put = ::send(fd_.get(), bytes.data() + done, bytes.size() - done,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put < 0 && (errno == EPIPE || errno == ECONNRESET)) return ended(done, bytes.size());
    if (put < 0) return os::system_error(errno, "write to the peer");
    done += static_cast<std::size_t>(put);
  }
  return {};
}

Result<> Channel::send(std::string_view frame) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  std::string head;
  for (const int shift : {24, 16, 8, 0}) head += static_cast<char>(size >> shift & 255);
  TRY(write_all(head));
  return write_all(frame);
}

Result<std::string> Channel::receive(std::size_t max_bytes) {
  std::string out;
  (void)TRY(receive(max_bytes, [&](std::string_view piece) { out += piece; }));
  return out;
}

Result<std::size_t> Channel::receive(std::size_t max_bytes,
                                     const std::function<void(std::string_view piece)>& take) {
  unsigned char head[4];
  TRY(read_exactly(reinterpret_cast<char*>(head), sizeof head));
  std::size_t size = 0;
  for (const unsigned char byte : head) size = size << 8 | byte;
  if (size > max_bytes)
    return Error::make(ErrorKind::kInvalid, "expected a frame of at most {} bytes, got one of {}",
                       max_bytes, size);
  // Memory is taken as bytes arrive, not as the length promises.
  std::string piece;
  for (std::size_t done = 0; done < size; done += piece.size()) {
    piece.resize(std::min<std::size_t>(size - done, 256u << 10));
    TRY(read_exactly(piece.data(), piece.size()));
    take(piece);
  }
  return size;
}

}  // namespace nacre::crypto::wire
