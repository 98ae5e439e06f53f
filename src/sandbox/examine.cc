#include "os/file.h"
#include "sandbox/cgroup.h"
#include "sandbox/user_namespace.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <pwd.h>

namespace nacre::sandbox {
namespace {

bool in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  for (const std::string& folder :
       split(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':'))
    if (::access((folder + "/" + std::string(program)).c_str(), X_OK) == 0) return true;
  return false;
}

/// Runs one real sandbox over an empty layer and tells how it went.
Result<std::vector<std::string>> try_sandbox(const Path& folder) {
  std::vector<std::string> notes;
  SandboxCommand command;
  command.root.lower = {folder / "lower"};
  command.root.upper = folder / "upper";
  TRY(os::make_dirs(folder / "lower"));
  command.binds = {{"/proc/self/exe", TreePath::literal("program"), false}};
  command.argv = {"/nothing"};
  command.on_note = [&](std::string_view note) { notes.emplace_back(note); };
  auto ran = LinuxSandbox().run(command);
  // "No such program" means that everything before the last step worked.
  if (!ran && ran.error().kind() != ErrorKind::kNotFound) return std::move(ran).error();
  return notes;
}

Finding whole_sandbox() {
  Finding finding{
      "a sandbox starts (user, mount, pid, network namespaces; overlay root)", false, {}};
  auto folder = os::TempDir::create(std::filesystem::temp_directory_path());
  if (!folder) {
    finding.mend = folder.error().render();
    return finding;
  }
  auto notes = try_sandbox(folder->path());
  finding.ok = notes && notes->empty();
  finding.mend = !notes ? notes.error().render() : join(*notes, "\n");
  return finding;
}

Finding user_namespaces() {
  Finding finding{"user namespaces", true, {}};
  for (const IdMap& ids : possible_id_maps(0, 0)) {
    auto space = make_user_namespace(ids);
    finding.ok = space.has_value();
    if (finding.ok) return finding;
    finding.mend = space.error().render();
  }
  return finding;
}

Finding overlay() {
  const std::string known = os::read_file("/proc/filesystems").value_or("");
  return {"overlay file system", known.find("\toverlay\n") != std::string::npos,
          "modprobe overlay; without it roots are copied, which is slow"};
}

Finding idmapped_mounts() {
  Finding finding{"idmapped mounts on the file system of the temporary directory", false, {}};
  if (!is_privileged()) {
    finding.ok = true;
    finding.what += " (not needed: one id only, since nacre was not started as root)";
    return finding;
  }
  const std::string folder = std::filesystem::temp_directory_path().string();
  auto space = make_user_namespace(possible_id_maps(0, 0).front());
  const os::Fd tree(::open_tree(AT_FDCWD, folder.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_IDMAP;
  if (space) change.userns_fd = static_cast<std::uint64_t>(space->get());
  finding.ok =
      space && tree && ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change) == 0;
  finding.mend =
      "keep NACRE_HOME on ext4, xfs, btrfs or tmpfs and use Linux 5.19 or newer; until then the "
      "sandbox shares ids with the host";
  return finding;
}

Finding control_groups() {
  Finding finding{"control groups for memory, pids and cpu", true, {}};
  for (const char* wanted : {"memory", "pids", "cpu"}) {
    bool found = false;
    for (const ControllerPlace& place : find_controllers())
      found |= place.controller == wanted && ::access(place.folder.c_str(), W_OK) == 0;
    if (!found) finding.mend += (finding.ok ? "" : ", ") + std::string(wanted);
    finding.ok = finding.ok && found;
  }
  if (!finding.ok)
    finding.mend =
        "no limits for " + finding.mend + ": run as root, or mount -t cgroup2 none /sys/fs/cgroup";
  return finding;
}

Finding subordinate_ids() {
  const passwd* user = ::getpwuid(::geteuid());
  const std::string ranges = os::read_file("/etc/subuid").value_or("");
  Finding finding{"more than one id in the sandbox", is_privileged(), {}};
  finding.mend = "start nacre as root: rootless, all files of a sandbox have one owner";
  if (user != nullptr && ranges.find(std::string(user->pw_name) + ":") != std::string::npos)
    finding.mend += " (the range in /etc/subuid is not used)";
  return finding;
}

Finding disk_space() {
  struct statvfs space {};
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  const bool known = ::statvfs(folder.c_str(), &space) == 0;
  const std::uint64_t free = known ? std::uint64_t{space.f_bavail} * space.f_frsize : 0;
  constexpr std::uint64_t kWanted = 20ull << 30;
  return {fmt::format("20 GiB free in {} ({} are)", folder.string(), human_bytes(free)),
          free >= kWanted,
          "apt-get clean, `nacre gc`, or set TMPDIR and NACRE_HOME to a larger disk"};
}

}  // namespace

std::vector<Finding> examine_machine() {
  std::vector<Finding> out;
  out.push_back(user_namespaces());
  out.push_back(overlay());
  out.push_back(idmapped_mounts());
  out.push_back(subordinate_ids());
  out.push_back(control_groups());
  out.push_back({"system call filters (seccomp)", ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0,
                 "use a kernel with CONFIG_SECCOMP_FILTER"});
  out.push_back(
      {"Landlock scopes, for sandboxes with network", ::syscall(444, nullptr, 0, 1) >= 6,
       "use Linux 6.12 or newer with landlock in the lsm= list; until then a sandbox with network "
       "reaches the host's abstract unix sockets"});
  out.push_back(whole_sandbox());
  out.push_back(
      {"runc or crun, to run images", in_path("runc") || in_path("crun"), "apt-get install runc"});
  out.push_back({"apt, to fetch sources and stage 0 from Debian", in_path("apt-get"),
                 "use Debian, or name a directory of sources with --sources"});
  out.push_back(disk_space());
  for (Finding& finding : out)
    if (finding.ok) finding.mend.clear();
  return out;
}

}  // namespace nacre::sandbox
