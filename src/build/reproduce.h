#pragma once

#include "base/result.h"
#include "os/file.h"

#include <string>
#include <vector>

namespace nacre::build {

/// Differences of two outputs of one build, ordered by path: "usr/lib/libz.so.1: byte 4096 of 90112
/// differs". Compared are types, modes, owners, content, link targets, device numbers, and which
/// names are links to one file; not times, which packages take from SOURCE_DATE_EPOCH. Empty: the
/// build is reproducible. Cost: reads both trees once.
Result<std::vector<std::string>> compare_trees(const os::Path& a, const os::Path& b);

}  // namespace nacre::build
