// The attacker of attack_test.cc: run inside a sandbox as a static program, it tries each named
// attack and prints "NAME: ok" when it got through, or the error that stopped it.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

long fail_with(int number) {
  errno = number;
  return -1;
}

long connect_tcp(const Arguments& a) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(a.at(0))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to);
}

long connect_unix(const std::string& name, bool abstract) {
  const int s = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  return connect(s, reinterpret_cast<sockaddr*>(&to), size);
}

long self_loopback(const Arguments&) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in me{};
  me.sin_family = AF_INET;
  me.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof me;
  if (bind(s, reinterpret_cast<sockaddr*>(&me), sizeof me) != 0 || listen(s, 1) != 0 ||
      getsockname(s, reinterpret_cast<sockaddr*>(&me), &size) != 0)
    return -1;
  return connect(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&me), sizeof me);
}

/// Anything but the three streams (and the directory that we list with).
long open_descriptors(const Arguments&) {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  int found = 0;
  while (const dirent* entry = readdir(folder))
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) > 2 &&
        std::atoi(entry->d_name) != dirfd(folder))
      ++found;
  return found > 0 ? 0 : fail_with(ENOENT);
}

/// Whether any capability beyond `allowed` can be had.
long extra_capabilities(const Arguments& a) {
  const unsigned long long allowed = std::stoull(a.at(0), nullptr, 16);
  for (int number = 0; number < 64; ++number)
    if (prctl(PR_CAPBSET_READ, number) == 1 && (allowed >> number & 1) == 0) return 0;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  syscall(SYS_capget, &header, data);
  const unsigned long long held =
      data[0].permitted | static_cast<unsigned long long>(data[1].permitted) << 32;
  return (held & ~allowed) != 0 ? 0 : fail_with(EPERM);
}

long content_of(const char* path) {
  const int fd = open(path, O_RDONLY);
  char byte;
  if (fd < 0) return -1;
  const ssize_t got = read(fd, &byte, 1);
  return got > 0 && byte != 0 ? 0 : got < 0 ? -1 : fail_with(ENODATA);
}

long write_to(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : write(fd, text, std::strlen(text));
}

long raw_clone(unsigned long flags) {
  const long pid = syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) _exit(0);
  return pid;
}

long processes_seen(const Arguments&) {
  DIR* folder = opendir("/proc");
  int found = 0;
  while (const dirent* entry = readdir(folder)) found += std::atoi(entry->d_name) > 0 ? 1 : 0;
  return found > 2 ? 0 : fail_with(ESRCH);  // process 1 and we
}

long fork_many(const Arguments& a) {
  const int wanted = std::stoi(a.at(0));
  for (int made = 0; made < wanted; ++made) {
    const pid_t pid = fork();
    if (pid < 0) return -1;
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  return 0;
}

long eat_memory(const Arguments& a) {
  const std::size_t bytes = std::stoull(a.at(0)) << 20;
  char* memory = static_cast<char*>(malloc(bytes));
  for (std::size_t at = 0; at < bytes; at += 4096) const_cast<volatile char*>(memory)[at] = 1;
  return 0;
}

/// A daemon, twice forked and in a session of its own, that touches a file for ever.
long leave_daemon(const Arguments& a) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      for (;;) {
        const int fd = open(a.at(0).c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
        (void)!write(fd, "x", 1);
        close(fd);
        usleep(20'000);
      }
    }
    _exit(0);
  }
  usleep(200'000);
  return 0;
}

struct Attack {
  const char* name;
  long (*run)(const Arguments&);
};

const Attack kAttacks[] = {
    {"connect-tcp", connect_tcp},
    {"connect-abstract", [](const Arguments& a) { return connect_unix(a.at(0), true); }},
    {"connect-path", [](const Arguments& a) { return connect_unix(a.at(0), false); }},
    {"own-loopback", self_loopback},
    {"vsock", [](const Arguments&) { return long{socket(40, SOCK_STREAM, 0)}; }},
    {"packet-socket", [](const Arguments&) { return long{socket(AF_PACKET, SOCK_RAW, 0)}; }},
    {"raw-socket", [](const Arguments&) { return long{socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)}; }},
    {"see-path", [](const Arguments& a) { return long{access(a.at(0).c_str(), F_OK)}; }},
    {"read", [](const Arguments& a) { return content_of(a.at(0).c_str()); }},
    {"write", [](const Arguments& a) { return write_to(a.at(0).c_str(), "1"); }},
    {"create",
     [](const Arguments& a) { return long{open(a.at(0).c_str(), O_CREAT | O_WRONLY, 0644)}; }},
    {"mount", [](const Arguments&) { return long{mount("x", "/tmp", "tmpfs", 0, nullptr)}; }},
    {"remount",
     [](const Arguments& a) {
       return long{mount(nullptr, a.at(0).c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr)};
     }},
    {"umount", [](const Arguments& a) { return long{umount2(a.at(0).c_str(), MNT_DETACH)}; }},
    {"fsopen", [](const Arguments&) { return syscall(SYS_fsopen, "tmpfs", 0); }},
    {"open-tree", [](const Arguments&) { return syscall(SYS_open_tree, AT_FDCWD, "/", 1); }},
    {"open-tree-attr", [](const Arguments&) { return syscall(467, AT_FDCWD, "/", 1, nullptr, 0); }},
    {"pivot-root", [](const Arguments&) { return syscall(SYS_pivot_root, ".", "."); }},
    {"chroot", [](const Arguments&) { return long{chroot("/tmp")}; }},
    {"unshare-user", [](const Arguments&) { return long{unshare(CLONE_NEWUSER)}; }},
    {"unshare-mount", [](const Arguments&) { return long{unshare(CLONE_NEWNS)}; }},
    {"clone-user", [](const Arguments&) { return raw_clone(CLONE_NEWUSER); }},
    {"clone-net", [](const Arguments&) { return raw_clone(CLONE_NEWNET); }},
    {"clone3",
     [](const Arguments&) {
       unsigned long long request[11] = {CLONE_NEWUSER};
       return syscall(SYS_clone3, request, sizeof request);
     }},
    {"setns", [](const Arguments&) { return long{setns(open("/proc/1/ns/user", O_RDONLY), 0)}; }},
    {"setns-raw", [](const Arguments&) { return long{setns(0, 0)}; }},
    {"ptrace-init", [](const Arguments&) { return ptrace(PTRACE_ATTACH, 1, nullptr, nullptr); }},
    {"read-init-memory", [](const Arguments&) { return content_of("/proc/1/mem"); }},
    {"init-environment", [](const Arguments&) { return content_of("/proc/1/environ"); }},
    {"init-arguments", [](const Arguments&) { return content_of("/proc/1/cmdline"); }},
    {"init-root", [](const Arguments&) { return long{access("/proc/1/root/etc", F_OK)}; }},
    {"kill", [](const Arguments& a) { return long{kill(std::stoi(a.at(0)), SIGKILL)}; }},
    {"see-processes", processes_seen},
    {"mknod",
     [](const Arguments& a) {
       return long{mknod(a.at(0).c_str(), S_IFBLK | 0600, makedev(254, 0))};
     }},
    {"keyctl", [](const Arguments&) { return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0); }},
    {"add-key", [](const Arguments&) { return syscall(SYS_add_key, "user", "a", "b", 1, -3); }},
    {"bpf", [](const Arguments&) { return syscall(SYS_bpf, 0, nullptr, 0); }},
    {"perf", [](const Arguments&) { return syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
    {"userfaultfd", [](const Arguments&) { return syscall(SYS_userfaultfd, 0); }},
    {"io-uring", [](const Arguments&) { return syscall(SYS_io_uring_setup, 1, nullptr); }},
    {"kexec", [](const Arguments&) { return syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
    {"init-module", [](const Arguments&) { return syscall(SYS_init_module, nullptr, 0, ""); }},
    {"open-by-handle",
     [](const Arguments&) { return syscall(SYS_open_by_handle_at, -1, nullptr, 0); }},
    {"reboot", [](const Arguments&) { return syscall(SYS_reboot, 0, 0, 0, nullptr); }},
    {"type-into-terminal", [](const Arguments&) { return long{ioctl(0, TIOCSTI, "x")}; }},
    {"set-hostname", [](const Arguments&) { return long{sethostname("x", 1)}; }},
    {"x32-call", [](const Arguments&) { return syscall(0x40000000 | SYS_getpid); }},
    {"open-descriptors", open_descriptors},
    {"extra-capabilities", extra_capabilities},
    {"no-new-privileges",
     [](const Arguments&) {
       return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0L : fail_with(EPERM);
     }},
    {"environment",
     [](const Arguments&) { return environ[0] != nullptr ? 0L : fail_with(ENOENT); }},
    {"own-session", [](const Arguments&) { return getsid(0) == getpid() ? 0L : fail_with(EPERM); }},
    {"become",
     [](const Arguments& a) { return long{setuid(static_cast<uid_t>(std::stoul(a.at(0))))}; }},
    {"give-away",
     [](const Arguments& a) {
       return long{chown(a.at(0).c_str(), static_cast<uid_t>(std::stoul(a.at(1))), 7)};
     }},
    {"fork", fork_many},
    {"eat-mib", eat_memory},
    {"leave-daemon", leave_daemon},
    {"sleep",
     [](const Arguments& a) {
       return long{usleep(static_cast<useconds_t>(std::stoul(a.at(0)) * 1000))};
     }},
};

void try_attack(const std::string& word) {
  const std::size_t equals = word.find('=');
  Arguments arguments;
  std::string rest = equals == std::string::npos ? "" : word.substr(equals + 1);
  for (std::size_t comma; !rest.empty();
       rest.erase(0, comma == std::string::npos ? comma : comma + 1)) {
    comma = rest.find(',');
    arguments.push_back(rest.substr(0, comma));
  }
  for (const Attack& attack : kAttacks) {
    if (word.substr(0, equals) != attack.name) continue;
    const long result = attack.run(arguments);
    std::printf("%s: %s\n", attack.name, result >= 0 ? "ok" : strerrorname_np(errno));
    return;
  }
  std::printf("%s: no such attack\n", word.c_str());
}

}  // namespace

int main(int count, char** words) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (int i = 1; i < count; ++i) try_attack(words[i]);
}
