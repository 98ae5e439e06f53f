#pragma once

#include "cli/command.h"
#include "index/index.h"
#include "publish/registry.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// Pushes images of a serial, with their signatures and attestations, to HOST[:PORT][/PREFIX], several at once. Tags
/// are what `nacre serve` says of them: "serial-N", names of channels that have this digest, and those of its own tags
/// that no newer serial gave to another digest.
Result<std::vector<publish::Receipt>> push_images(const std::vector<index::SerialImage>& images,
                                                  const index::Serial& serial, const std::string& host,
                                                  Session& session);

codec::Json to_json(const std::vector<publish::Receipt>& receipts);
std::string render(const std::vector<publish::Receipt>& receipts);

/// These images with those tags in the place of their own.
Result<std::vector<index::SerialImage>> with_tags(std::vector<index::SerialImage> images, const index::Serial& serial,
                                                  Session& session);

/// NACRE_HOME/layout/EDITION as an OCI image layout of the newest serial (hard links to the store).
Result<> refresh_layout(const index::Serial& serial, Session& session);

}  // namespace nacre::cli
