#include "sandbox/launch.h"

#include "base/text.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>

namespace nacre::sandbox {
namespace {

// In the order of their numbers (linux/capability.h).
constexpr std::array<std::string_view, 41> kNames = {
    "CHOWN",        "DAC_OVERRIDE",     "DAC_READ_SEARCH", "FOWNER",      "FSETID",
    "KILL",         "SETGID",           "SETUID",          "SETPCAP",     "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN",      "NET_RAW",     "IPC_LOCK",
    "IPC_OWNER",    "SYS_MODULE",       "SYS_RAWIO",       "SYS_CHROOT",  "SYS_PTRACE",
    "SYS_PACCT",    "SYS_ADMIN",        "SYS_BOOT",        "SYS_NICE",    "SYS_RESOURCE",
    "SYS_TIME",     "SYS_TTY_CONFIG",   "MKNOD",           "LEASE",       "AUDIT_WRITE",
    "AUDIT_CONTROL", "SETFCAP",         "MAC_OVERRIDE",    "MAC_ADMIN",   "SYSLOG",
    "WAKE_ALARM",   "BLOCK_SUSPEND",    "AUDIT_READ",      "PERFMON",     "BPF",
    "CHECKPOINT_RESTORE"};

constexpr std::uint64_t bit(int number) { return std::uint64_t{1} << number; }

}  // namespace

Result<std::uint64_t> capability_bits(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string& name : names) {
    std::string_view bare = name;
    if (bare.starts_with("CAP_")) bare.remove_prefix(4);
    const auto found = std::find(kNames.begin(), kNames.end(), bare);
    if (found == kNames.end()) {
      std::vector<std::string> known;
      for (const std::string_view each : kNames) known.push_back("CAP_" + std::string(each));
      return Error::make(ErrorKind::kInvalid, "no capability is called '{}'", name)
          .hint(nearest_hint(name, known));
    }
    bits |= bit(static_cast<int>(found - kNames.begin()));
  }
  return bits;
}

std::uint64_t build_capabilities() {
  return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
         bit(CAP_KILL) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP);
}

}  // namespace nacre::sandbox
