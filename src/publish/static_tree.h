#pragma once

#include "base/env.h"
#include "base/result.h"
#include "index/index.h"
#include "os/file.h"

#include <string>
#include <vector>

namespace nacre::publish {

/// Writes images of a serial as plain files that answer the pull side of the OCI distribution protocol when any web
/// server or object store serves them:
///
///     v2/NAME/blobs/sha256:HEX                 every blob (hard links or copies of the store's)
///     v2/NAME/manifests/REFERENCE.TYPE         each manifest by digest and by tag; TYPE, "index" or "manifest", tells
///                                              its media type to a server that goes by the ends of names
///     v2/NAME/tags/list, v2/NAME/referrers/DIGEST
///     nginx.conf                               a server block that serves them
///     v2/version.json                          what `/v2/` itself answers
///     objects.tsv                              KEY, FILE, CONTENT-TYPE in each line: what to upload to an object store
///
/// NAME is "nacre/IMAGE" or "nacre-production/IMAGE". Blobs come first, tags last, each file by rename; what is
/// there and equal is kept, so that a mirror moves only what is new. Files of older serials stay.
Result<> write_static_tree(const os::Path& folder, const index::Serial& serial,
                           const std::vector<index::SerialImage>& images, Env& env);

}  // namespace nacre::publish
