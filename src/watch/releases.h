#pragma once

#include "watch/watch.h"

#include <string>
#include <vector>

namespace nacre::watch {

/// A tag or version as a feed gives it, before the update block's filters.
struct RawRelease {
  std::string tag;
  std::int64_t published = 0;
  bool prerelease = false;
};

/// Applies the `update:` block: tag filters, prefix and suffix, version-separator, version-transform,
/// ignore-regex-patterns, prereleases; drops what apk would not call a version; newest first, each version once.
/// kInvalid for a regular expression that does not compile.
Result<std::vector<Release>> select_releases(const definition::Update& update, FeedKind kind,
                                             const std::vector<RawRelease>& raw);

}  // namespace nacre::watch
