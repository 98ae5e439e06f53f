#include "sandbox/launch.h"

#include "os/file.h"

#include <seccomp.h>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace nacre::sandbox {
namespace {

// Refused whatever the arguments: they reach the kernel's depths, other processes or the machine.
constexpr const char* kDenied[] = {
    // namespaces and mounts
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "fsopen",
    "fsconfig", "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr", "swapon",
    "swapoff", "quotactl", "quotactl_fd", "open_by_handle_at", "name_to_handle_at",
    "fanotify_init", "fanotify_mark",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    "move_pages", "migrate_pages",
    // kernel machinery with a history of holes
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "keyctl", "add_key", "request_key", "lookup_dcookie", "vmsplice",
    // the machine
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "query_module", "get_kernel_syms", "reboot", "syslog", "acct",
    "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime",
    "clock_adjtime64", "adjtimex", "iopl", "ioperm", "sethostname", "setdomainname", "vhangup",
    "nfsservctl", "uselib", "vm86", "vm86old", "ustat", "sysfs", "_sysctl",
};

constexpr unsigned long kNewNamespace[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,
                                           CLONE_NEWNET,  CLONE_NEWUTS, CLONE_NEWIPC,
                                           CLONE_NEWCGROUP};

// Socket families that builds use. Of the others, vsock (40) reaches past the network namespace.
constexpr int kLastCommonFamily = AF_NETLINK;
constexpr bool is_allowed_family(int family) {
  return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

// Calls that came after this number are unknown to the list above: the filter answers ENOSYS, on
// which programs fall back. 466: removexattrat, the last before open_tree_attr.
constexpr unsigned kLastKnownCall = 466;

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

int deny_calls(scmp_filter_ctx context) {
  for (const char* name : kDenied) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // not on this architecture, or newer than libseccomp
    const int failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0);
    if (failure != 0 && number >= 0) return failure;
  }
  // Its flags are in memory, out of the filter's sight; the C library falls back to clone.
  return seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/// A condition on one argument. libseccomp's own macros for it are C, not C++.
scmp_arg_cmp argument(unsigned index, scmp_compare op, scmp_datum_t a, scmp_datum_t b = 0) {
  return {index, op, a, b};
}

int deny_arguments(scmp_filter_ctx context) {
  int failure = 0;
  for (const unsigned long flag : kNewNamespace)
    if (failure == 0)
      failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                 argument(0, SCMP_CMP_MASKED_EQ, flag, flag));
  for (int family = 0; family <= kLastCommonFamily && failure == 0; ++family)
    if (!is_allowed_family(family))
      failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 argument(0, SCMP_CMP_EQ, static_cast<unsigned>(family)));
  if (failure == 0)
    failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                               argument(0, SCMP_CMP_GT, kLastCommonFamily));
  // Typing into the caller's terminal.
  for (const unsigned request : {unsigned{TIOCSTI}, unsigned{TIOCLINUX}})
    if (failure == 0)
      failure = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                 argument(1, SCMP_CMP_EQ, request));
  return failure;
}

/// libseccomp writes the program to a descriptor only.
Result<std::vector<sock_filter>> bytes_of(scmp_filter_ctx context) {
  const os::Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return os::system_error(errno, "make a memory file");
  if (const int failure = seccomp_export_bpf(context, file.get()); failure != 0)
    return os::system_error(-failure, "write the system call filter");
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  const std::size_t bytes = program.size() * sizeof(sock_filter);
  if (::pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes))
    return os::system_error(errno, "read the system call filter");
  return program;
}

}  // namespace

Result<std::vector<sock_filter>> build_filter() {
  const Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (!context) return Error::make(ErrorKind::kInternal, "libseccomp gives no filter");
  int failure = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  if (failure == 0) failure = deny_calls(context.get());
  if (failure == 0) failure = deny_arguments(context.get());
  if (failure != 0) return os::system_error(-failure, "build the system call filter");
  const std::vector<sock_filter> known = TRY(bytes_of(context.get()));

  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // seccomp_data.nr
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kLastKnownCall, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  program.insert(program.end(), known.begin(), known.end());
  return program;
}

}  // namespace nacre::sandbox
