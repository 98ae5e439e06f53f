#pragma once

#include "base/arch.h"

namespace nacre {

/// Every architecture that packages and images of the field name, ordered by OCI name: all_archs() are those that the
/// distribution itself builds for, and the first of this list that nacre composes images for without building them.
std::span<const Arch> field_archs();

/// By any of its names ("x86_64", "amd64", "armhf", "arm/v6", "host"). kInvalid with the known names otherwise.
Result<Arch> find_field_arch(std::string_view name);

/// "amd64", "arm/v7": OCI's architecture and variant.
std::string oci_platform(const Arch& arch);

}  // namespace nacre
