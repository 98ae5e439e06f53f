#pragma once

#include "base/result.h"

#include <span>
#include <string_view>

namespace nacre {

/// One architecture under each of the names that the field gives it. The only place that spells them.
struct Arch {
  std::string_view apk;         ///< "x86_64"
  std::string_view oci;         ///< "amd64"
  std::string_view oci_variant; ///< "" or "v8"
  std::string_view debian;      ///< "amd64"
  std::string_view gnu_triplet; ///< "x86_64-pc-linux-gnu", as melange's host.triplet.gnu
  std::string_view rust_triplet;///< "x86_64-unknown-linux-gnu"
  std::string_view go;          ///< "amd64"
  std::string_view debian_multiarch;  ///< "x86_64-linux-gnu"
  int elf_machine;              ///< e_machine

  bool operator==(const Arch& other) const { return apk == other.apk; }
};

/// All known ones, x86_64 first.
std::span<const Arch> all_archs();

/// By any of its names ("x86_64", "amd64", "host"). kInvalid with the known names otherwise.
Result<Arch> find_arch(std::string_view name);

/// The architecture that this program was compiled for.
Arch host_arch();

}  // namespace nacre
