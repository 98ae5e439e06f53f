#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

enum class RootFormat {
  kTar,        ///< The root file system as one tar archive.
  kInitramfs,  ///< cpio (newc), as the kernel takes it; starts the image's service when it holds nacre-init.
  kCpio,       ///< The same without anything that the image does not hold itself.
  kErofs,      ///< A read-only file system.
  kDisk,       ///< A disk whose only partition is that, which starts the image's service.
};

/// "tar", "cpio", "erofs", "disk": as users name them, in the order of the help.
struct NamedFormat {
  std::string_view name;
  RootFormat format;
};
const std::vector<NamedFormat>& root_formats();

/// Writes what all layers of an image make together, checked, into one file; gzip around it when the name ends in
/// ".gz" or ".tgz". Deterministic: the bytes depend on the image alone. Hard links stay links. kNotFound for a disk
/// of an image without nacre-init.
Result<> export_root(const Sha256& manifest, RootFormat format, const os::Path& file, Env& env);

/// Contents of the regular files among `paths`, in one pass over the layers; absent ones are left out.
Result<std::map<std::string, std::string>> read_files(const Sha256& manifest, const std::set<std::string>& paths,
                                                      Env& env);

}  // namespace nacre::image
