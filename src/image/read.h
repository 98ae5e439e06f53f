#pragma once

#include "image/file_map.h"
#include "image/image.h"
#include "os/file.h"

#include <string>
#include <vector>

namespace nacre::image {

/// What a manifest and its config say.
struct ImageParts {
  std::vector<Descriptor> layers;
  std::vector<Sha256> diff_ids;   ///< One for each layer.
};

/// Whether an image of this variant runs on the architecture: none is said, it is the one, or "v8", which many say of
/// arm64 and which there is no other of.
bool is_variant_of(const Arch& arch, std::string_view variant);

/// A JSON blob, its digest checked.
Result<codec::Json> read_document(const Sha256& digest, Env& env);

/// What a manifest or an index says of a blob.
Result<Descriptor> read_descriptor(const codec::Json& json);

/// kInvalid for layers that are neither tar nor tar+gzip, and for a config that does not fit the manifest.
Result<ImageParts> read_parts(const Sha256& manifest, Env& env);

enum class Check { kNo, kYes };
/// Entries of one layer. kDenied when bytes are not what the digest or the diff ID says (Check::kYes).
Result<> read_layer(const ImageParts& parts, std::size_t layer, Check check,
                    codec::TarReader::Visitor visitor, Env& env);

/// All layers over each other, each checked.
Result<FileMap> read_file_map(const ImageParts& parts, Env& env);

/// Content of one regular file, or "" when the image has none at `path`.
Result<std::string> read_image_file(const ImageParts& parts, const FileMap& files, std::string_view path,
                                    Env& env);

}  // namespace nacre::image
