#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"

namespace nacre::image {

/// Takes an image of an OCI layout directory, of any maker, into the store: every document and blob, each checked by
/// its digest. Gives the image that index.json names, or index.json itself when it lists the architectures of one
/// image (as apko writes it). kInvalid when it holds several images; kDenied for bytes that are not what their name
/// says.
Result<Sha256> take_layout(const os::Path& folder, Env& env);

/// Whether there is a layout, by its index.json.
bool is_layout(const os::Path& folder);

}  // namespace nacre::image
