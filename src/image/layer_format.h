#pragma once

#include "base/result.h"

#include <string_view>

namespace nacre::image {

/// kInvalid with what there is, unless layers can be written so: "tar".
Result<> check_layer_format(std::string_view format);

}  // namespace nacre::image
