#pragma once

#include "index/index.h"

#include <memory>
#include <string>
#include <vector>

namespace nacre::publish {

/// The front page of `nacre serve`: serials, images, packages of each edition's newest serial, and how to use them
/// from `scheme`://`host`. Every name that comes from a package is escaped.
std::string render_page(const std::vector<std::shared_ptr<const index::Serial>>& heads, const std::string& scheme,
                        const std::string& host);

}  // namespace nacre::publish
