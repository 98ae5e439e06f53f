#pragma once

#include "image/layer.h"

#include <string>
#include <vector>

namespace nacre::image {

/// What no package owns: changes the tree, then write_top() puts what changed into the top layer.
class TopLayer {
 public:
  /// `mtime`: of everything that the composer makes itself.
  TopLayer(MergedTree& tree, const std::vector<PackageContents>& packages, std::int64_t mtime)
      : tree_(tree), packages_(packages), mtime_(mtime) {}

  /// A directory, unless there is one; folders on the way are root's, 0755.
  Result<> add_folder(std::string_view path, unsigned mode, std::uint64_t uid = 0, std::uint64_t gid = 0);
  /// A file with this content, in the place of one that is there (whose owner and mode it keeps).
  Result<> put_file(std::string_view path, std::string content, unsigned mode);
  /// A symlink; kConflict when something else is there.
  Result<> add_symlink(std::string_view path, std::string target);
  /// One entry of `paths:`.
  Result<> apply(const PathChange& change);

  bool has(std::string_view path) const;
  /// Content of a file of the tree, or "" when there is none.
  Result<std::string> read(std::string_view path, Env& env) const;

  Result<Layer> write_top(Env& env);

 private:
  Result<std::string> place(std::string_view path, Last last);
  Result<> change_path(const PathChange& change);
  Result<> add_hard_link(const PathChange& change, const std::string& path);
  Result<> change_owner(const PathChange& change, std::string_view path);
  void set_owner(Node& node, const PathChange& change) const;
  Result<std::map<std::string, os::Path>> extract_needed(const os::Path& folder, Env& env) const;

  MergedTree& tree_;
  const std::vector<PackageContents>& packages_;
  std::int64_t mtime_;
};

/// All that goes into the top layer besides the packages: missing base folders, accounts, home folders, apk's
/// database and configuration, `paths:`. `locked` is etc/apko.json. Gives the content of etc/passwd.
Result<std::string> fill_top(TopLayer& top, const ComposeRequest& request,
                             const std::vector<PackageContents>& packages, MergedTree& tree,
                             std::string locked, std::int64_t created, Env& env);

}  // namespace nacre::image
