#include "sandbox/sandbox.h"

#include "base/text.h"
#include "sandbox/cgroup.h"
#include "sandbox/disk_watch.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>


namespace nacre::sandbox {
namespace {

/// A root with the host's programs: links in the first layer, /usr bound read-only.
class Run : public testing::TestWithParam<RootMaking> {
 protected:
  void SetUp() override {
    folder_ = std::make_unique<os::TempDir>(os::TempDir::create("/tmp").take());
    layer("base", {{"etc/motd", "welcome\n"}, {"usr/keep", ""}});
    for (const char* name : {"bin", "sbin", "lib", "lib64"})
      std::filesystem::create_directory_symlink(fmt::format("usr/{}", name), path("base") / name);
  }
  Path path(std::string_view name) const { return folder_->path() / name; }

  void layer(const std::string& name,
             const std::vector<std::pair<std::string, std::string>>& files) {
    for (const auto& [file, text] : files) {
      ASSERT_TRUE(os::make_dirs((path(name) / file).parent_path()));
      ASSERT_TRUE(os::write_file(path(name) / file, text));
    }
    layers_.push_back(path(name));
  }
  SandboxCommand shell(const std::string& script) {
    SandboxCommand command;
    command.root = {layers_, path("upper")};
    command.binds = {{"/usr", TreePath::literal("usr"), false}};
    command.argv = {"sh", "-euc", script};
    command.env = {"PATH=/usr/bin:/usr/sbin"};
    command.limits.timeout_seconds = 60;
    command.on_note = [this](std::string_view note) { notes_.emplace_back(note); };
    return command;
  }
  /// Standard output, or what went wrong.
  std::string run(SandboxCommand command) {
    std::string exceeded;
    command.on_exceeded = [&](std::string_view limit) { exceeded = limit; };
    auto exit = LinuxSandbox(GetParam()).run(command);
    if (!exit) return exit.error().render();
    if (!exceeded.empty()) return fmt::format("over {}", exceeded);
    if (!exit->ok()) return fmt::format("exit {}: {}{}", exit->code, exit->out, exit->err);
    return exit->out;
  }
  std::string run(const std::string& script) { return run(shell(script)); }
  /// run(), in a process of the user nobody.
  std::string as_nobody(const SandboxCommand& command) {
    return in_process(command, [] {
      return ::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0 &&
             ::prctl(PR_SET_DUMPABLE, 1) == 0;  // as after exec
    });
  }
  /// run(), in a process that first made itself ready.
  std::string in_process(SandboxCommand command, const std::function<bool()>& ready) {
    command.on_note = nullptr;
    int answer[2];
    EXPECT_EQ(::pipe(answer), 0);
    const int child = ::fork();
    if (child == 0) {
      const std::string text = ready() ? run(command) : "the process could not be made ready";
      (void)!::write(answer[1], text.data(), text.size());
      ::_exit(0);
    }
    ::close(answer[1]);
    std::string text(4096, 0);
    const ssize_t got = ::read(answer[0], text.data(), text.size());
    ::waitpid(child, nullptr, 0);
    ::close(answer[0]);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }
  struct stat status(const Path& file) const {
    struct stat found {};
    EXPECT_EQ(::lstat(file.c_str(), &found), 0) << file;
    return found;
  }

  std::unique_ptr<os::TempDir> folder_;
  std::vector<Path> layers_;
  std::vector<std::string> notes_;
};

INSTANTIATE_TEST_SUITE_P(, Run, testing::Values(RootMaking::kOverlayOrCopy, RootMaking::kCopy),
                         [](const auto& how) {
                           return how.param == RootMaking::kCopy ? "InACopy" : "InAnOverlay";
                         });

TEST_P(Run, ShowsTheLaterLayerAndKeepsChangesInTheUpperDirectory) {
  layer("one", {{"opt/a", "one"}, {"opt/b", "one"}, {"opt/d/x", "one"}});
  layer("two", {{"opt/b", "two"}});
  EXPECT_EQ(run("cat /opt/a /opt/b /etc/motd"), "onetwowelcome\n");
  EXPECT_EQ(run("echo new > /opt/c; rm /opt/a; echo more >> /etc/motd; rm -r /opt/d; mkdir /opt/d; "
                "ln /opt/c /opt/e"),
            "");
  EXPECT_EQ(run("ls /opt; cat /etc/motd; ls -A /opt/d"), "b\nc\nd\ne\nwelcome\nmore\n");
  EXPECT_EQ(os::read_file(path("base/etc/motd")).take(), "welcome\n");
  EXPECT_EQ(os::read_file(path("upper/etc/motd")).take(), "welcome\nmore\n");
  const struct stat gone = status(path("upper/opt/a"));
  EXPECT_TRUE(S_ISCHR(gone.st_mode) && gone.st_rdev == 0);
  EXPECT_EQ(status(path("upper/opt/c")).st_ino, status(path("upper/opt/e")).st_ino);
  char opaque = 0;
  EXPECT_EQ(::getxattr(path("upper/opt/d").c_str(), "user.overlay.opaque", &opaque, 1), 1);
  EXPECT_FALSE(os::exists(path("upper/proc")) || os::exists(path("upper/dev")) ||
               os::exists(path("upper/tmp")));
  EXPECT_FALSE(os::exists(path("upper.work")));
  EXPECT_EQ(notes_, std::vector<std::string>{});
}

TEST_P(Run, OwnersInsideAreOwnersOnDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root maps more than one id";
  ASSERT_TRUE(os::make_dirs(path("out")));
  ASSERT_EQ(::chown(path("base/etc/motd").c_str(), 3, 4), 0);
  SandboxCommand command = shell(
      "stat -c %u:%g / /etc/motd /usr /out; touch /mine /out/mine; chown 5:60 /mine /out/mine; "
      "touch /root0");
  command.binds.push_back({path("out"), TreePath::literal("out"), true});
  EXPECT_EQ(run(command), "0:0\n3:4\n0:0\n0:0\n");
  for (const char* name : {"upper/mine", "out/mine"}) {
    EXPECT_EQ(status(path(name)).st_uid, 5u) << name;
    EXPECT_EQ(status(path(name)).st_gid, 60u) << name;
  }
  EXPECT_EQ(status(path("upper/root0")).st_uid, 0u);
  EXPECT_EQ(notes_, std::vector<std::string>{});
}

TEST_P(Run, GivesTheViewThatTheContractPromises) {
  SandboxCommand command = shell(R"(
hostname; id -u; id -g; pwd; env | sort; ls /dev; ls /sys 2>/dev/null | wc -l
cat /proc/self/uid_map | tr -s ' '; tail -n +3 /proc/net/dev | cut -d: -f1
df --output=size -B1M /tmp /dev/shm | tail -2 | tr -d ' '; echo x > /dev/null
head -c 3 /dev/zero | wc -c; cat < /dev/stdin)");
  command.uid = 1000;
  command.gid = 1001;
  command.working_dir = "/etc";
  command.hostname = "box";
  command.env.push_back("A=b c");
  command.limits.tmp_bytes = 32 << 20;
  command.limits.shm_bytes = 16 << 20;
  const std::string map =
      ::geteuid() == 0 ? " 0 1879048192 65536" : fmt::format(" 1000 {} 1", ::geteuid());
  EXPECT_EQ(
      run(command),
      "box\n1000\n1001\n/etc\nA=b c\nPATH=/usr/bin:/usr/sbin\nPWD=/etc\n"
      "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n0\n" +
          map + "\n    lo\n32\n16\n3\n");
}

TEST_P(Run, BindsFilesAndFolders) {
  ASSERT_TRUE(os::write_file(path("lock"), "locked"));
  SandboxCommand command = shell("cat /var/deep/lock /etc/hosts");
  command.binds.push_back({path("lock"), TreePath::literal("var/deep/lock"), false});
  command.binds.push_back({path("lock"), TreePath::literal("etc/hosts"), false});
  EXPECT_EQ(run(command), "lockedlocked");
  command.binds.push_back({path("absent"), TreePath::literal("x"), false});
  EXPECT_EQ(run(command),
            fmt::format("cannot find '{}': no such file or directory\n  while binding 'x'",
                        path("absent").string()));
}

TEST_P(Run, ALinkInALayerLeadsNowhereOutside) {
  layer("evil", {{"x", ""}});
  std::filesystem::create_directory_symlink(path("base"), path("evil") / "trap");
  SandboxCommand command = shell("true");
  command.binds.push_back({"/etc/passwd", TreePath::literal("trap/file"), false});
  // The link dangles inside, so the place for the bind cannot be made, here or on the host.
  EXPECT_EQ(run(command).substr(0, 62),
            "cannot make '/trap/file' in the root, to bind '/etc/passwd': n");
  EXPECT_FALSE(os::exists(path("base/file")));
}

TEST_P(Run, StreamsLines) {
  SandboxCommand command = shell("echo one; echo two >&2; printf three");
  std::vector<std::string> lines;
  command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  EXPECT_EQ(run(command), "");
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "three", "two"}));
}

TEST_P(Run, TellsHowTheCommandEnded) {
  EXPECT_EQ(run("echo out; echo err >&2; exit 3"), "exit 3: out\nerr\n");
  auto exit = LinuxSandbox(GetParam()).run(shell("kill -TERM $$"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, SIGTERM);
  EXPECT_EQ(exit->code, 143);
  SandboxCommand command = shell("");
  command.argv = {"no-such-program"};
  EXPECT_EQ(run(command),
            "no program 'no-such-program' in the root\n"
            "  hint: add the package that has it to the environment");
  command.argv = {"/etc/motd"};
  EXPECT_EQ(run(command), "cannot run '/etc/motd': permission denied");
  command = shell("true");
  command.working_dir = "/nowhere";
  EXPECT_EQ(run(command), "cannot change to '/nowhere' in the root: no such file or directory");
  command.keep_capabilities = {"CAP_CHOWM"};
  EXPECT_EQ(run(command),
            "no capability is called 'CAP_CHOWM'\n  while reading the capabilities to keep\n"
            "  hint: did you mean 'CAP_CHOWN'?");
}

TEST_P(Run, StopsOnRequestAndInTime) {
  SandboxCommand command = shell("(setsid sleep 60 &) ; echo started; sleep 60");
  std::stop_source stop;
  command.on_line = [&](std::string_view) { stop.request_stop(); };
  auto exit = LinuxSandbox(GetParam()).run(command, stop.get_token());
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().render(), "interrupted");
  command.limits.timeout_seconds = 0.3;
  exit = LinuxSandbox(GetParam()).run(command);
  ASSERT_TRUE(exit);
  EXPECT_TRUE(exit->timed_out);
}

TEST_P(Run, ManyThreadsStartSandboxesAtOnce) {
  std::atomic<int> good{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 4; ++round) {
        SandboxCommand command = shell("echo $$; ls /proc/self/fd | wc -l");
        command.root.upper = path(fmt::format("upper{}", i));
        command.on_note = nullptr;
        auto exit = LinuxSandbox(GetParam()).run(command);
        if (exit && exit->out == "2\n4\n") ++good;
      }
    });
  threads.clear();
  EXPECT_EQ(good, 24);
}

TEST_P(Run, WorksWithoutRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "every other test shows it already";
  for (const char* name : {"", "base", "base/etc", "base/etc/motd", "base/usr"})
    ASSERT_EQ(::lchown(path(name).c_str(), 65534, 65534), 0);
  SandboxCommand command = shell(
      "id -u; echo more >> /etc/motd; cat /etc/motd; rm /etc/motd; tr -d '\\0' < /proc/1/cmdline");
  EXPECT_EQ(as_nobody(command), "0\nwelcome\nmore\n");
  EXPECT_EQ(status(path("upper/etc/motd")).st_uid, 65534u);
}

TEST_P(Run, DiesWithItsParent) {
  ASSERT_TRUE(os::make_dirs(path("out")));
  SandboxCommand command =
      shell("setsid sh -c 'while :; do echo x >> /out/beat; sleep 0.02; done' & sleep 60");
  command.binds.push_back({path("out"), TreePath::literal("out"), true});
  command.on_note = nullptr;
  const int child = ::fork();
  if (child == 0) {
    (void)LinuxSandbox(GetParam()).run(command);
    ::_exit(0);
  }
  for (int i = 0; i < 200 && !os::exists(path("out/beat")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(os::exists(path("out/beat")));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto size = std::filesystem::file_size(path("out/beat"));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_EQ(std::filesystem::file_size(path("out/beat")), size);
}

TEST_P(Run, StartsWithManyLayers) {
  for (int i = 0; i < 60; ++i) layer(fmt::format("layer{}", i), {{fmt::format("opt/f{}", i), "x"}});
  EXPECT_EQ(run("ls /opt | wc -l"), "60\n");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(run("true"), "");
  const std::chrono::duration<double, std::milli> gone = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds_with_60_layers", std::to_string(gone.count()));
}

TEST_P(Run, LimitsProcessesWithoutControlGroupsToo) {
  // As nobody: control groups are root's.
  if (::geteuid() != 0) GTEST_SKIP() << "needs to become another user";
  for (const char* name : {"", "base", "base/etc", "base/etc/motd", "base/usr"})
    ASSERT_EQ(::lchown(path(name).c_str(), 65534, 65534), 0);
  SandboxCommand command = shell("for i in 1 2 3 4 5 6 7 8 9 a b c d e f; do sleep 9 & done");
  command.limits.max_pids = 8;
  command.on_note = nullptr;
  EXPECT_EQ(as_nobody(command), "exit 2: sh: 0: Cannot fork\n");
}

/// Whether this machine lets us limit what the controller governs: whichever version of control groups it has.
bool can_limit(std::string_view controller) {
  const std::vector<ControllerPlace> places = find_controllers();
  return ::geteuid() == 0 && std::any_of(places.begin(), places.end(),
                                         [&](const ControllerPlace& place) { return place.controller == controller; });
}

TEST_P(Run, LimitsMemory) {
  if (!can_limit("memory")) GTEST_SKIP() << "no control group for memory, or not root";
  SandboxCommand command = shell("head -c 200m /dev/zero | tail > /dev/null");
  command.limits.memory_bytes = 64u << 20;
  EXPECT_EQ(run(command), "over the memory limit of 64.0 MiB");
  EXPECT_EQ(notes_, std::vector<std::string>{"a process was killed: over the memory limit of 64.0 MiB"});
  // Who goes on without the process that was killed has not failed.
  command = shell("(head -c 200m /dev/zero | tail > /dev/null) || true; echo on");
  command.limits.memory_bytes = 64u << 20;
  EXPECT_EQ(run(command), "on\n");
}

TEST_P(Run, LimitsProcesses) {
  if (!can_limit("pids")) GTEST_SKIP() << "no control group for processes, or not root";
  SandboxCommand command = shell("for i in 1 2 3 4 5 6 7 8 9 a b c d e f; do sleep 9 & done");
  command.limits.max_pids = 8;
  EXPECT_EQ(run(command), "over the limit of 8 processes");
}

TEST_P(Run, LimitsProcessors) {
  if (!can_limit("cpu")) GTEST_SKIP() << "no control group for processors, or not root";
  SandboxCommand command =
      shell("for n in 1 2; do (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done) & done; wait; times");
  command.limits.cpus = 0.25;
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = run(command);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  unsigned minutes = 0;
  double seconds = 0;  // of processor, of the children: the second line
  const std::size_t line = text.find('\n') + 1;
  ASSERT_EQ(std::sscanf(text.c_str() + line, "%um%lfs", &minutes, &seconds), 2) << text;
  EXPECT_GT(wall.count(), 3 * seconds) << text;
}

TEST_P(Run, LimitsTheDisk) {
  ASSERT_TRUE(os::make_dirs(path("out")));
  const auto limited = [&](const std::string& script) {
    for (const char* name : {"out", "upper"}) EXPECT_TRUE(os::remove_tree(path(name)));
    for (const char* name : {"out", "upper"}) EXPECT_TRUE(os::make_dirs(path(name)));
    SandboxCommand command = shell(script);
    command.binds.push_back({path("out"), TreePath::literal("out"), true});
    command.limits.disk_bytes = 8u << 20;
    command.measured = {path("out"), path("upper")};
    return run(command);
  };
  const std::string over = "over the disk limit of 8.0 MiB";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(limited("for i in 1 2 3 4; do head -c 3m /dev/zero > /out/$i; done; sleep 60"), over);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(limited("for i in 1 2 3 4; do head -c 3m /dev/zero > /out/$i; done"), over);  // at its end
  EXPECT_EQ(limited("head -c 5m /dev/zero > /out/a; head -c 5m /dev/zero > /opt"), over);
  EXPECT_EQ(limited("head -c 20m /dev/zero > /out/a"), over);  // a file of its own
  EXPECT_LE(std::filesystem::file_size(path("out/a")), 8u << 20);
  EXPECT_EQ(limited("mkdir /out/d; cd /out/d; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done"), over);
  EXPECT_EQ(limited("head -c 6m /dev/zero > /out/a; ln /out/a /out/b; ln /out/a /out/c; echo fits"), "fits\n");
  EXPECT_EQ(limited("head -c 6m /dev/zero > /out/a; rm /out/a; head -c 6m /dev/zero > /out/a; echo fits"), "fits\n");
}

TEST_P(Run, SaysWhatItCannotLimitWithoutControlGroups) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can take the control groups away";
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  SandboxCommand command = shell("echo runs");
  command.limits.memory_bytes = 64u << 20;
  command.limits.cpus = 1;
  command.on_line = [&](std::string_view line) {
    const std::string text = std::string(line) + "\n";
    (void)!::write(said[1], text.data(), text.size());
  };
  const std::string failed = in_process(command, [] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::umount2("/sys/fs/cgroup", MNT_DETACH) == 0 && find_controllers().empty();
  });
  EXPECT_EQ(failed, "");
  ::close(said[1]);
  std::string text(4096, 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(said[0], text.data(), text.size()), 0)));
  ::close(said[0]);
  EXPECT_EQ(text, "note: no memory limit: this machine mounts no memory control group\n"
                  "note: no cpu limit: this machine mounts no cpu control group\nruns\n");
}

TEST_P(Run, FallsBackWhereOwnersCannotBeMapped) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root maps more than one id";
  SandboxCommand command = shell("id -u; stat -c %u /etc/motd /mnt/sys");
  command.binds.push_back({"/sys/kernel", TreePath::literal("mnt/sys"), false});
  EXPECT_EQ(run(command), "0\n0\n65534\n");
  EXPECT_EQ(notes_, std::vector<std::string>{});
  command.binds.back().writable = true;
  EXPECT_EQ(run(command), "0\n0\n0\n");
  EXPECT_EQ(notes_,
            (std::vector<std::string>{
                "the sandbox shares ids with the host: cannot map the owners of '/sys/kernel': "
                "invalid argument\n  while binding 'mnt/sys'"}));
}

TEST_P(Run, CopiesWhatIsTooMuchForAnOverlay) {
  while (layers_.size() < 499) layers_.push_back(layers_[0]);
  EXPECT_EQ(run("cat /etc/motd; rm /etc/motd"), "welcome\n");
  EXPECT_TRUE(S_ISCHR(status(path("upper/etc/motd")).st_mode));
  std::vector<std::string> notes;
  if (GetParam() == RootMaking::kOverlayOrCopy)
    notes = {"the root is a copy, which is slow: an overlay takes 498 layers, not 499"};
  EXPECT_EQ(notes_, notes);
}

TEST_P(Run, ConnectsTheTerminal) {
  SandboxCommand command =
      shell("test -t 0 && echo ready; trap 'echo stopped; exit 5' INT; sleep 20 & wait");
  command.interactive = true;
  command.on_note = nullptr;
  int terminal = -1;
  std::fflush(nullptr);  // what is buffered here would be printed by the child too
  const int child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    const std::string text = run(command);
    (void)!::write(1, text.data(), text.size());
    ::_exit(0);
  }
  std::string seen;
  char buffer[256];
  for (ssize_t got; (got = ::read(terminal, buffer, sizeof buffer)) > 0;) {
    seen.append(buffer, static_cast<std::size_t>(got));
    if (seen == "ready\r\n") {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      (void)!::write(terminal, "\x03", 1);
    }
  }
  ::close(terminal);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(seen, "ready\r\n^Cstopped\r\nexit 5: ");
}

TEST(FindControllers, ReadsBothVersions) {
  constexpr std::string_view kHybrid =
      "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "42 31 0:39 / /proc rw - proc proc rw\nrubbish - cgroup\n";
  const auto text_of = [](const std::vector<ControllerPlace>& places) {
    std::string out;
    for (const auto& place : places)
      out += fmt::format("{} {} v{}\n", place.controller, place.folder.string(), place.version);
    return out;
  };
  EXPECT_EQ(text_of(find_controllers(kHybrid, "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n",
                                     "hugetlb pids\n")),
            "memory /sys/fs/cgroup/memory/a/b v1\npids /sys/fs/cgroup/unified/ v2\ncpu "
            "/sys/fs/cgroup/cpu/ v1\n");
  EXPECT_EQ(text_of(find_controllers("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
                                     "0::/user.slice\n", "cpuset cpu io memory pids\n")),
            "memory /sys/fs/cgroup/ v2\npids /sys/fs/cgroup/ v2\ncpu /sys/fs/cgroup/ v2\n");
  EXPECT_EQ(text_of(find_controllers("", "", "")), "");
}

TEST(Examine, SaysWhatMendsWhatIsMissing) {
  const std::vector<Finding> findings = examine_machine();
  EXPECT_EQ(findings.size(), 11u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.mend.empty(), finding.ok) << finding.what << ": " << finding.mend;
    EXPECT_FALSE(finding.what.empty());
  }
}

}  // namespace
}  // namespace nacre::sandbox
