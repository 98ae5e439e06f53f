#include "sandbox/launch.h"

#include "base/text.h"
#include "os/file.h"
#include "sandbox/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::sandbox {
namespace {

// Above what systemd gives to containers and below 2^31: nobody's ids.
constexpr unsigned kHostBase = 0x70000000;
constexpr unsigned kRange = 65536;

bool holds_capability(int number) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[number / 32].effective >> (number % 32) & 1) != 0;
}

Result<> write_proc(int pid, std::string_view name, std::string_view text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const os::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return os::system_error(errno, fmt::format("write '{}' into {}", trim(text), name));
  return {};
}

/// A process that does nothing but keep a new user namespace open until we have it by descriptor.
class Keeper {
 public:
  Keeper() : pid_(raw_fork(CLONE_NEWUSER)) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  int pid() const { return pid_; }

 private:
  int pid_;
};

Error no_namespace(int failure) {
  return os::system_error(failure, "make a user namespace")
      .hint(failure == ENOSPC
                ? "raise the limit: sysctl user.max_user_namespaces=65536"
                : "allow them: sysctl kernel.unprivileged_userns_clone=1 "
                  "kernel.apparmor_restrict_unprivileged_userns=0; `nacre doctor` looks "
                  "at the whole machine");
}

}  // namespace

bool is_privileged() {
  return ::geteuid() == 0 && holds_capability(CAP_SYS_ADMIN) && holds_capability(CAP_SETUID) &&
         holds_capability(CAP_SETGID);
}

bool has_one_owner() { return !is_privileged(); }

std::vector<IdMap> possible_id_maps(unsigned uid, unsigned gid) {
  std::vector<IdMap> maps;
  if (is_privileged()) {
    maps.push_back({IdMap::Kind::kRange, 0, 0, kHostBase, kHostBase, kRange});
    maps.push_back({IdMap::Kind::kIdentity, 0, 0, 0, 0, kRange});
  }
  IdMap single;
  single.inside = uid;
  single.inside_gid = gid;
  single.host_uid = ::geteuid();
  single.host_gid = ::getegid();
  maps.push_back(single);
  return maps;
}

Result<os::Fd> make_user_namespace(const IdMap& ids) {
  const Keeper keeper;
  if (keeper.pid() < 0) return no_namespace(errno);
  if (ids.kind == IdMap::Kind::kSingle) TRY(write_proc(keeper.pid(), "setgroups", "deny"));
  TRY(write_proc(keeper.pid(), "uid_map",
                 fmt::format("{} {} {}\n", ids.inside, ids.host_uid, ids.count)));
  TRY(write_proc(keeper.pid(), "gid_map",
                 fmt::format("{} {} {}\n", ids.inside_gid, ids.host_gid, ids.count)));
  const std::string path = fmt::format("/proc/{}/ns/user", keeper.pid());
  os::Fd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return os::system_error(errno, "open the user namespace");
  return space;
}

}  // namespace nacre::sandbox
