#pragma once

#include "base/result.h"
#include "os/file.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nacre::package {

/// A file's bytes mapped for reading: only the pages that are looked at are read. The file must not shrink meanwhile;
/// trees of finished builds do not.
class MappedFile {
 public:
  /// Beneath `root` only, symlinks refused (os::open_beneath).
  static Result<MappedFile> open(const os::Path& root, const TreePath& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return bytes_; }

 private:
  MappedFile() = default;
  std::string_view bytes_;
};

/// One package's tree, walked once for all that look at it.
class PackageTree {
 public:
  os::Path root;
  std::vector<os::TreeEntry> entries;  ///< As os::walk_tree gives them.

  static Result<PackageTree> walk(const os::Path& root);
  PackageTree(PackageTree&&) = default;  ///< Not copied: the table below looks into `entries`.
  PackageTree& operator=(PackageTree&&) = default;

  /// The entry at that path itself; nullptr.
  const os::TreeEntry* find(std::string_view path) const;
  /// What `path` leads to when symlinks are followed as if the tree were the root directory; nullptr when that is
  /// nothing of this tree. Asks the list of entries alone, so that no link can lead out.
  const os::TreeEntry* resolve(std::string_view path) const;

 private:
  PackageTree() = default;
  std::unordered_map<std::string_view, std::size_t> by_path_;  ///< Views into `entries`.
};

}  // namespace nacre::package
