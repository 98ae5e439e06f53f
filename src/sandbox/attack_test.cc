#include "sandbox/sandbox.h"

#include "base/text.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace nacre::sandbox {
namespace {

/// A sandbox whose root holds nothing but the attacker, and targets on the host.
class Attack : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::make_unique<os::TempDir>(os::TempDir::create("/tmp").take());
    ASSERT_TRUE(os::make_dirs(folder_->path() / "layer/etc"));
    ASSERT_TRUE(os::write_file(folder_->path() / "layer/etc/passwd", "root:x:0:0::/:/bin/sh\n"));
    ASSERT_TRUE(os::make_dirs(folder_->path() / "readable"));
    ASSERT_TRUE(os::write_file(folder_->path() / "readable/file", "content"));
    ASSERT_TRUE(os::make_dirs(folder_->path() / "writable"));
  }
  /// What the attacker printed.
  std::vector<std::string> attack(std::vector<std::string> attacks, bool network = false) {
    SandboxCommand command;
    command.root = {{folder_->path() / "layer"}, folder_->path() / "upper"};
    command.binds = {{NACRE_PROBE, TreePath::literal("probe"), false},
                     {folder_->path() / "readable", TreePath::literal("readable"), false},
                     {folder_->path() / "writable", TreePath::literal("writable"), true}};
    command.argv = {"/probe"};
    command.argv.insert(command.argv.end(), attacks.begin(), attacks.end());
    command.network = network;
    command.limits.timeout_seconds = 60;
    change_(command);
    auto exit = LinuxSandbox().run(command);
    if (!exit) return {exit.error().render()};
    exit_ = *exit;
    return split(trim(exit->out + exit->err), '\n');
  }

  std::unique_ptr<os::TempDir> folder_;
  std::function<void(SandboxCommand&)> change_ = [](SandboxCommand&) {};
  os::Exit exit_;
};

struct Listener {
  explicit Listener(const sockaddr* address, socklen_t size, int family)
      : fd(::socket(family, SOCK_STREAM, 0)) {
    good = ::bind(fd.get(), address, size) == 0 && ::listen(fd.get(), 4) == 0;
  }
  os::Fd fd;
  bool good = false;
};

TEST_F(Attack, IsStoppedAtEveryCall) {
  // One row per attack; "ok" only where a build needs it.
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"open-descriptors", "ENOENT"},
      {"vsock", "EAFNOSUPPORT"},
      {"packet-socket", "EAFNOSUPPORT"},
      {"raw-socket", "EPERM"},
      {"own-loopback", "ok"},
      {"mount", "EPERM"},
      {"remount=/readable", "EPERM"},
      {"umount=/proc/sys", "EPERM"},
      {"fsopen", "EPERM"},
      {"open-tree", "EPERM"},
      {"open-tree-attr", "ENOSYS"},
      {"pivot-root", "EPERM"},
      {"chroot", "EPERM"},
      {"unshare-user", "EPERM"},
      {"unshare-mount", "EPERM"},
      {"clone-user", "EPERM"},
      {"clone-net", "EPERM"},
      {"clone3", "ENOSYS"},
      {"setns", "EPERM"},
      {"setns-raw", "EPERM"},
      {"ptrace-init", "EPERM"},
      {"read-init-memory", "EACCES"},
      {"init-environment", "EACCES"},
      {"init-arguments", "ENODATA"},
      {"init-root", "EACCES"},
      {"see-processes", "ESRCH"},
      {"mknod=/tmp/disk", "EPERM"},
      {"mknod=/disk", "EPERM"},
      {"keyctl", "EPERM"},
      {"add-key", "EPERM"},
      {"bpf", "EPERM"},
      {"perf", "EPERM"},
      {"userfaultfd", "EPERM"},
      {"io-uring", "EPERM"},
      {"kexec", "EPERM"},
      {"init-module", "EPERM"},
      {"open-by-handle", "EPERM"},
      {"reboot", "EPERM"},
      {"type-into-terminal", "EPERM"},
      {"set-hostname", "EPERM"},
      {"x32-call", "ENOSYS"},
      {"environment", "ENOENT"},
      {"no-new-privileges", "ok"},
      {"own-session", "ok"},
      {"extra-capabilities=800000fb", "EPERM"},
      {"write=/proc/sys/net/ipv4/ip_forward", "EACCES"},
      {"write=/proc/sys/vm/drop_caches", "EACCES"},
      {"read=/proc/keys", "ENODATA"},
      {"read=/dev/vda", "ENOENT"},
      {"read=/dev/kmsg", "ENOENT"},
      {"see-path=/sys/kernel", "ENOENT"},
      {"create=/readable/new", "EROFS"},
      {"write=/readable/file", "EROFS"},
      {"create=/writable/new", "ok"},
      {"create=/new", "ok"},
  };
  std::vector<std::string> attacks, expected;
  for (const auto& [what, outcome] : rows) {
    attacks.push_back(what);
    expected.push_back(what.substr(0, what.find('=')) + ": " + outcome);
  }
  EXPECT_EQ(join(attack(attacks), "\n"), join(expected, "\n"));
}

TEST_F(Attack, ReachesNoPartOfTheMachineThroughProc) {
  // Not every kernel has them all, so the reason may be that there is none.
  for (const std::string& line :
       attack({"write=/proc/sysrq-trigger", "write=/proc/sys/kernel/core_pattern",
               "read=/proc/kcore", "read=/proc/kmsg", "read=/proc/timer_list",
               "read=/proc/kallsyms", "write=/proc/1/oom_score_adj"}))
    EXPECT_THAT(line, testing::MatchesRegex("(read|write): (EROFS|EACCES|EPERM|ENODATA|ENOENT)"));
}

TEST_F(Attack, KernelSettingsAreReadOnlyEvenForWhoMayChangeThem) {
  change_ = [](SandboxCommand& command) { command.keep_capabilities = {"CAP_NET_ADMIN"}; };
  EXPECT_EQ(attack({"write=/proc/sys/net/ipv4/ip_forward"}),
            (std::vector<std::string>{"write: EROFS"}));
}

TEST_F(Attack, ReachesNoListenerOfTheHost) {
  sockaddr_in tcp{};
  tcp.sin_family = AF_INET;
  tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Listener on_tcp(reinterpret_cast<sockaddr*>(&tcp), sizeof tcp, AF_INET);
  socklen_t size = sizeof tcp;
  ::getsockname(on_tcp.fd.get(), reinterpret_cast<sockaddr*>(&tcp), &size);
  const std::string port = std::to_string(ntohs(tcp.sin_port));

  const std::string name = fmt::format("nacre-test-{}", ::getpid());
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  name.copy(local.sun_path + 1, name.size());
  const Listener abstract(reinterpret_cast<sockaddr*>(&local),
                          static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1),
                          AF_UNIX);
  const std::string signer = (folder_->path() / "signer.sock").string();
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  signer.copy(path.sun_path, signer.size());
  const Listener by_path(reinterpret_cast<sockaddr*>(&path), sizeof path, AF_UNIX);
  ASSERT_TRUE(on_tcp.good && abstract.good && by_path.good);

  EXPECT_EQ(attack({"connect-tcp=" + port, "connect-abstract=" + name, "connect-path=" + signer,
                    "see-path=" + signer}),
            (std::vector<std::string>{"connect-tcp: ECONNREFUSED", "connect-abstract: ECONNREFUSED",
                                      "connect-path: ENOENT", "see-path: ENOENT"}));
  // With the host's network the port answers; abstract sockets stay out of reach.
  EXPECT_EQ(attack({"connect-tcp=" + port, "connect-abstract=" + name}, true),
            (std::vector<std::string>{"connect-tcp: ok", "connect-abstract: EPERM"}));
}

TEST_F(Attack, KillsNoProcessOfTheHost) {
  EXPECT_EQ(attack({fmt::format("kill={}", ::getpid()), fmt::format("kill={}", ::getppid())}),
            (std::vector<std::string>{"kill: ESRCH", "kill: ESRCH"}));
}

TEST_F(Attack, InheritsNoDescriptor) {
  const os::Fd leak(::open("/etc/passwd", O_RDONLY));  // without O_CLOEXEC, on purpose
  EXPECT_EQ(attack({"open-descriptors"}), (std::vector<std::string>{"open-descriptors: ENOENT"}));
}

TEST_F(Attack, ChangesNoLayer) {
  EXPECT_EQ(attack({"write=/etc/passwd", "create=/etc/shadow"}),
            (std::vector<std::string>{"write: ok", "create: ok"}));
  EXPECT_EQ(os::read_file(folder_->path() / "layer/etc/passwd").take(), "root:x:0:0::/:/bin/sh\n");
  EXPECT_FALSE(os::exists(folder_->path() / "layer/etc/shadow"));
  EXPECT_EQ(os::read_file(folder_->path() / "upper/etc/passwd").take().substr(0, 4), "1oot");
}

TEST_F(Attack, ForksNoMoreThanItsLimit) {
  change_ = [](SandboxCommand& command) { command.limits.max_pids = 20; };
  EXPECT_EQ(attack({"fork=10", "fork=100"}),
            (std::vector<std::string>{"fork: ok", "fork: EAGAIN"}));
}

TEST_F(Attack, EatsNoMoreThanItsLimit) {
  std::vector<std::string> notes;
  change_ = [&](SandboxCommand& command) {
    command.limits.memory_bytes = 64 << 20;
    command.on_note = [&](std::string_view note) { notes.emplace_back(note); };
  };
  const std::vector<std::string> printed = attack({"eat-mib=8", "eat-mib=256"});
  if (!notes.empty() && notes[0].starts_with("no memory limit")) GTEST_SKIP() << notes[0];
  EXPECT_EQ(printed, (std::vector<std::string>{"eat-mib: ok"}));
  EXPECT_EQ(exit_.signal, SIGKILL);
  EXPECT_EQ(exit_.code, 137);
  EXPECT_EQ(notes,
            (std::vector<std::string>{"a process was killed: over the memory limit of 64.0 MiB"}));
}

TEST_F(Attack, DaemonsDieWithTheCommand) {
  EXPECT_EQ(attack({"leave-daemon=/writable/beat"}),
            (std::vector<std::string>{"leave-daemon: ok"}));
  const auto size = std::filesystem::file_size(folder_->path() / "writable/beat");
  EXPECT_GT(size, 1u);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(std::filesystem::file_size(folder_->path() / "writable/beat"), size);
}

TEST_F(Attack, DaemonsDieWhenTimeIsUp) {
  change_ = [](SandboxCommand& command) { command.limits.timeout_seconds = 0.5; };
  EXPECT_EQ(attack({"leave-daemon=/writable/beat", "sleep=20000"}),
            (std::vector<std::string>{"leave-daemon: ok"}));
  EXPECT_TRUE(exit_.timed_out);
  EXPECT_EQ(exit_.code, 137);
  const auto size = std::filesystem::file_size(folder_->path() / "writable/beat");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(std::filesystem::file_size(folder_->path() / "writable/beat"), size);
}

TEST_F(Attack, AnotherUserHasNoCapabilities) {
  change_ = [](SandboxCommand& command) { command.uid = command.gid = 1000; };
  EXPECT_EQ(attack({"extra-capabilities=0", "become=0", "create=/etc/new", "create=/tmp/new"}),
            (std::vector<std::string>{"extra-capabilities: EPERM", "become: EPERM",
                                      "create: EACCES", "create: ok"}));
  change_ = [](SandboxCommand& command) {
    command.uid = command.gid = 1000;
    command.keep_capabilities = {"CAP_SETUID"};
  };
  EXPECT_EQ(attack({"extra-capabilities=80", "become=5"}),
            (std::vector<std::string>{"extra-capabilities: EPERM", "become: ok"}));
}

}  // namespace
}  // namespace nacre::sandbox
