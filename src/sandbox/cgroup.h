#pragma once

#include "os/fd.h"
#include "sandbox/sandbox.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::sandbox {

/// Where one controller's tree is mounted, and our own place in it.
struct ControllerPlace {
  std::string controller;  ///< "memory", "pids", "cpu".
  Path folder;             ///< An existing directory in which a group can be made.
  int version = 1;
};

/// From the texts of /proc/self/mountinfo and /proc/self/cgroup. `in_root` is what the v2 hierarchy
/// offers: the content of cgroup.controllers at its mount point, empty when there is none.
std::vector<ControllerPlace> find_controllers(std::string_view mountinfo, std::string_view own,
                                              std::string_view v2_controllers);
std::vector<ControllerPlace> find_controllers();  ///< Of this machine.

/// Control groups of one sandbox; removed on destruction, when its processes are gone.
class Cgroup {
 public:
  /// Sets what can be set; the rest goes to `notes`.
  static Cgroup make(const Limits& limits, std::vector<std::string>& notes);
  Cgroup(Cgroup&& other) noexcept = default;
  Cgroup& operator=(Cgroup&&) = delete;
  ~Cgroup();

  std::vector<int> joins() const;  ///< Descriptors of cgroup.procs: writing "0" moves the writer.
  bool limits_pids() const { return limits_pids_; }
  bool ran_out_of_memory() const;     ///< The kernel killed something for want of memory.
  bool ran_out_of_pids() const;       ///< The kernel refused to start a process or thread.

 private:
  Cgroup() = default;
  /// Whether a line "KEY N" of one of these files has an N other than 0.
  bool counted(std::string_view file, std::string_view key) const;
  Result<> add(const ControllerPlace& place, const Limits& limits, std::string_view name);

  std::vector<Path> folders_;
  std::vector<os::Fd> procs_;
  bool limits_pids_ = false;
};

}  // namespace nacre::sandbox
