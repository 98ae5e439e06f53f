#pragma once

#include <string>
#include <string_view>

namespace nacre::package {

/// The version that a kernel image tells ("6.17.7-test"), or empty: bzImage by its header, a unified kernel image by
/// its .linux section, anything plain or gzipped by the text "Linux version ".
std::string kernel_version(std::string_view image);

/// The kernel that a module was built for, by its vermagic, or empty. Plain, gzip, xz or zstd.
std::string module_kernel(std::string_view module);

}  // namespace nacre::package
