#include "base/text.h"
#include "cli/container_network.h"
#include "cli/progress.h"
#include "codec/json.h"
#include "os/fd.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

namespace nacre::cli {
namespace {

using os::Fd;

// ---- the network

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

Fd listener(int port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in at = loopback(port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(fd.get(), 8) != 0) return {};
  return fd;
}

int port_of(const Fd& fd) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.sin_port);
}

Fd connect_to(int port) {
  const sockaddr_in at = loopback(port);
  for (int tries = 0; tries < 200; ++tries) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return fd;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

std::string read_all(const Fd& fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(got));
  return out;
}

/// In a network of its own, on port 80: answers each connection with what it sent, after an 'E' for echo; an 'F'
/// floods.
[[noreturn]] void serve_alone(int ready) {
  if (::unshare(CLONE_NEWNET) != 0) ::_exit(77);
  const Fd control(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) ::_exit(77);
  const Fd server = listener(80);
  if (!server || ::write(ready, "r", 1) != 1) ::_exit(1);
  while (true) {
    const Fd client(::accept(server.get(), nullptr, nullptr));
    char kind = 0;
    if (::read(client.get(), &kind, 1) != 1) continue;
    if (kind == 'F') {
      const std::string block(1u << 20, 'x');
      while (::send(client.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {}
    }
    const std::string got = read_all(client);
    (void)::send(client.get(), got.data(), got.size(), MSG_NOSIGNAL);
  }
}

struct ForwardTest : testing::Test {
  int pid = -1;
  int port = 0;
  std::jthread forwarder;
  std::string said = "still running";

  void SetUp() override {
    int ready[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const Fd reader(ready[0]);
    Fd writer(ready[1]);
    pid = ::fork();
    if (pid == 0) serve_alone(writer.get());
    writer.reset();
    char byte = 0;
    if (::read(reader.get(), &byte, 1) != 1) GTEST_SKIP() << "this machine gives no network namespace to the test";
    port = port_of(listener(0));
    forwarder = std::jthread([this, child = pid](const std::stop_token& stop) {
      const auto done = forward_ports(child, {{port, 80}}, stop);
      said = done ? "ended" : done.error().render();
    });
  }
  void TearDown() override {
    if (forwarder.joinable()) {
      forwarder.request_stop();
      forwarder.join();
    }
    kill_child();
  }
  void kill_child() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }
  double seconds_to_end() {
    const auto start = std::chrono::steady_clock::now();
    forwarder.join();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

TEST_F(ForwardTest, CarriesBytesBothWaysAndTheEndOfEach) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{300'000}}) {
    const Fd client = connect_to(port);
    ASSERT_TRUE(client);
    const std::string text = "E" + std::string(size, 'a');
    ASSERT_EQ(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    ::shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(read_all(client), text.substr(1));
  }
}

TEST_F(ForwardTest, EndsWithTheProcess) {
  const Fd idle = connect_to(port);  // a connection that stays open does not hold it up
  ASSERT_TRUE(idle);
  kill_child();
  EXPECT_LT(seconds_to_end(), 5);
  EXPECT_EQ(said, "ended");
}

TEST_F(ForwardTest, DoesNotWaitForAClientThatDoesNotRead) {
  const Fd client = connect_to(port);
  ASSERT_TRUE(client);
  ASSERT_EQ(::send(client.get(), "F", 1, MSG_NOSIGNAL), 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  forwarder.request_stop();
  EXPECT_LT(seconds_to_end(), 5);
  EXPECT_EQ(said, "ended");
}

TEST_F(ForwardTest, SaysThatAPortIsTaken) {
  const Fd taken = listener(0);
  const auto done = forward_ports(pid, {{port_of(taken), 80}}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(done.error().render(), fmt::format("cannot listen on 127.0.0.1:{}\n  hint: choose another host port with "
                                               "--publish HOST:CONTAINER", port_of(taken)));
}

// ---- progress

std::string plain(const std::function<void(Events&)>& work, ProgressStyle style = ProgressStyle::kPlain) {
  const std::unique_ptr<Events> events = make_progress(style);
  testing::internal::CaptureStderr();
  work(*events);
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, PlainSaysHowEachTaskEnded) {
  const std::string text = plain([](Events& events) {
    Task outer(events, "build zlib");
    {
      Task inner(events, "fetch", &outer);
      inner.note("from the mirror");
      inner.warn("slow");
      inner.output("not shown");
      inner.finish("1 file");
    }
    { const Task lost(events, "test", &outer); }
    outer.finish();
  });
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n')) lines.push_back(line.substr(0, line.find(" (")));  // without times
  EXPECT_EQ(lines,
            (std::vector<std::string>{"note     fetch: from the mirror", "warning  fetch: slow",
                                      "done     fetch: 1 file", "FAILED   test: failed", "done     build zlib", ""}));
}

TEST(Progress, JsonIsOneObjectALine) {
  const std::string text = plain(
      [](Events& events) {
        Task task(events, "a\n\"b\"");
        task.progress(1, 2);
        task.finish("\x1b[31m");
      },
      ProgressStyle::kJson);
  const std::vector<std::string> lines = split(text, '\n');
  ASSERT_EQ(lines.size(), 4u) << text;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto json = codec::parse_json(lines[i], "line");
    ASSERT_TRUE(json) << json.error().render();
    EXPECT_EQ((*json)["name"].as_string(), "a\n\"b\"");
    EXPECT_EQ((*json)["event"].as_string(), (std::vector<std::string>{"started", "progress", "finished"})[i]);
  }
  EXPECT_EQ(plain([](Events& events) { Task task(events, "x"); }, ProgressStyle::kNone), "");
}

TEST(Progress, PlainTakesEventsFromManyThreads) {
  const std::string text = plain([](Events& events) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&events, i] {
        for (int n = 0; n < 50; ++n) Task(events, fmt::format("task {}-{}", i, n)).finish("x");
      });
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 400);
  for (const std::string& line : split(text, '\n'))
    EXPECT_TRUE(line.empty() || (line.starts_with("done     task ") && line.ends_with(")"))) << line;
}

}  // namespace
}  // namespace nacre::cli
