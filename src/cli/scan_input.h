#pragma once

#include "advisory/scan.h"
#include "cli/command.h"
#include "index/index.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// Options that verbs which ask the data on vulnerabilities share: --osv, --pypi.
std::vector<Option> osv_options();

/// Packages to be scanned, and what they are part of.
struct ScanTarget {
  std::string name;  ///< "package zlib-1.3.2-r0.apk", "image nginx:latest", "community serial 3"
  std::vector<advisory::PackageInput> packages;
};
/// What TARGET names: a package file, an image; without it the serial of
/// --edition and --serial. What a package holds is kept by its digest: it is read once.
Result<ScanTarget> scan_target(const Arguments& arguments, const std::string& target, Session& session);

/// The packages of a serial, published or not.
Result<ScanTarget> scan_target_of(const index::Serial& serial, Session& session);

/// Directories that --osv names, else NACRE_OSV (parted by ':').
std::vector<Path> osv_folders(const Arguments& arguments);

/// Their index, kept below NACRE_HOME/cache/osv. kNotFound when no directory is named.
Result<advisory::OsvIndex> open_osv(const Arguments& arguments, Session& session);

/// Advisories beside the definitions.
Path advisories_folder(const Session& session);

/// All of the above: OSV's records, and PyPI's own of Python packages with --pypi.
Result<advisory::ScanResult> scan(const Arguments& arguments, const ScanTarget& target,
                                  const std::vector<advisory::Document>& advisories, Session& session);

}  // namespace nacre::cli
