#pragma once

#include "base/result.h"

#include <cstddef>
#include <functional>

namespace nacre::image {

/// Runs `work` for 0 to count-1 on as many threads as there are cores. Of several errors the one of the smallest number
/// is given; what has not begun after an error is left out.
Result<> at_once(std::size_t count, const std::function<Result<>(std::size_t)>& work);

}  // namespace nacre::image
