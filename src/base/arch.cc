#include "base/arch.h"

#include <array>

namespace nacre {
namespace {

constexpr std::array kArchs = {
    Arch{"x86_64", "amd64", "", "amd64", "x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu", "amd64",
         "x86_64-linux-gnu", 62},
    Arch{"aarch64", "arm64", "", "arm64", "aarch64-unknown-linux-gnu", "aarch64-unknown-linux-gnu",
         "arm64", "aarch64-linux-gnu", 183},
};

}  // namespace

std::span<const Arch> all_archs() { return kArchs; }

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
