#pragma once

#include "cli/container.h"
#include "codec/json.h"

namespace nacre::cli {

/// What the image says about how to start it.
struct ImageConfig {
  std::vector<std::string> entrypoint, cmd, env;
  std::string user, working_dir, stop_signal;
};
Result<ImageConfig> read_image_config(const Sha256& manifest, Env& env);

/// config.json of an OCI bundle (runtime-spec 1.0.2): the narrowest that runs. `uid` and `gid` are those of the
/// process inside.
struct BundleRequest {
  ImageConfig image;
  RunOptions options;
  Path root;             ///< Unpacked image, mounted read-only.
  unsigned uid = 0, gid = 0;
  bool rootless = false;
  unsigned caller_uid = 0, caller_gid = 0;
};
/// kInvalid when there is nothing to run, or a mount has no directory in the image.
Result<codec::Json> make_bundle(const BundleRequest& request);

/// "65532", "65532:65532", "nonroot": numbers, or names looked up in the image's etc/passwd and etc/group.
Result<std::pair<unsigned, unsigned>> resolve_user(const std::string& user, const Path& root);

}  // namespace nacre::cli
