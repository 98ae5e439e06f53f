#include "base/arch.h"

#include "base/field_archs.h"

#include <array>

namespace nacre {
namespace {

constexpr std::array kArchs = {
    Arch{"x86_64", "amd64", "", "amd64", "x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu", "amd64",
         "x86_64-linux-gnu", 62},
    Arch{"aarch64", "arm64", "", "arm64", "aarch64-unknown-linux-gnu", "aarch64-unknown-linux-gnu",
         "arm64", "aarch64-linux-gnu", 183},
};

constexpr std::array kFieldArchs = {
    Arch{"x86", "386", "", "i386", "i486-pc-linux-gnu", "i686-unknown-linux-gnu", "386", "i386-linux-gnu", 3},
    kArchs[0],
    Arch{"armhf", "arm", "v6", "armel", "arm-unknown-linux-gnueabihf", "armv6-unknown-linux-gnueabihf", "arm",
         "arm-linux-gnueabi", 40},
    Arch{"armv7", "arm", "v7", "armhf", "armv7l-unknown-linux-gnueabihf", "armv7-unknown-linux-gnueabihf", "arm",
         "arm-linux-gnueabihf", 40},
    kArchs[1],
    Arch{"loongarch64", "loong64", "", "loong64", "loongarch64-unknown-linux-gnu", "loongarch64-unknown-linux-gnu",
         "loong64", "loongarch64-linux-gnu", 258},
    Arch{"ppc64le", "ppc64le", "", "ppc64el", "powerpc64le-unknown-linux-gnu", "powerpc64le-unknown-linux-gnu",
         "ppc64le", "powerpc64le-linux-gnu", 21},
    Arch{"riscv64", "riscv64", "", "riscv64", "riscv64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu", "riscv64",
         "riscv64-linux-gnu", 243},
    Arch{"s390x", "s390x", "", "s390x", "s390x-ibm-linux-gnu", "s390x-unknown-linux-gnu", "s390x",
         "s390x-linux-gnu", 22},
};

}  // namespace

std::span<const Arch> all_archs() { return kArchs; }
std::span<const Arch> field_archs() { return kFieldArchs; }

std::string oci_platform(const Arch& arch) {
  std::string out(arch.oci);
  if (!arch.oci_variant.empty()) out += "/" + std::string(arch.oci_variant);
  return out;
}

Result<Arch> find_field_arch(std::string_view name) {
  if (name == "host") return host_arch();
  std::string known;
  for (const Arch& arch : kFieldArchs) {
    if (name == arch.apk || name == oci_platform(arch)) return arch;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", arch.apk, oci_platform(arch));
  }
  return Error::make(ErrorKind::kInvalid, "unknown architecture '{}'", name).hint("known: " + known + ", host, all");
}

Result<Arch> find_arch(std::string_view name) {
  if (name == "host") return host_arch();
  for (const Arch& arch : kArchs)
    if (name == arch.apk || name == arch.oci) return arch;
  return Error::make(ErrorKind::kInvalid, "unknown architecture '{}'", name)
      .hint("known: x86_64 (amd64), aarch64 (arm64), host");
}

Arch host_arch() {
#if defined(__aarch64__)
  return kArchs[1];
#else
  return kArchs[0];
#endif
}

}  // namespace nacre
