#pragma once

#include "cli/apko.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// What an image of packages from anybody says of itself. Nobody signs it: no edition of ours stands for such packages
/// (docs/apko.md).
struct ForeignSbom {
  image::Descriptor subject;  ///< Manifest of one architecture, or the index.
  std::string of;             ///< "x86_64", "index"
  std::string media_type;     ///< "application/spdx+json", "application/vnd.cyclonedx+json"
  std::string text;
  /// As apko names it: "sbom-x86_64.spdx.json".
  std::string file_name() const;
};

/// Of each architecture and of the index, in each of `formats` (spdx, cyclonedx); kInvalid for another.
Result<std::vector<ForeignSbom>> foreign_sboms(const ImageJob& job, const ComposedImages& images,
                                               const std::vector<std::string>& formats, const std::string& tag,
                                               Env& env);
/// As files of a directory, which is made.
Result<> write_sboms(const std::vector<ForeignSbom>& sboms, const os::Path& folder);

}  // namespace nacre::cli
