#include "crypto/signer.h"
#include "crypto/wire.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace nacre::crypto {
namespace {

/// The signer may have to make an RSA key first: seconds, and minutes on a machine that is busy with all else. Who died
/// is noticed at once.
constexpr double kAnswerSeconds = 600;

Result<os::Fd> connect_to(const os::Path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path)
    return Error::make(ErrorKind::kInvalid, "the socket path '{}' is longer than {} bytes",
                       path.string(), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), path.string().size());
  os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return os::system_error(errno, "make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fd;
  if (errno == ENOENT || errno == ECONNREFUSED)
    return Error::make(ErrorKind::kUnavailable, "no signer listens on '{}'", path.string())
        .hint("start one with `nacre signer`, as the user who owns the keys");
  return os::system_error(errno, fmt::format("connect to the signer on '{}'", path.string()));
}

/// One request, one answer. What the peer says counts even when it stopped reading before our end.
Result<std::string> exchange(wire::Channel& channel, const wire::Request& request,
                             std::string_view message) {
  auto sent = channel.send(wire::to_text(request));
  if (sent && request.op == wire::Op::kSign) sent = channel.send(message);
  const std::string verdict = TRY(channel.receive(wire::kMaxHeaderBytes));
  TRY(wire::parse_verdict(verdict));
  TRY(std::move(sent));
  return channel.receive(wire::kMaxAnswerBytes);
}

Result<std::string> ask(const os::Path& socket, const wire::Request& request,
                        std::string_view message = {}) {
  os::Fd fd = TRY(connect_to(socket));
  wire::Channel channel(std::move(fd), kAnswerSeconds);
  std::string answer =
      TRY(exchange(channel, request, message), "asking the signer on '{}'", socket.string());
  return answer;
}

}  // namespace

Result<std::string> RemoteSigner::sign(Edition edition, Purpose purpose, std::string_view message) {
  if (message.size() > wire::kMaxMessageBytes)
    return Error::make(ErrorKind::kInvalid, "the signer takes at most {} bytes, not {}",
                       wire::kMaxMessageBytes, message.size());
  return ask(socket_, {wire::Op::kSign, edition, purpose}, message);
}

Result<PublicKey> RemoteSigner::public_key(Edition edition, Purpose purpose) {
  const std::string pem = TRY(ask(socket_, {wire::Op::kPublicKey, edition, purpose}));
  return PublicKey::from_pem(pem);
}

}  // namespace nacre::crypto
