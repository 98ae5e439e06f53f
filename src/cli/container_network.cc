#include "cli/container_network.h"

#include "os/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <chrono>
#include <list>
#include <string_view>
#include <thread>

namespace nacre::cli {
namespace {

using os::Fd;

constexpr int kMaxConnections = 512;
constexpr std::chrono::seconds kStartTime{10};  ///< For so long connections wait for a program that starts.

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Result<Fd> listen_on(int port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error::make(errno == EADDRINUSE ? ErrorKind::kConflict : ErrorKind::kUnavailable,
                       "cannot listen on 127.0.0.1:{}", port)
        .hint("choose another host port with --publish HOST:CONTAINER");
  if (::listen(fd.get(), 64) != 0) return os::system_error(errno, "listen");
  return fd;
}

/// A socket made by a thread that has entered the container's network belongs to that network for good.
Fd connect_inside(int network, int port) {
  if (::setns(network, CLONE_NEWNET) != 0) return {};
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

/// Sends all of it; false when the peer is gone, or `stop` came while it did not read.
bool send_all(int to, std::string_view bytes, const std::stop_token& stop) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    pollfd writable{to, POLLOUT, 0};
    if (stop.stop_requested() || (::poll(&writable, 1, 500) < 0 && errno != EINTR)) return false;
  }
  return true;
}

/// Moves what one side sent; false when that side has ended.
bool move_bytes(int from, int to, const std::stop_token& stop) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(from, buffer.data(), buffer.size());
  return got > 0 && send_all(to, {buffer.data(), static_cast<std::size_t>(got)}, stop);
}

using Moment = std::chrono::steady_clock::time_point;

void pump(Fd outside, int network, int port, Moment started, const std::stop_token& stop) {
  Fd inside = connect_inside(network, port);
  while (!inside && !stop.stop_requested() && std::chrono::steady_clock::now() < started + kStartTime) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    inside = connect_inside(network, port);
  }
  if (!inside) return;
  bool out_open = true, in_open = true;
  while ((out_open || in_open) && !stop.stop_requested()) {
    pollfd fds[2] = {{out_open ? outside.get() : -1, POLLIN, 0}, {in_open ? inside.get() : -1, POLLIN, 0}};
    if (::poll(fds, 2, 500) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0 && !move_bytes(outside.get(), inside.get(), stop)) {
      out_open = false;
      ::shutdown(inside.get(), SHUT_WR);
    }
    if (fds[1].revents != 0 && !move_bytes(inside.get(), outside.get(), stop)) {
      in_open = false;
      ::shutdown(outside.get(), SHUT_WR);
    }
  }
}

struct Connection {
  std::atomic<bool> done = false;
  std::jthread thread;
};

}  // namespace

Result<> check_ports(const std::vector<std::pair<int, int>>& ports) {
  for (const auto& [host, inside] : ports) TRY(listen_on(host));
  return {};
}

Result<> forward_ports(int pid, const std::vector<std::pair<int, int>>& ports, std::stop_token stop,
                       const std::function<void()>& on_listening) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const std::string path = fmt::format("/proc/{}/ns/net", pid);
  const Fd network(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!process || !network) return os::system_error(errno, fmt::format("enter the network of process {}", pid));
  std::vector<Fd> listeners;
  for (const auto& [host, inside] : ports) {
    Fd listener = TRY(listen_on(host));
    listeners.push_back(std::move(listener));
  }

  if (on_listening) on_listening();

  const Moment started = std::chrono::steady_clock::now();
  std::list<Connection> connections;
  while (!stop.stop_requested()) {
    std::vector<pollfd> fds = {{process.get(), POLLIN, 0}};
    for (const Fd& listener : listeners) fds.push_back({listener.get(), POLLIN, 0});
    if (::poll(fds.data(), fds.size(), 200) < 0 && errno != EINTR)
      return os::system_error(errno, "wait for connections");
    if (fds[0].revents != 0) break;
    connections.remove_if([](const Connection& connection) { return connection.done.load(); });
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      if (fds[i + 1].revents == 0) continue;
      Fd accepted(::accept4(listeners[i].get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted || connections.size() >= kMaxConnections) continue;
      Connection& connection = connections.emplace_back();
      const int port = ports[i].second;
      connection.thread = std::jthread(
          [&connection, &network, port, started, fd = accepted.release()](const std::stop_token& token) {
            pump(Fd(fd), network.get(), port, started, token);
            connection.done = true;
          });
    }
  }
  return {};
}

}  // namespace nacre::cli
