#pragma once

#include "base/result.h"

#include <cstddef>
#include <functional>

namespace nacre::os {

/// Calls `work` with each number below `count`, in at most `threads` threads at once (the caller's is one of them;
/// 0: as many as there are cores), in rising order. Begins nothing more once one failed; the error of the lowest
/// number is the answer.
Result<> for_each(std::size_t count, unsigned threads, const std::function<Result<>(std::size_t)>& work);

}  // namespace nacre::os
