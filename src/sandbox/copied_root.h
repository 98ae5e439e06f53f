#pragma once

#include "os/file.h"
#include "sandbox/sandbox.h"

#include <array>
#include <map>

namespace nacre::sandbox {

/// A root for machines that refuse overlay mounts: the trees copied one over the other, then the
/// upper directory. Cost: reads and writes every byte (reflinks where the file system has them).
/// Extended attributes are not copied.
class CopiedRoot {
 public:
  /// In a directory beside the upper one, removed on destruction.
  static Result<CopiedRoot> make(const RootSpec& root);
  const Path& path() const { return root_.path(); }

  /// Moves what differs from the state after make() into the upper directory; deletions: whiteouts.
  Result<> keep_changes();

 private:
  /// What tells whether an entry was touched or replaced: ctime counts, so that no write can hide,
  /// and the time of birth, for inode numbers are used again.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t born = 0;
    std::array<std::int64_t, 3> status{};  ///< ctime; of a directory mode and owners.
    bool operator==(const Mark&) const = default;
  };
  CopiedRoot(os::TempDir root, Path upper) : root_(std::move(root)), upper_(std::move(upper)) {}
  Result<std::map<TreePath, Mark>> marks() const;
  /// Makes the directories down to `folder` in the upper directory; adds the new ones to `made`.
  Result<> reach(const TreePath& folder, std::vector<TreePath>& made) const;

  os::TempDir root_;
  Path upper_;
  std::map<TreePath, Mark> before_;
};

}  // namespace nacre::sandbox
