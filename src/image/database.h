#pragma once

#include "image/merge.h"

#include <string>
#include <vector>

namespace nacre::image {

/// apk's record of what is installed (spec 2.2), as apk-tools and scanners read it: records in the order of the
/// packages, files with owner, mode and checksum. A file that another package took over is listed there only.
std::string installed_database(const std::vector<PackageContents>& packages, const MergedTree& tree);

/// The same as apko writes it, a text for each package: empty fields too, files whose folder the package does not
/// have left out, and no folders that it does not have.
std::vector<std::string> reference_database(const std::vector<PackageContents>& packages, const MergedTree& tree);

/// The record of one package that a base image has, as apko writes it again: without modes, owners and checksums.
std::string reference_record(const PackageContents& package);

/// usr/lib/apk/db/scripts.tar: the scripts of all packages, uncompressed. They do not run while an image is
/// composed. With LayerForm::kReference as apko writes it: every control file that all may run, owned as in its
/// package.
Result<std::string> scripts_archive(const std::vector<PackageContents>& packages, std::int64_t mtime,
                                    LayerForm form = LayerForm::kSegments);

/// usr/lib/apk/db/triggers: "Q1… PATHS" lines, one for each package; as apko writes it, one for each of its lines.
std::string triggers_file(const std::vector<PackageContents>& packages, LayerForm form = LayerForm::kSegments);

/// Files that an installed database lists: path -> "name=version". Lines that are none are skipped.
std::map<std::string, std::string> parse_installed(std::string_view text);

}  // namespace nacre::image
