#pragma once

#include "base/result.h"
#include "os/fd.h"
#include "sandbox/sandbox.h"

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

/// Inside the room: what the parent prepares and what the child does with it between fork and exec.
/// The parent may have many threads, so the child only makes system calls on memory that is here.
namespace nacre::sandbox {

constexpr std::size_t kMaxLayers = 498;  ///< The kernel's 500 less our own two.
constexpr std::size_t kMaxDevices = 8, kMaxBinds = 256;

/// Where a child can fail; the parent turns it into words.
enum class Step : int {
  kUserNamespace, kNamespaces, kIdentity, kPrivateMounts, kProc, kStaging, kLayer, kUpper,
  kOverlay, kPivot, kAttachProc, kDevices, kTmp, kBindPoint, kBind, kSecrets, kHostname, kLoopback, kFork,
  kCgroup, kTerminal, kCapabilities, kScope, kSeccomp, kWorkingDir, kExec,
};

/// What the child writes when a step fails; shorter than PIPE_BUF, so it arrives whole.
struct Report {
  Step step = Step::kExec;
  int index = 0;       ///< Of the layer or bind.
  int error = 0;       ///< errno.
  char detail[300] = {};  ///< The kernel's own words, when it has some.
};

enum class Access { kReadOnly, kReadWrite };
enum class NodeType { kDirectory, kFile };

/// A tree of the host that will be mounted: a detached mount, or a path for the child to open.
struct Source {
  std::string path;
  os::Fd tree;            ///< Empty: the child opens `path` once it has its own mount namespace.
  std::string target;     ///< Absolute path inside the root; of a layer "l/N" in the staging.
  Access access = Access::kReadOnly;
  NodeType type = NodeType::kDirectory;
  std::uint64_t attributes = 0;  ///< MOUNT_ATTR_*, set by whoever opens the tree.
};

/// Ids of the user namespace.
struct IdMap {
  enum class Kind { kRange, kIdentity, kSingle };
  Kind kind = Kind::kSingle;
  unsigned inside = 0, inside_gid = 0;
  unsigned host_uid = 0, host_gid = 0;
  unsigned count = 1;
};

struct Launch {
  IdMap ids;
  os::Fd user_ns;
  bool overlay = true;          ///< false: `upper` is the root itself, a copy.
  std::vector<Source> layers;   ///< Topmost first; empty in a copied root.
  Source upper;                 ///< The folder of upper and work directory, or the copied root.
  std::string upper_name, work_name;  ///< "u/…", as seen from the staging folder; of an overlay.
  std::string staging;          ///< A folder of the host that the child covers meanwhile.
  std::vector<Source> devices, binds;
  std::vector<SecretFile> secrets;      ///< Names are absolute paths by now.
  std::string tmp_options, shm_options, hostname, working_dir;
  std::vector<std::string> programs;  ///< Candidates for argv[0], in the order of PATH.
  std::vector<std::string> words, environment;
  std::vector<char*> argv, env;
  unsigned uid = 0, gid = 0;
  std::uint64_t bounding = 0, capabilities = 0;  ///< Bit per capability.
  std::uint64_t max_pids_rlimit = 0;   ///< Where no cgroup limits processes; 0: not set.
  std::uint64_t max_file_bytes = 0;    ///< Of one file; 0: not set.
  bool own_network = true, interactive = false, scope_sockets = false;
  std::vector<sock_filter> filter;
  std::vector<int> cgroups;            ///< Descriptors of cgroup.procs.
  int report = -1, life = -1, status = -1;  ///< Pipe ends that the child uses.
  int in = -1, out = -1, err = -1;
  std::vector<int> keep;               ///< All descriptors above, ascending; others are closed.
  char* arguments = nullptr;           ///< Our command line, which the child wipes.
  std::size_t arguments_bytes = 0;
  int parent_pid = 0;
};

/// Everything that can be done ahead of the fork, but descriptors of pipes and cgroups. With a
/// `copied_root` that tree is the root; else the layers and the upper directory are.
Result<Launch> prepare(const SandboxCommand& command, const IdMap& ids, const Path& copied_root);

/// The ways to map ids that this process may try, best first.
std::vector<IdMap> possible_id_maps(unsigned uid, unsigned gid);

/// The bytes of the system call filter (seccomp.cc).
Result<std::vector<sock_filter>> build_filter();

/// "CAP_CHOWN" -> bit. kInvalid with a hint for a name that Linux does not have.
Result<std::uint64_t> capability_bits(const std::vector<std::string>& names);
std::uint64_t build_capabilities();

/// The child's side; never returns.
[[noreturn]] void enter(const Launch& launch);

// Steps of the child, in files of their own.
[[noreturn]] void fail(const Launch& launch, Step step, int index = 0,
                       const char* detail = nullptr);
void build_root(const Launch& launch);
[[noreturn]] void become_command(const Launch& launch);

/// fork() without handlers of libraries, for a process with threads. `flags` as of clone(2).
int raw_fork(unsigned long flags = 0);

}  // namespace nacre::sandbox
