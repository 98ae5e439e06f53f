#pragma once

#include "image/contents.h"
#include "image/resolve.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nacre::image {

/// What stands at one path of the finished image.
struct Node {
  char type = '0';                 ///< '0' file, '2' symlink, '5' directory, or another tar type.
  unsigned mode = 0755;
  std::uint64_t uid = 0, gid = 0, size = 0;
  std::int64_t mtime = 0;
  std::string link;                ///< Of symlinks.
  std::map<std::string, std::string> pax;
  int package = -1;                ///< Owner by position; -1: none.
  std::size_t entry = 0;           ///< Within the owner.
  bool top = false;                ///< Goes into the top layer.
  std::optional<std::string> content;  ///< Of files that the composer writes itself.
  std::string same_as;             ///< Hard link: path of the file whose content this shares.
  unsigned dev_major = 0, dev_minor = 0;
  bool seeded = false;             ///< A directory that stood before any package.
  bool copy = false;               ///< A hard link that is written as a file of its own.
};

/// What becomes of one entry of a package: in its layer under `path`, or not there at all.
struct EntryPlan {
  bool keep = true;                ///< In the layer.
  bool listed = true;              ///< In the installed database.
  std::string path, link;
};

/// The packages laid over each other.
struct MergedTree {
  using Nodes = std::map<std::string, Node, TreeOrder>;
  Nodes nodes;
  std::vector<std::vector<EntryPlan>> plans;   ///< By package, by entry.

  Node* find(std::string_view path);
  /// The path that `path` means in the image.
  Result<std::string> resolved(std::string_view path, Last last) const;
  /// Whether the segment of a package cannot stand in a layer as it is.
  bool needs_rewrite(std::size_t package, const std::vector<PackageContents>& packages) const;
};

/// Position of the package that owns the links of a merged /usr (a symlink called bin or lib), or of the first.
std::size_t layout_position(const std::vector<PackageContents>& packages);

/// Lays packages over each other in the given order. Directories merge, the first one decides mode and owner.
/// A path through another package's symlink moves to where the link leads. Two packages with different
/// content at one path: the one that replaces the other (by name and version; by priority when both do) keeps
/// its file, the other loses it; kConflict when neither does.
/// Packages of one origin may overwrite each other: the later one keeps its file.
///
/// With LayerForm::kReference as apko merges: directories of `seeds` are there first and keep their mode, the last
/// package decides a directory's date, `replaces` is compared by bare name, and everything is root's.
struct Seed {
  std::string_view path;
  unsigned mode = 0755;
};
Result<MergedTree> merge(const std::vector<PackageContents>& packages, FileDigests& digests,
                         LayerForm form = LayerForm::kSegments, const std::vector<Seed>& seeds = {});

}  // namespace nacre::image
