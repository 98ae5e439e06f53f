#pragma once

#include "attest/cyclonedx.h"
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

/// SBOM of the index: its images as variants. `supplier` as the SBOMs of the images have it (supplier_of()).
std::string reference_index_spdx(const image::ImageSpec& spec, const std::vector<image::Image>& images,
                                 const image::Descriptor& index, const std::string& tag, const std::string& supplier);

/// Who supplies what a document describes, as it says it: "Organization: Wolfi".
std::string supplier_of(const codec::Json& spdx);

/// What composing an image left in the store, read again: manifest, layers, date, architecture, packages. Enough for
/// the functions above.
Result<image::Image> stored_image(const Sha256& manifest, Env& env);

/// Who needs whom among the packages that an image says it holds.
Result<PackageGraph> graph_of_image(const Sha256& manifest, Env& env);

}  // namespace nacre::attest
