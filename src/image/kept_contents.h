#pragma once

#include "image/contents.h"

#include <optional>
#include <string>
#include <string_view>

namespace nacre::image {

/// What the composer knows of a package, as bytes that are read in a millisecond: numbers as varints, texts with their
/// length. The digest of the .apk is not among them, it is the key under which they are kept.
std::string pack_contents(const PackageContents& contents);

/// Nothing for bytes that this version did not write: the package is then read again.
std::optional<PackageContents> unpack_contents(std::string_view bytes);

}  // namespace nacre::image
