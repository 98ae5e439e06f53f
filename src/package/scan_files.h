#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// Whether a name can be part of a dependency: no blanks, control characters, or what apk reads as an operator, a tag
/// or a conflict.
bool is_dependency_name(std::string_view name);

/// Names of modules that a pkg-config file asks for in Requires, Requires.private and Requires.internal; variables
/// replaced, versions dropped.
std::vector<std::string> pkg_config_requires(std::string_view text);

/// The program that a script's first 80 bytes name, without its directory; empty when there is none or when no
/// package provides it by that name (sh, python3 and such are links). Sees through `/usr/bin/env` and `env -S`.
std::string shebang_program(std::string_view head);

/// Version that a soname tells: what follows the first ".so.", when only digits and dots; else "0".
std::string soname_version(std::string_view soname);

/// Libraries of the NVIDIA driver, which the host puts into the container: never provided, never required.
bool is_host_library(std::string_view soname);

}  // namespace nacre::package
