#pragma once

#include "cli/workshop.h"
#include "image/image.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// One image as a serial will name it, and what it consists of.
struct ComposedImage {
  image::Image image;
  index::SerialImage entry;
  bool composed = false;     ///< False: equal inputs, kept.
  std::uint64_t size_bytes = 0;   ///< Compressed layers.
};

/// "nacre/nginx", "nacre-production/nginx": what references and signatures say.
std::string repository_of(Edition edition, std::string_view image);

/// Every os/images/*.yaml that is for this architecture, ordered by name; a faulty one names its place.
Result<std::vector<image::ImageSpec>> load_image_specs(const Path& os_dir, const Arch& arch);

/// Solves, composes and attests one image from packages of one edition on the shelf, unless an image of equal inputs
/// is known.
Result<ComposedImage> compose(Workshop& shop, const image::ImageSpec& spec, Edition edition);

/// Runs images/NAME.test.sh of `os_dir` on an image of the store (`before`: the image that it follows, for update and
/// rollback tests) unless it passed before. An image without a test passes. kInvalid with the last lines of the script
/// when it fails.
Result<> test_image(Session& session, const Path& os_dir, const index::SerialImage& image,
                    const std::optional<index::SerialImage>& before);

/// Layers of an image in the store: digest -> compressed size.
Result<std::vector<image::Descriptor>> layers_of(const Sha256& index_or_manifest, const Arch& arch, Env& env);

/// What a client that has `before` downloads for `after`, and how many layers that is.
struct PullCost { std::uint64_t bytes = 0; int layers = 0, layers_total = 0; std::vector<std::string> digests; };
Result<PullCost> pull_cost(const std::optional<index::SerialImage>& before, const index::SerialImage& after,
                           const Arch& arch, Env& env);

}  // namespace nacre::cli
