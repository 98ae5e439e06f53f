#include "package/standard_headers.h"

#include <algorithm>
#include <array>
#include <span>

namespace nacre::package {
namespace {

/// Of ISO C and POSIX, without .h.
constexpr std::array<std::string_view, 87> kNamed = {
    "aio", "arpa/inet", "complex", "cpio", "ctype", "dirent", "dlfcn", "endian", "errno", "fcntl", "fenv", "float",
    "fmtmsg", "fnmatch", "ftw", "glob", "grp", "iconv", "inttypes", "iso646", "langinfo", "libgen", "limits",
    "libintl", "locale", "math", "monetary", "mqueue", "net/if", "netdb", "netinet/in", "netinet/tcp", "nl_types",
    "poll", "pthread", "pwd", "regex", "sched", "search", "semaphore", "setjmp", "signal", "spawn", "stdalign",
    "stdarg", "stdatomic", "stdbit", "stdbool", "stdckdint", "stddef", "stdint", "stdio", "stdlib", "stdnoreturn",
    "string", "strings", "sys/ipc", "sys/mman", "sys/msg", "sys/resource", "sys/select", "sys/sem", "sys/shm",
    "sys/socket", "sys/stat", "sys/statvfs", "sys/time", "sys/times", "sys/types", "sys/uio", "sys/un", "sys/utsname",
    "sys/wait", "syslog", "tar", "termios", "tgmath", "threads", "time", "uchar", "ulimit", "unistd", "utime", "utmpx",
    "wchar", "wctype", "wordexp"};

/// Of glibc, whose manual says the same of all its headers, and of Linux, with .h.
constexpr std::array<std::string_view, 199> kBrought = {
    "a.out.h", "aliases.h", "alloca.h", "ar.h", "argp.h", "argz.h", "assert.h", "arpa/ftp.h", "arpa/nameser.h",
    "arpa/nameser_compat.h", "arpa/telnet.h", "arpa/tftp.h", "asm-generic/bitsperlong.h", "asm-generic/errno-base.h",
    "asm-generic/errno.h", "asm-generic/int-ll64.h", "asm-generic/ioctl.h", "asm-generic/ioctls.h",
    "asm-generic/posix_types.h", "asm-generic/socket.h", "asm-generic/sockios.h", "asm-generic/types.h",
    "asm-generic/unistd.h", "asm/bitsperlong.h", "asm/errno.h", "asm/ioctl.h", "asm/ioctls.h", "asm/posix_types.h",
    "asm/posix_types_32.h", "asm/posix_types_64.h", "asm/posix_types_x32.h", "asm/socket.h", "asm/sockios.h",
    "asm/types.h", "asm/unistd.h", "asm/unistd_32.h", "asm/unistd_64.h", "asm/unistd_x32.h", "byteswap.h", "elf.h",
    "envz.h", "err.h", "error.h", "execinfo.h", "features-time64.h", "features.h",
    "finclude/x86_64-linux-gnu/math-vector-fortran.h", "fpu_control.h", "fstab.h", "fts.h", "gconv.h", "getopt.h",
    "gnu-versions.h", "gshadow.h", "ieee754.h", "ifaddrs.h", "lastlog.h", "link.h", "linux/close_range.h",
    "linux/errno.h", "linux/ioctl.h", "linux/limits.h", "linux/posix_types.h", "linux/sched.h", "linux/sched/types.h",
    "linux/stddef.h", "linux/types.h", "malloc.h", "mcheck.h", "memory.h", "mntent.h", "net/ethernet.h",
    "net/if_arp.h", "net/if_packet.h", "net/if_ppp.h", "net/if_shaper.h", "net/if_slip.h", "net/ppp-comp.h",
    "net/ppp_defs.h", "net/route.h", "netash/ash.h", "netatalk/at.h", "netax25/ax25.h", "neteconet/ec.h",
    "netinet/ether.h", "netinet/icmp6.h", "netinet/if_ether.h", "netinet/if_fddi.h", "netinet/if_tr.h",
    "netinet/igmp.h", "netinet/in_systm.h", "netinet/ip.h", "netinet/ip6.h", "netinet/ip_icmp.h", "netinet/udp.h",
    "netipx/ipx.h", "netiucv/iucv.h", "netpacket/packet.h", "netrom/netrom.h", "netrose/rose.h", "nfs/nfs.h", "nss.h",
    "obstack.h", "paths.h", "printf.h", "proc_service.h", "protocols/routed.h", "protocols/rwhod.h",
    "protocols/talkd.h", "protocols/timed.h", "pty.h", "re_comp.h", "regexp.h", "resolv.h", "rpc/netdb.h",
    "scsi/scsi.h", "scsi/scsi_ioctl.h", "scsi/sg.h", "sgtty.h", "shadow.h", "stab.h", "stdc-predef.h", "stdio_ext.h",
    "sys/acct.h", "sys/auxv.h", "sys/bitypes.h", "sys/cdefs.h", "sys/debugreg.h", "sys/dir.h", "sys/elf.h",
    "sys/epoll.h", "sys/errno.h", "sys/eventfd.h", "sys/fanotify.h", "sys/fcntl.h", "sys/file.h", "sys/fsuid.h",
    "sys/gmon.h", "sys/gmon_out.h", "sys/inotify.h", "sys/io.h", "sys/ioctl.h", "sys/kd.h", "sys/klog.h",
    "sys/mount.h", "sys/mtio.h", "sys/param.h", "sys/pci.h", "sys/perm.h", "sys/personality.h", "sys/pidfd.h",
    "sys/platform/x86.h", "sys/poll.h", "sys/prctl.h", "sys/procfs.h", "sys/profil.h", "sys/ptrace.h", "sys/queue.h",
    "sys/quota.h", "sys/random.h", "sys/raw.h", "sys/reboot.h", "sys/reg.h", "sys/rseq.h", "sys/sendfile.h",
    "sys/signal.h", "sys/signalfd.h", "sys/single_threaded.h", "sys/socketvar.h", "sys/soundcard.h", "sys/statfs.h",
    "sys/swap.h", "sys/syscall.h", "sys/sysinfo.h", "sys/syslog.h", "sys/sysmacros.h", "sys/termios.h", "sys/timeb.h",
    "sys/timerfd.h", "sys/timex.h", "sys/ttychars.h", "sys/ttydefaults.h", "sys/ucontext.h", "sys/unistd.h",
    "sys/user.h", "sys/vfs.h", "sys/vlimit.h", "sys/vm86.h", "sys/vt.h", "sys/xattr.h", "syscall.h", "sysexits.h",
    "termio.h", "thread_db.h", "ttyent.h", "ucontext.h", "utmp.h", "values.h", "wait.h"};

/// Of gcc, with .h.
constexpr std::array<std::string_view, 6> kOfCompiler = {"float.h",  "limits.h",     "stdarg.h", "stdbool.h",
                                                         "stddef.h", "stdint.h"};

/// What `gcc -dM -E` and `clang -dM -E` print of nothing: whole, how they begin, how they end.
constexpr std::array<std::string_view, 46> kPredefined = {
    "_LP64", "__BYTE_ORDER__", "__CHAR_BIT__", "__CHAR_UNSIGNED__", "__DEPRECATED", "__ELF__", "__EXCEPTIONS",
    "__FLOAT_WORD_ORDER__", "__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__", "__GNUC_STDC_INLINE__", "__GNUG__",
    "__ILP32__", "__LP64__", "__NO_INLINE__", "__OPTIMIZE__", "__OPTIMIZE_SIZE__", "__PIC__", "__PIE__",
    "__REGISTER_PREFIX__", "__STDC__", "__STDC_HOSTED__", "__STDC_VERSION__", "__USER_LABEL_PREFIX__", "__VERSION__",
    "__aarch64__", "__amd64", "__amd64__", "__arm__", "__gnu_linux__", "__has_attribute", "__has_builtin",
    "__has_c_attribute", "__has_cpp_attribute", "__has_include", "__has_include_next", "__i386", "__i386__", "__linux",
    "__linux__", "__pic__", "__pie__", "__unix", "__unix__", "__x86_64__"};
constexpr std::array<std::string_view, 19> kPredefinedBegin = {
    "__ATOMIC_", "__DBL_", "__DEC128_", "__DEC32_", "__DEC64_", "__FLT", "__GCC_", "__GXX_", "__INT", "__LDBL_",
    "__LONG_", "__ORDER_", "__SIZEOF_", "__UINT", "__WCHAR_", "__WINT_", "__cpp_", "__SCHAR_", "__SHRT_"};
constexpr std::array<std::string_view, 4> kPredefinedSizes = {"__SIZE_", "__PTRDIFF_", "__SIG_ATOMIC_", "__CHAR"};
constexpr std::array<std::string_view, 4> kPredefinedEnd = {"_TYPE__", "_MAX__", "_MIN__", "_WIDTH__"};

template <std::size_t kCount>
bool one_of(std::string_view text, const std::array<std::string_view, kCount>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool take(std::string_view& path, std::string_view begin) {
  if (!path.starts_with(begin)) return false;
  path.remove_prefix(begin.size());
  return true;
}

/// "x86_64-linux-gnu/sys/types.h" -> "sys/types.h".
void take_triple(std::string_view& path) {
  const std::string_view folder = path.substr(0, path.find('/'));
  if (folder.size() < path.size() && folder.find("-linux") != std::string_view::npos)
    path.remove_prefix(folder.size() + 1);
}

}  // namespace

StandardHeader standard_header(std::string_view path) {
  if (take(path, "usr/lib/gcc/")) {
    const std::size_t folder = path.find("/include/");
    if (folder == std::string_view::npos) return StandardHeader::kNone;
    path.remove_prefix(folder + std::string_view("/include/").size());
    return one_of(path, kOfCompiler) ? StandardHeader::kNamed : StandardHeader::kBrought;
  }
  if (take(path, "usr/lib/linux/uapi/")) path.remove_prefix(std::min(path.size(), path.find('/') + 1));  // Debian
  else if (!take(path, "usr/include/")) return StandardHeader::kNone;
  take_triple(path);
  if (take(path, "c++/")) {
    path.remove_prefix(std::min(path.size(), path.find('/') + 1));
    take_triple(path);
    const bool named = path.find('/') == std::string_view::npos && path != "cassert";
    return named ? StandardHeader::kNamed : StandardHeader::kBrought;
  }
  if (path.ends_with(".h") && one_of(path.substr(0, path.size() - 2), kNamed)) return StandardHeader::kNamed;
  return path.starts_with("bits/") || path.starts_with("gnu/") || one_of(path, kBrought) ? StandardHeader::kBrought
                                                                                          : StandardHeader::kNone;
}

bool is_of_cxx(std::string_view path) {
  if (!take(path, "usr/include/")) return false;
  take_triple(path);
  return path.starts_with("c++/");
}

bool is_inner_folder(std::string_view folder) {
  static constexpr std::array<std::string_view, 9> kInner = {"linux/", "asm/", "asm-generic/", "bits/",    "gnu/",
                                                             "sys/",   "net/", "netinet/",     "arpa/"};
  if (!take(folder, "usr/include/")) return false;
  take_triple(folder);
  if (take(folder, "c++/")) {
    folder.remove_prefix(std::min(folder.size(), folder.find('/') + 1));
    take_triple(folder);
    return !folder.empty();
  }
  return std::any_of(kInner.begin(), kInner.end(), [&](auto inner) { return folder.starts_with(inner); });
}

bool is_customized(std::string_view function) {
  static constexpr std::array<std::string_view, 26> kPoints = {
      "swap", "begin", "end", "cbegin", "cend", "rbegin", "rend", "crbegin", "crend", "size", "ssize", "empty", "data",
      "cdata", "get", "iter_move", "iter_swap", "make_error_code", "make_error_condition", "strong_order", "weak_order",
      "partial_order", "await_transform", "hash", "formatter", "tuple_size"};
  return one_of(function, kPoints);
}

bool is_predefined(std::string_view macro) {
  const auto begins = [&](std::string_view part) { return macro.starts_with(part); };
  const auto ends = [&](std::string_view part) { return macro.ends_with(part); };
  if (one_of(macro, kPredefined)) return true;
  const bool closed = macro.ends_with("__") || macro.ends_with("_C") || macro.starts_with("__cpp_") ||
                      macro.starts_with("__GCC_") || macro.starts_with("__ATOMIC_") || macro.starts_with("__GXX_");
  if (closed && std::any_of(kPredefinedBegin.begin(), kPredefinedBegin.end(), begins)) return true;
  return std::any_of(kPredefinedSizes.begin(), kPredefinedSizes.end(), begins) &&
         std::any_of(kPredefinedEnd.begin(), kPredefinedEnd.end(), ends);
}

std::vector<std::string_view> headers_that_define(std::string_view name) {
  if (name == "NULL") return {"locale.h", "stdio.h", "stdlib.h", "string.h", "time.h", "unistd.h", "wchar.h"};
  if (name == "size_t") return {"stdio.h", "stdlib.h", "string.h", "time.h", "unistd.h", "wchar.h", "sys/types.h"};
  if (name == "wchar_t") return {"stdlib.h", "wchar.h"};
  return {};
}

}  // namespace nacre::package
