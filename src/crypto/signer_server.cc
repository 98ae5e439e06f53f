#include "codec/digest.h"
#include "codec/json.h"
#include "crypto/signer.h"
#include "crypto/wire.h"
#include "os/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

namespace nacre::crypto {
namespace {

constexpr double kRequestSeconds = 10, kAnswerSeconds = 10;
constexpr std::size_t kWorkers = 4;

/// One signature as it stands in the log.
struct Entry {
  ucred peer;
  wire::Request request;
  Sha256 message;
  std::size_t bytes;
};

/// The append-only record of what was signed. A line is one write, so that lines never mix.
class Log {
 public:
  explicit Log(os::Path path) : path_(std::move(path)) {}

  /// Says early that the log cannot be written; each line opens it anew, so that it may be rotated.
  Result<os::Fd> open() const {
    os::Fd fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!fd) return os::system_error(errno, fmt::format("open the log '{}'", path_.string()));
    return fd;
  }

  Result<> add(const Entry& entry) {
    codec::Json row;
    row.set("time", os::rfc3339(os::SystemClock().now_seconds()));
    row.set("uid", static_cast<std::int64_t>(entry.peer.uid));
    row.set("pid", static_cast<std::int64_t>(entry.peer.pid));
    row.set("edition", nacre::name_of(entry.request.edition));
    row.set("purpose", name_of(entry.request.purpose));
    row.set("sha256", entry.message.hex());
    row.set("bytes", static_cast<std::int64_t>(entry.bytes));
    const std::string line = codec::to_json(row) + "\n";
    const std::lock_guard lock(mutex_);
    const os::Fd fd = TRY(open());
    const ssize_t put = ::write(fd.get(), line.data(), line.size());
    if (put == static_cast<ssize_t>(line.size())) return {};
    return os::system_error(put < 0 ? errno : ENOSPC,
                            fmt::format("write the log '{}'", path_.string()));
  }

 private:
  os::Path path_;
  std::mutex mutex_;
};

/// What all workers share.
struct Service {
  const SignerOptions& options;
  FileSigner keys;
  Log log;
  int listener, wake;
};

Result<ucred> peer_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return os::system_error(errno, "ask who the peer is");
  return peer;
}

/// What the peer gets: the signature or the public key. Nothing is signed that is not in the log.
Result<std::string> answer(Service& service, wire::Channel& channel) {
  const ucred peer = TRY(peer_of(channel.fd()));
  if (peer.uid != service.options.allowed_uid)
    return Error::make(ErrorKind::kDenied, "the signer does not serve the user {}", peer.uid);
  const std::string header = TRY(channel.receive(wire::kMaxHeaderBytes));
  const wire::Request request = TRY(wire::parse_request(header));
  if (request.edition == Edition::kProduction && !service.options.allow_production)
    return Error::make(ErrorKind::kDenied, "the signer's policy refuses the edition 'production'");
  if (request.op == wire::Op::kPublicKey) {
    const PublicKey key = TRY(service.keys.public_key(request.edition, request.purpose));
    return key.pem();
  }
  codec::Hasher hasher;
  const std::size_t bytes = TRY(channel.receive(wire::kMaxMessageBytes, [&](std::string_view piece) {
    hasher.update(piece);
    channel.restart(kRequestSeconds);  // a large message has time as long as it goes on coming
  }));
  const Sha256 message = hasher.finish_sha256();
  std::string signature = TRY(service.keys.sign_digest(request.edition, request.purpose, message));
  TRY(service.log.add({peer, request, message, bytes}));
  return signature;
}

void serve_connection(Service& service, os::Fd fd) {
  wire::Channel channel(std::move(fd), kRequestSeconds, service.wake);
  const Result<std::string> bytes = answer(service, channel);
  channel.restart(kAnswerSeconds);
  // A peer that went away gets nothing, and nobody else cares.
  if (!bytes) {
    (void)channel.send(wire::to_text(bytes.error()));
    return;
  }
  if (channel.send(R"({"ok":true})")) (void)channel.send(*bytes);
}

void work(Service& service) {
  while (true) {
    pollfd watched[] = {{service.listener, POLLIN, 0}, {service.wake, POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    os::Fd fd(::accept4(service.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) serve_connection(service, std::move(fd));
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // out of descriptors: let go
  }
}

/// Binds `path`; the caller holds its lock, so that a socket found there is a dead process's.
Result<os::Fd> listen_on(const SignerOptions& options) {
  const os::Path& path = options.socket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return Error::make(ErrorKind::kConflict, "'{}' is there, and no socket", path.string());
    ::unlink(path.c_str());
  }
  // It gets its name when it listens: who sees the name may connect.
  const std::string early = path.string() + "~";
  if (early.size() >= sizeof address.sun_path)
    return Error::make(ErrorKind::kInvalid, "the socket path '{}' is longer than {} bytes",
                       path.string(), sizeof address.sun_path - 2);
  ::unlink(early.c_str());
  std::memcpy(address.sun_path, early.c_str(), early.size());
  os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode of the descriptor becomes that of the path: at no moment can others connect.
  if (!fd || ::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return os::system_error(errno, fmt::format("listen on '{}'", path.string()));
  // Root hands the socket to the user it serves; others rely on the group.
  if (options.allowed_uid != ::geteuid() && ::geteuid() == 0 &&
      ::chown(early.c_str(), options.allowed_uid, static_cast<gid_t>(-1)) != 0)
    return os::system_error(errno, fmt::format("give '{}' to its user", path.string()));
  if (::chmod(early.c_str(), 0660) != 0 || ::listen(fd.get(), 64) != 0 ||
      ::rename(early.c_str(), path.c_str()) != 0)
    return os::system_error(errno, fmt::format("listen on '{}'", path.string()));
  return fd;
}

}  // namespace

Result<> serve_signer(const SignerOptions& options, std::stop_token stop) {
  TRY(os::make_dirs(options.socket.parent_path()));
  const auto lock = TRY(os::FileLock::take(options.socket.string() + ".lock",
                                           os::FileLock::Wait::kNo),
                        "starting a signer on '{}'", options.socket.string());
  const os::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return os::system_error(errno, "make an event descriptor");
  Service service{options, FileSigner(options.key_folder), Log(options.log), -1, wake.get()};
  TRY(os::make_dirs(options.log.parent_path()));
  TRY(service.log.open());
  const os::Fd listener = TRY(listen_on(options));
  service.listener = listener.get();
  {
    const std::stop_callback on_stop(stop, [&] { (void)::eventfd_write(wake.get(), 1); });
    std::array<std::jthread, kWorkers> workers;  // joined before `on_stop` goes
    for (std::jthread& worker : workers) worker = std::jthread([&] { work(service); });
  }
  ::unlink(options.socket.c_str());
  return {};
}

}  // namespace nacre::crypto
