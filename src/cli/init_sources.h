#pragma once

#include "cli/command.h"
#include "draft/draft.h"

namespace nacre::cli {

/// What `nacre init` is asked to look at.
struct InitRequest {
  std::string source;       ///< Directory, archive, or the address of an archive or a git repository.
  std::string uri;          ///< Where the archive of a local source is published.
  std::string tag, branch;  ///< Of a repository; neither: the tag with the highest version.
};

struct InitSource {
  draft::SourceTree tree;
  draft::Origin origin;
};

/// Reads the tree and learns where it comes from. What is downloaded goes to the store, so that a build finds it.
Result<InitSource> find_init_source(const InitRequest& request, Session& session);

/// The address of a git remote as a definition may publish it: git@HOST:PATH becomes https://HOST/PATH, and whatever
/// names a user goes. Empty for a path of this machine.
std::string public_address(std::string_view remote);

/// Of tags, the one with the highest version; one that is no prerelease wins. Empty: none has a version.
std::string newest_tag(const std::vector<std::string>& tags);

}  // namespace nacre::cli
