#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"

#include <map>
#include <set>
#include <string>

namespace nacre::image {

enum class RootFormat {
  kTar,       ///< The root file system as one tar archive.
  kCpio,      ///< newc, as the kernel takes an initramfs.
};

/// Writes what all layers of an image make together, checked, into one file; gzip around it when the name ends in
/// ".gz". Deterministic: the bytes depend on the image alone. Hard links stay links.
Result<> export_root(const Sha256& manifest, RootFormat format, const os::Path& file, Env& env);

/// Contents of the regular files among `paths`, in one pass over the layers; absent ones are left out.
Result<std::map<std::string, std::string>> read_files(const Sha256& manifest, const std::set<std::string>& paths,
                                                      Env& env);

}  // namespace nacre::image
