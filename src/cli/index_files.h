#pragma once

#include "cli/command.h"

namespace nacre::cli {

/// `nacre index FILE …`: a signed APKINDEX.tar.gz of packages, as `apk index` and `melange index` make it.
Result<int> index_files(const Arguments& arguments, Session& session);
/// Its options.
std::vector<Option> index_file_options();

}  // namespace nacre::cli
