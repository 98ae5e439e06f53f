#pragma once

#include "cli/apko.h"
#include "cli/command.h"

namespace nacre::cli {

/// Whether a definition says where its packages come from: then it is no image of an edition.
bool names_repositories(const image::Contents& contents);

/// `nacre image build FILE.yaml` of packages from the repositories that the file or the call names.
Result<int> build_foreign_image(const Arguments& arguments, Session& session);

}  // namespace nacre::cli
