#pragma once

#include "base/env.h"
#include "package/stage0.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::package {

/// What a Debian package says of itself, as far as stage0 needs it.
struct DebControl {
  DebFile file;
  std::vector<std::vector<std::string>> depends;  ///< Groups of alternatives: bare package names.
  std::vector<std::string> provides;
};

/// The closure of `debs` (Depends and Pre-Depends, no Recommends) as the host's apt resolves it on an empty system,
/// downloaded by apt with its own checks into the store. With a `suite`, apt sees that suite alone, at the address of
/// the archive that the host's apt knows and with Debian's keys. kNotFound when apt knows a name not; kUnavailable
/// when it cannot download.
Result<std::vector<DebFile>> download_debs(const std::vector<std::string>& debs, const std::string& suite, Env& env);

/// Reads control fields through dpkg-deb.
Result<DebControl> read_deb_control(const DebFile& file, Env& env);

/// Unpacks the data of a .deb into `folder` through dpkg-deb, running none of its scripts.
Result<> unpack_deb(const DebFile& file, const os::Path& folder, Env& env);

/// A Debian version as a valid apk version: epoch and revision become numbers ("1:1.3.dfsg+really1.3.2-4" ->
/// "1.3_p1…"). Different versions stay different; the order within one upstream version is kept as far as digits
/// tell.
std::string apk_version_of(std::string_view debian_version);

/// Names of a Depends field: "libc6 (>= 2.34), debconf | debconf-2.0" -> {{libc6}, {debconf, debconf-2.0}}.
std::vector<std::vector<std::string>> parse_debian_depends(std::string_view field);

/// Where a Debian path goes: bin, sbin, usr/sbin -> usr/bin; lib, lib64, usr/lib64 -> usr/lib. Empty: left out
/// (documentation, locales).
std::string merged_path(std::string_view path);

}  // namespace nacre::package
