#pragma once

#include "image/contents.h"
#include "image/image.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

/// What stands below an image: the layers of an OCI layout, and what they have installed.
struct BaseImage {
  os::Path folder;                         ///< The layout.
  Descriptor manifest;
  codec::Json config, annotations;         ///< Of the manifest's configuration; of the manifest.
  std::vector<Layer> layers;               ///< Bottom first.
  std::vector<PackageContents> packages;   ///< As its APKINDEX has them: no blobs, `entries` without content.
  Sha256 database;                         ///< Of that APKINDEX.

  std::vector<std::string> labels() const;   ///< "name=version", in the order of the file.
  bool has(std::string_view package) const;
};

/// Reads what contents.baseimage names: the image for `arch` of an OCI layout (an index within the index too), and
/// FOLDER/ARCH/APKINDEX, which lists what is installed in the form of apk's database. Documents go into the store, each
/// checked by its digest; layers only with bring_layers(). Paths are looked for as given, then below `include_paths`.
Result<BaseImage> read_base_image(const Contents::BaseImage& base, const std::vector<std::string>& include_paths,
                                  const Arch& arch, Env& env);

/// Takes the layers into the store. kDenied for one that is not what the manifest says.
Result<> bring_layers(const BaseImage& base, Env& env);

/// The records of an installed database, with their files. The last one may lack the blank line after it. kInvalid
/// with the line for what apk would not take.
Result<std::vector<PackageContents>> parse_database(std::string_view text, std::string_view source);

}  // namespace nacre::image
