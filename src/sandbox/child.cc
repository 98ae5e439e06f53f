#include "sandbox/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

// Runs between fork and exec of a process with threads: no allocation, no locks, only system calls.
//
// Three processes: `enter` joins the user namespace and makes the others; its child is process 1 of
// the new pid namespace and builds the root; that one's child becomes the command. When process 1
// ends, for whatever reason, the kernel kills all that is left in the sandbox.
namespace nacre::sandbox {
namespace {

void close_others(const std::vector<int>& keep) {
  unsigned from = 3;
  for (const int fd : keep) {
    if (fd < 3) continue;
    const unsigned number = static_cast<unsigned>(fd);
    if (number > from) ::syscall(SYS_close_range, from, number - 1, 0);
    from = std::max(from, number + 1);
  }
  ::syscall(SYS_close_range, from, ~0u, 0);
}

void default_signals() {
  for (int number = 1; number < 65; ++number)
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool is_alone(const Launch& launch) {
  pollfd life = {launch.life, 0, 0};
  return ::poll(&life, 1, 0) != 0;
}

/// Ids through the system calls themselves: the C library's wrappers signal all threads of the
/// parent's image.
bool set_ids(const Launch& launch, unsigned uid, unsigned gid) {
  if (launch.ids.kind != IdMap::Kind::kSingle && ::syscall(SYS_setgroups, 0, nullptr) != 0)
    return false;
  return ::syscall(SYS_setresgid, gid, gid, gid) == 0 &&
         ::syscall(SYS_setresuid, uid, uid, uid) == 0;
}

bool raise_loopback() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  bool ok = ::ioctl(socket, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  ok = ok && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  ::syscall(SYS_close, socket);
  return ok;
}

/// Process 1: waits for the command and reaps what it orphans.
[[noreturn]] void keep_house(const Launch& launch, int command) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  const int ended = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  for (;;) {
    int status = 0;
    for (int pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid != command) continue;
      (void)!::write(launch.status, &status, sizeof status);
      ::_exit(0);
    }
    pollfd fds[] = {{ended, POLLIN, 0}, {launch.life, 0, 0}};
    ::poll(fds, 2, -1);
    if (fds[1].revents != 0) ::_exit(1);
    signalfd_siginfo info;
    (void)!::read(ended, &info, sizeof info);
  }
}

[[noreturn]] void become_init(const Launch& launch) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (is_alone(launch)) ::_exit(1);
  build_root(launch);
  if (::sethostname(launch.hostname.data(), launch.hostname.size()) != 0)
    fail(launch, Step::kHostname);
  if (launch.own_network && !raise_loopback()) fail(launch, Step::kLoopback);
  const int command = raw_fork();
  if (command < 0) fail(launch, Step::kFork);
  if (command == 0) become_command(launch);
  // What /proc/1 would tell of the host.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "init");
  if (launch.arguments != nullptr) std::memset(launch.arguments, 0, launch.arguments_bytes);
  const int kept[] = {std::min(launch.life, launch.status), std::max(launch.life, launch.status)};
  ::syscall(SYS_close_range, 0, kept[0] - 1, 0);
  if (kept[1] > kept[0] + 1) ::syscall(SYS_close_range, kept[0] + 1, kept[1] - 1, 0);
  ::syscall(SYS_close_range, kept[1] + 1, ~0u, 0);
  keep_house(launch, command);
}

void take_terminal(const Launch& launch) {
  if (!launch.interactive) {
    ::setsid();
    return;
  }
  // A process group of its own, in front, so that job control and Ctrl-C work inside.
  if (!::isatty(0)) return;
  sigset_t output;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &output, nullptr);
  if (::setpgid(0, 0) != 0 || ::tcsetpgrp(0, ::getpid()) != 0) fail(launch, Step::kTerminal);
}

bool set_capabilities(std::uint64_t bits, bool inheritable) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    const unsigned part = static_cast<unsigned>(bits >> (32 * half));
    data[half].effective = data[half].permitted = part;
    data[half].inheritable = inheritable ? part : 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// Leaves `uid` with the wanted capabilities and no way to others.
bool drop_power(const Launch& launch) {
  for (int number = 0; number < 64; ++number)
    if ((launch.bounding >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number) != 0 &&
        errno != EINVAL)
      return false;
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || !set_ids(launch, launch.uid, launch.gid)) return false;
  // Uid 0 gets its own at exec; another id keeps what it was given only as ambient capabilities.
  const bool ambient = launch.uid != 0;
  if (!set_capabilities(launch.capabilities, ambient)) return false;
  for (int number = 0; ambient && number < 64; ++number)
    if ((launch.capabilities >> number & 1) != 0 &&
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0)
      return false;
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/// Landlock, version 6: no abstract sockets and no signals of those outside. Needed where the
/// network namespace is the host's.
bool scope_sockets() {
  struct {
    std::uint64_t files, network, scoped;
  } rules = {0, 0, 3};
  const long ruleset = ::syscall(444, &rules, sizeof rules, 0);
  return ruleset >= 0 && ::syscall(446, ruleset, 0) == 0;
}

}  // namespace

void fail(const Launch& launch, Step step, int index, const char* detail) {
  Report report;
  report.error = errno;
  report.step = step;
  report.index = index;
  if (detail != nullptr) std::strncpy(report.detail, detail, sizeof report.detail - 1);
  (void)!::write(launch.report, &report, sizeof report);
  ::_exit(127);
}

int raw_fork(unsigned long flags) {
  return static_cast<int>(
      ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

void become_command(const Launch& launch) {
  for (const int procs : launch.cgroups)
    if (::write(procs, "0", 1) != 1) fail(launch, Step::kCgroup);
  take_terminal(launch);
  if (!launch.interactive)
    if (::dup2(launch.in, 0) < 0 || ::dup2(launch.out, 1) < 0 || ::dup2(launch.err, 2) < 0)
      fail(launch, Step::kTerminal);
  if (launch.max_pids_rlimit > 0) {
    const rlimit limit = {launch.max_pids_rlimit, launch.max_pids_rlimit};
    ::setrlimit(RLIMIT_NPROC, &limit);
  }
  if (launch.max_file_bytes > 0) {
    const rlimit limit = {launch.max_file_bytes, launch.max_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (!drop_power(launch)) fail(launch, Step::kCapabilities);
  if (::chdir(launch.working_dir.c_str()) != 0) fail(launch, Step::kWorkingDir);
  if (launch.scope_sockets && !scope_sockets()) fail(launch, Step::kScope);
  ::syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
  default_signals();
  unblock_signals();
  const sock_fprog program = {static_cast<unsigned short>(launch.filter.size()),
                              const_cast<sock_filter*>(launch.filter.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    fail(launch, Step::kSeccomp);
  int failure = ENOENT;
  for (const std::string& name : launch.programs) {
    ::execve(name.c_str(), launch.argv.data(), launch.env.data());
    if (errno != ENOENT && errno != ENOTDIR) failure = errno;
    if (failure != ENOENT && failure != EACCES) break;
  }
  errno = failure;
  fail(launch, Step::kExec);
}

void enter(const Launch& launch) {
  default_signals();
  close_others(launch.keep);
  if (::setns(launch.user_ns.get(), CLONE_NEWUSER) != 0) fail(launch, Step::kUserNamespace);
  const int network = launch.own_network ? CLONE_NEWNET : 0;
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP |
                network) != 0)
    fail(launch, Step::kNamespaces);
  const unsigned builder = launch.ids.kind == IdMap::Kind::kSingle ? launch.uid : 0;
  const unsigned group = launch.ids.kind == IdMap::Kind::kSingle ? launch.gid : 0;
  if (!set_ids(launch, builder, group)) fail(launch, Step::kIdentity);
  // After the change of ids, which clears it; a parent that died before is noticed by hand.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent_pid || is_alone(launch)) ::_exit(1);
  const int init = raw_fork();
  if (init < 0) fail(launch, Step::kFork);
  if (init == 0) become_init(launch);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::syscall(SYS_close_range, 0, ~0u, 0);
  while (::waitpid(init, nullptr, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace nacre::sandbox
