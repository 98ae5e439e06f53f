#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"

#include <string>
#include <vector>

namespace nacre::publish {

/// Writes an image index of the store as an OCI layout whose index.json is the index itself, as apko does: one image
/// under one name, every architecture. Blobs are hard links or copies.
Result<> write_index_layout(const os::Path& folder, const Sha256& index, Env& env);

/// Writes an image index (or a single manifest) as an archive for `docker load`: configurations, layers, manifest.json
/// with each of `tags` and "-ARCH" after it, then the OCI manifests and index.json, as apko does. Deterministic.
Result<> write_docker_archive(const os::Path& file, const Sha256& index, const std::vector<std::string>& tags,
                              Env& env);

}  // namespace nacre::publish
