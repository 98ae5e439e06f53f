#pragma once

#include "base/env.h"
#include "image/image.h"

#include <string>
#include <vector>

namespace nacre::attest {

/// SBOM of an image of packages from anybody, SPDX 2.3 as apko lays it out (spec 5.6): the image, its layers, the
/// operating system, and of each installed package what the SBOM inside the image says of it, joined. What differs from
/// apko's on purpose: creator, a namespace of its own, and the operating system hangs on the image (docs/apko.md).
Result<std::string> reference_image_spdx(const image::ImageSpec& spec, const image::Image& image,
                                         const std::string& tag, Env& env);

/// SBOM of the index: its images as variants.
std::string reference_index_spdx(const image::ImageSpec& spec, const std::vector<image::Image>& images,
                                 const image::Descriptor& index, const std::string& tag);

}  // namespace nacre::attest
