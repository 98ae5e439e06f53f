#pragma once

#include "net/server.h"
#include "os/fd.h"
#include "os/file.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <thread>

/// Peers for the tests of this room and of others.
namespace nacre::net {

inline os::TempDir scratch() {
  auto dir = os::TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_TRUE(dir) << dir.error().render();
  return *std::move(dir);
}

inline Server serve(Handler handler) {
  ::setenv("no_proxy", "*", 1);  // the machine's proxy has no part in these tests
  auto server = Server::start(std::move(handler), {});
  EXPECT_TRUE(server) << server.error().render();
  return *std::move(server);
}

inline std::string address(const Server& server, const std::string& path) {
  return fmt::format("http://127.0.0.1:{}{}", server.port(), path);
}

/// A socket that listens on a free port of this machine; no proxy stands before it.
struct Listener {
  explicit Listener(int waiting) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::setenv("no_proxy", "*", 1);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(::listen(fd.get(), waiting), 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
    port = ntohs(name.sin_port);
  }
  os::Fd fd;
  int port = 0;
};

/// Accepts one connection, reads until the request has `wanted_bytes` after its blank line, says
/// `answer` byte for byte and closes. With an empty answer it stays silent until it goes.
class RawPeer {
 public:
  explicit RawPeer(std::string answer, std::size_t wanted_bytes = 0) {
    if (!answer.empty())
      thread_ = std::jthread([this, answer, wanted_bytes] { talk(answer, wanted_bytes); });
  }
  std::string address(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", listener_.port, path);
  }
  /// All that the client sent; waits for the end of the conversation.
  const std::string& heard() {
    if (thread_.joinable()) thread_.join();
    return heard_;
  }

 private:
  void talk(const std::string& answer, std::size_t wanted_bytes) {
    const os::Fd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char buffer[4096];
    while (true) {
      const std::size_t blank = heard_.find("\r\n\r\n");
      if (blank != heard_.npos && heard_.size() >= blank + 4 + wanted_bytes) break;
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return;
      heard_.append(buffer, static_cast<std::size_t>(got));
    }
    (void)::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

  Listener listener_{4};
  std::string heard_;
  std::jthread thread_;
};

}  // namespace nacre::net
