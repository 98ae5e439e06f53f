#pragma once

#include "base/result.h"
#include "base/tree_path.h"
#include "os/process.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace nacre::sandbox {

using os::Path;

/// A root made of a stack of read-only trees (design, decision 4) and a writable upper directory.
/// Keep the latter out of reach of other users: what a command makes setuid is so on disk.
struct RootSpec {
  std::vector<Path> lower;   ///< Package trees; a later one wins over an earlier.
  Path upper;                ///< Writable; keeps what the commands change. Made if absent; a work
                             ///< directory, "NAME.work", is beside it during a run.
};

struct Bind {
  Path host;
  TreePath inside;           ///< Made in the upper directory when the root lacks it.
  bool writable = false;
};

/// What a command may use. Anything not named here is not there.
struct Limits {
  std::uint64_t memory_bytes = 0;    ///< 0: no limit. By cgroup v1 or v2; where there is neither, a
                                     ///< note says so (RLIMIT_AS would not do).
  std::uint64_t max_pids = 4096;
  double cpus = 0;                   ///< 0: all.
  double timeout_seconds = 0;
  std::uint64_t disk_bytes = 0;      ///< Of all that is below SandboxCommand::measured; 0: no limit. Also of one file.
  std::uint64_t tmp_bytes = 4ull << 30;    ///< Size of /tmp, which is memory.
  std::uint64_t shm_bytes = 256ull << 20;  ///< Size of /dev/shm.
};

/// A file on a read-only tmpfs at /run/secrets that only this command sees.
struct SecretFile {
  std::string name;
  std::string bytes;
};

struct SandboxCommand {
  RootSpec root;
  std::vector<Bind> binds;
  std::vector<SecretFile> secrets;
  std::vector<std::string> argv;     ///< Looked up inside the root.
  std::vector<std::string> env;      ///< Exactly this.
  std::string working_dir = "/";
  unsigned uid = 0, gid = 0;         ///< Inside the sandbox.
  bool network = false;              ///< false: a new network namespace with loopback only.
  std::string hostname = "nacre-build";
  Limits limits;
  std::vector<Path> measured;        ///< Directories of the host that count for `limits.disk_bytes`.
  /// "CAP_NET_BIND_SERVICE". Uid 0 has, besides, what builds need: chown, dac_override, fowner,
  /// fsetid, kill, setgid, setuid, setfcap. All others are dropped, from the bounding set too.
  std::vector<std::string> keep_capabilities;
  std::function<void(std::string_view line)> on_line;
  bool interactive = false;          ///< Connects the caller's terminal (nacre shell).
  /// What the machine could not give ("no memory limit: …"); without it such notes go to on_line.
  std::function<void(std::string_view note)> on_note;
  /// "the memory limit of 64 MiB": what the command came up against, and failed by.
  std::function<void(std::string_view limit)> on_exceeded;
};

/// Runs one command in a sandbox: new user (65,536 ids mapped when started by root: lower trees by
/// idmapped mounts; one id when rootless), mount, pid, net, uts, ipc namespaces; overlay root by
/// the new mount API; pivot_root; /proc, tmpfs /tmp and /dev with null zero full random urandom tty
/// and pseudo terminals; no_new_privs; seccomp filter (no mount, ptrace, kexec, bpf, keyctl,
/// userfaultfd, new namespaces: see seccomp.cc). Nothing of the host's files but the binds is
/// reachable; no abstract unix sockets of the host (own net namespace; with `network` a Landlock
/// scope); killed as a whole when the command ends or nacre dies.
class Sandbox {
 public:
  virtual ~Sandbox() = default;
  virtual Result<os::Exit> run(const SandboxCommand& command, std::stop_token stop = {}) = 0;
};

/// How the root is made. Both ways give the same view and leave the same upper directory.
enum class RootMaking {
  kOverlayOrCopy,  ///< Overlay; where the machine refuses it, a copy, with a note.
  kCopy,           ///< Copies the trees, then moves what changed into the upper directory.
};

/// The Linux one. Works as root and rootless; `doctor` says what a machine lacks.
///
/// Owners: started as root, ids inside equal ids on disk, in the upper directory and in binds
/// (idmapped mounts over a range of 65,536 host ids that nobody else uses). Rootless, the one id
/// inside is the caller's on disk. Deletions in the upper directory are overlay whiteouts
/// (character device 0:0); "user.overlay.opaque" marks a replaced directory.
class LinuxSandbox final : public Sandbox {
 public:
  explicit LinuxSandbox(RootMaking making = RootMaking::kOverlayOrCopy) : making_(making) {}
  Result<os::Exit> run(const SandboxCommand& command, std::stop_token stop = {}) override;

 private:
  RootMaking making_;
};

/// Answers from a function; for tests of rooms above.
class FakeSandbox final : public Sandbox {
 public:
  std::function<Result<os::Exit>(const SandboxCommand&)> answer;
  std::vector<SandboxCommand> asked;
  Result<os::Exit> run(const SandboxCommand& command, std::stop_token = {}) override {
    asked.push_back(command);
    return answer ? answer(command) : Result<os::Exit>(os::Exit{});
  }
};

/// Whether all files of a sandbox have one owner, and on disk are the caller's: nacre was not started as root, or
/// without root's powers. Commands cannot give files to others then.
bool has_one_owner();

/// One line for each thing that the sandbox needs, whether the machine has it, and what mends it.
struct Finding {
  std::string what;
  bool ok = false;
  std::string mend;
};
std::vector<Finding> examine_machine();

}  // namespace nacre::sandbox
