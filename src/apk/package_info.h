#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::apk {

/// What .PKGINFO says (spec 1.3), in the order in which it is written.
struct PackageInfo {
  std::string name, version, arch;     ///< version is VERSION-rEPOCH.
  std::uint64_t installed_bytes = 0;   ///< size
  std::string origin, description, url, commit, maintainer;
  std::int64_t build_date = 0;         ///< 0: left out.
  std::vector<std::string> licenses;
  std::vector<std::string> depends, provides, replaces;  ///< depends and provides are written sorted and unique.
  std::vector<std::string> vendored;   ///< "# vendored = …": libraries outside library directories; informative.
  std::uint64_t provider_priority = 0, replaces_priority = 0;
  std::vector<std::string> install_if, triggers;
  std::string data_hash;               ///< Hex SHA-256 of the compressed data segment.

  bool operator==(const PackageInfo&) const = default;
};

/// Control characters inside a value become blanks, so that no value can pose as another line.
std::string write_package_info(const PackageInfo& info);

/// Reads .PKGINFO as apk-tools does: `key = value` lines, '#' comments, unknown keys skipped. Values with control
/// characters other than tabs, and numbers that are none, are kInvalid with the line. So is what check_package_info()
/// refuses.
Result<PackageInfo> parse_package_info(std::string_view text, std::string_view source);

/// kInvalid unless name, version and architecture are fit to be parts of a file name and of an index line.
Result<> check_package_info(const PackageInfo& info);

}  // namespace nacre::apk
