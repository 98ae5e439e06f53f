#pragma once

#include <filesystem>

#include "base/result.h"
#include "codec/tar.h"

namespace nacre::apk {

/// Whose the files become that come out of a foreign tar.
enum class TarOwners {
  kAsGiven,  ///< As each entry says; needs root.
  kCallers,  ///< The caller's, modes as given.
};

/// Unpacks a plain tar into the empty directory `folder`, beneath it only, with the care that unpack_package() takes:
/// files, directories, symlinks, hard links. kInvalid for any other entry, and for one that takes another's place.
Result<> unpack_tar(const std::filesystem::path& tar, const std::filesystem::path& folder, TarOwners owners,
                    const codec::TarLimits& limits = {});

/// Writes the tree below `folder`, its entries in the order of a walk, into the file `tar`. Owners are those on disk,
/// or one for all. kInvalid for devices, sockets and attributes, which such a tar does not carry.
struct TarOwner {
  unsigned uid = 0, gid = 0;
};
Result<> pack_tar(const std::filesystem::path& folder, const std::filesystem::path& tar, const TarOwner* owner);

}  // namespace nacre::apk
