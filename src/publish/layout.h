#pragma once

#include "base/env.h"
#include "base/result.h"
#include "codec/json.h"
#include "index/index.h"
#include "os/file.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::store { class Store; }

namespace nacre::publish {

/// The first part of the names under which images of an edition stand in a registry: "nacre", "nacre-production".
std::string_view registry_space(Edition edition);

/// Makes `to` the store's blob: a hard link, or a copy where that is another file system. What is there stays.
Result<> place_blob(const store::Store& store, const Sha256& digest, const os::Path& to);

/// Writes a small file by rename, unless it holds these bytes already.
Result<> put_text(const os::Path& file, std::string_view bytes);

/// Writes images of a serial as an OCI image layout (oci-layout, index.json, blobs/sha256/…): blobs are hard links or
/// copies of the store's. Tags become `org.opencontainers.image.ref.name`. Referrers and legacy cosign tags are in
/// index.json too. Existing blobs are kept, index.json is replaced by rename, so a crash leaves the old state or the
/// new one.
Result<> write_layout(const os::Path& folder, const std::vector<index::SerialImage>& images, Env& env);

/// Writes a repository as a plain directory that any web server can serve: ARCH/APKINDEX.tar.gz, ARCH/*.apk, with
/// *.spdx.json and *.intoto.sigstore.json beside each. Public keys are the caller's to add. APKINDEX is replaced after
/// what it names, by rename; then, for the edition's newest serial (or for what `channel` names), the freshness
/// metadata of the edition (or of the channel) in `tuf/`, timestamp last.
Result<> write_repository(const os::Path& folder, const index::Serial& serial, Env& env,
                          std::string_view channel = {});

}  // namespace nacre::publish
