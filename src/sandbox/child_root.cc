#include "sandbox/launch.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

// Runs in the child: no allocation, no locks, only system calls.
namespace nacre::sandbox {
namespace {

/// close() past the C library, whose interceptors under a sanitizer believe us to be the parent.
void close_fd(int fd) {
  const int failure = errno;
  ::syscall(SYS_close, fd);
  errno = failure;
}

/// Mounts one file system type and gives the detached mount, or -1.
int make_mount(const char* type, const char* const* options, unsigned attributes) {
  const int context = ::fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  bool ok = true;
  for (; ok && *options != nullptr; options += 2)
    ok = ::fsconfig(context, FSCONFIG_SET_STRING, options[0], options[1], 0) == 0;
  ok = ok && ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  const int tree = ok ? ::fsmount(context, FSMOUNT_CLOEXEC, attributes) : -1;
  close_fd(context);
  return tree;
}

int attach(int tree, const char* target) {
  return ::move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

/// "size=…" style tmpfs: `size` bytes, `mode` octal.
int make_tmpfs(const char* size, const char* mode, unsigned attributes) {
  const char* const options[] = {"size", size, "mode", mode, nullptr};
  return make_mount("tmpfs", options, attributes);
}

/// The prepared mount of a source, or a fresh one of its path.
int open_source(const Source& source) {
  if (source.tree) return source.tree.get();
  int tree = ::open_tree(AT_FDCWD, source.path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  // A less privileged namespace may not uncover what lies below the mounts of the host: take them
  // along.
  unsigned deep = 0;
  if (tree < 0 && errno == EINVAL) {
    deep = AT_RECURSIVE;
    tree = ::open_tree(AT_FDCWD, source.path.c_str(),
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  }
  if (tree < 0 || source.attributes == 0) return tree;
  mount_attr change{};
  change.attr_set = source.attributes;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | deep, &change, sizeof change) == 0) return tree;
  return -1;
}

struct Opened {
  int proc = -1;
  int upper = -1;
  int layers[kMaxLayers] = {};
  int devices[kMaxDevices] = {};
  int binds[kMaxBinds] = {};
};

/// Whatever needs the host's file system, before it is covered.
void open_all(const Launch& launch, Opened& opened) {
  const char* const none[] = {nullptr};
  opened.proc = make_mount("proc", none, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (opened.proc < 0) fail(launch, Step::kProc);
  const auto each = [&](const std::vector<Source>& sources, int* trees, Step step) {
    for (std::size_t i = 0; i < sources.size(); ++i)
      if ((trees[i] = open_source(sources[i])) < 0) fail(launch, step, static_cast<int>(i));
  };
  each(launch.layers, opened.layers, Step::kLayer);
  each(launch.devices, opened.devices, Step::kDevices);
  each(launch.binds, opened.binds, Step::kBind);
  opened.upper = open_source(launch.upper);
  if (opened.upper < 0) fail(launch, Step::kUpper);
}

/// A tmpfs over a folder of the host: s holds the mount points that packages may lack, l/N the
/// layers, u the upper directory with its work directory, r the root.
void make_staging(const Launch& launch, const Opened& opened) {
  const int tmpfs = make_tmpfs("4m", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  bool ok = tmpfs >= 0 && attach(tmpfs, launch.staging.c_str()) == 0 &&
            ::chdir(launch.staging.c_str()) == 0;
  for (const char* folder : {"s", "s/proc", "s/dev", "s/tmp", "l", "u", "r"})
    ok = ok && ::mkdir(folder, 0755) == 0;
  if (!ok) fail(launch, Step::kStaging);
  for (std::size_t i = 0; i < launch.layers.size(); ++i) {
    const char* name = launch.layers[i].target.c_str();
    if (::mkdir(name, 0755) != 0 || attach(opened.layers[i], name) != 0)
      fail(launch, Step::kLayer, static_cast<int>(i));
  }
  if (attach(opened.upper, launch.overlay ? "u" : "r") != 0) fail(launch, Step::kUpper);
}

/// Fails with the kernel's own message, which the file system context keeps.
[[noreturn]] void fail_overlay(const Launch& launch, int context) {
  const int failure = errno;
  char text[300] = {};
  const ssize_t got = ::read(context, text, sizeof text - 1);
  if (got > 0 && text[got - 1] == '\n') text[got - 1] = 0;
  errno = failure;
  fail(launch, Step::kOverlay, 0, got > 2 ? text + 2 : nullptr);
}

void mount_overlay(const Launch& launch) {
  const int context = ::fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) fail(launch, Step::kOverlay);
  const auto set = [&](const char* key, const char* value) {
    const unsigned how = value != nullptr ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    if (::fsconfig(context, how, key, value, 0) != 0) fail_overlay(launch, context);
  };
  for (const Source& layer : launch.layers) set("lowerdir+", layer.target.c_str());
  set("lowerdir+", "s");
  set("upperdir", launch.upper_name.c_str());
  set("workdir", launch.work_name.c_str());
  set("userxattr", nullptr);
  set("volatile", nullptr);  // the store syncs what it keeps
  if (::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    fail_overlay(launch, context);
  const int tree = ::fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
  if (tree < 0 || attach(tree, "r") != 0) fail_overlay(launch, context);
}

/// Makes an absolute path inside the root, which is our root by now, so no link leads outside.
int make_point(const char* path, NodeType type) {
  char part[4200];
  const std::size_t size = std::strlen(path);
  if (size >= sizeof part) return errno = ENAMETOOLONG, -1;
  for (std::size_t i = 1; i <= size; ++i) {
    if (path[i] != '/' && path[i] != 0) continue;
    std::memcpy(part, path, i);
    part[i] = 0;
    const bool last = path[i] == 0;
    if (last && type == NodeType::kFile) {
      if (::mknod(part, S_IFREG | 0644, 0) != 0 && errno != EEXIST) return -1;
    } else if (::mkdir(part, 0755) != 0 && errno != EEXIST) {
      return -1;
    }
  }
  return 0;
}

int clone_attach(const char* from, const char* target, std::uint64_t attributes) {
  const int tree = ::open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return -1;
  mount_attr change{};
  change.attr_set = attributes;
  int result = ::mount_setattr(tree, "", AT_EMPTY_PATH, &change, sizeof change);
  if (result == 0) result = attach(tree, target);
  close_fd(tree);
  return result;
}

void attach_proc(const Launch& launch, const Opened& opened) {
  bool ok = make_point("/proc", NodeType::kDirectory) == 0 && attach(opened.proc, "/proc") == 0;
  for (const char* path :
       {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"})
    ok = ok && (clone_attach(path, path, MOUNT_ATTR_RDONLY) == 0 || errno == ENOENT);
  for (const char* path : {"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg",
                           "/proc/timer_list", "/proc/latency_stats", "/proc/kallsyms",
                           "/proc/config.gz", "/proc/sched_debug", "/proc/vmallocinfo"})
    ok = ok && (clone_attach("/dev/null", path, MOUNT_ATTR_RDONLY) == 0 || errno == ENOENT);
  for (const char* path : {"/proc/acpi", "/proc/asound", "/proc/scsi"}) {
    if (::access(path, F_OK) != 0) continue;
    ok = ok && attach(make_tmpfs("4k", "555", MOUNT_ATTR_RDONLY), path) == 0;
  }
  if (!ok) fail(launch, Step::kAttachProc);
}

void attach_devices(const Launch& launch, const Opened& opened) {
  const int dev = make_tmpfs("64k", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (dev < 0 || make_point("/dev", NodeType::kDirectory) != 0 || attach(dev, "/dev") != 0)
    fail(launch, Step::kDevices, -1);
  for (std::size_t i = 0; i < launch.devices.size(); ++i) {
    const char* target = launch.devices[i].target.c_str();
    if (make_point(target, NodeType::kFile) != 0 || attach(opened.devices[i], target) != 0)
      fail(launch, Step::kDevices, static_cast<int>(i));
  }
  bool ok = ::symlink("/proc/self/fd", "/dev/fd") == 0;
  ok = ok && ::symlink("fd/0", "/dev/stdin") == 0 && ::symlink("fd/1", "/dev/stdout") == 0;
  ok = ok && ::symlink("fd/2", "/dev/stderr") == 0 && ::mkdir("/dev/shm", 01777) == 0;
  const int shm = make_tmpfs(launch.shm_options.c_str(), "1777",
                             MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  ok = ok && shm >= 0 && attach(shm, "/dev/shm") == 0;
  if (!ok) fail(launch, Step::kDevices, -1);
  // Pseudo terminals are a comfort: without them only tests that want one fail.
  const char* const options[] = {"ptmxmode", "666", "mode", "620", nullptr};
  const int pts = make_mount("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (pts >= 0 && ::mkdir("/dev/pts", 0755) == 0 && attach(pts, "/dev/pts") == 0)
    (void)!::symlink("pts/ptmx", "/dev/ptmx");
}

/// In memory, for this command alone; the folder is read-only once they are there.
void attach_secrets(const Launch& launch) {
  if (launch.secrets.empty()) return;
  constexpr const char* kFolder = "/run/secrets";
  const int tmpfs = make_tmpfs("16m", "755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  bool ok = tmpfs >= 0 && make_point(kFolder, NodeType::kDirectory) == 0 && attach(tmpfs, kFolder) == 0;
  for (const SecretFile& secret : launch.secrets) {
    if (!ok) break;
    const int file = ::open(secret.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    const ssize_t size = static_cast<ssize_t>(secret.bytes.size());
    ok = file >= 0 && ::write(file, secret.bytes.data(), secret.bytes.size()) == size;
    if (file >= 0) close_fd(file);
  }
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_RDONLY;
  if (!ok || ::mount_setattr(AT_FDCWD, kFolder, 0, &change, sizeof change) != 0) fail(launch, Step::kSecrets);
}

}  // namespace

void build_root(const Launch& launch) {
  ::umask(022);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    fail(launch, Step::kPrivateMounts);
  Opened opened;
  open_all(launch, opened);
  make_staging(launch, opened);
  if (launch.overlay) mount_overlay(launch);
  if (::chdir("r") != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
      ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0)
    fail(launch, Step::kPivot);
  attach_devices(launch, opened);
  attach_proc(launch, opened);
  const int tmp =
      make_tmpfs(launch.tmp_options.c_str(), "1777", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (tmp < 0 || make_point("/tmp", NodeType::kDirectory) != 0 || attach(tmp, "/tmp") != 0)
    fail(launch, Step::kTmp);
  for (std::size_t i = 0; i < launch.binds.size(); ++i) {
    const Source& bind = launch.binds[i];
    if (make_point(bind.target.c_str(), bind.type) != 0)
      fail(launch, Step::kBindPoint, static_cast<int>(i));
    if (attach(opened.binds[i], bind.target.c_str()) != 0)
      fail(launch, Step::kBind, static_cast<int>(i));
  }
  attach_secrets(launch);
}

}  // namespace nacre::sandbox
