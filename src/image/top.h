#pragma once

#include "image/layer.h"

#include <string>
#include <vector>

namespace nacre::image {

/// What no package owns: changes the tree, then write_top() puts what changed into the top layer.
class TopLayer {
 public:
  /// `mtime`: of everything that the composer makes itself.
  TopLayer(MergedTree& tree, const std::vector<PackageContents>& packages, std::int64_t mtime,
           LayerForm form = LayerForm::kSegments, bool foreign = false)
      : tree_(tree), packages_(packages), mtime_(mtime), form_(form), foreign_(foreign) {}

  /// A directory, unless there is one; folders on the way are root's, `parents`.
  Result<> add_folder(std::string_view path, unsigned mode, std::uint64_t uid = 0, std::uint64_t gid = 0,
                      unsigned parents = 0755);
  /// A file with this content, in the place of one that is there, whose owner and mode it keeps. As apko has it the
  /// file of a package stays in that package's layer, with its date.
  Result<> put_file(std::string_view path, std::string content, unsigned mode);
  /// The same, dated: what apko dates by the newest package.
  Result<> put_dated(std::string_view path, std::string content, unsigned mode, std::int64_t mtime);
  /// A symlink; kConflict when something else is there.
  Result<> add_symlink(std::string_view path, std::string target);
  /// A character device, unless something is there.
  Result<> add_device(std::string_view path, unsigned mode, unsigned major, unsigned minor);
  /// One entry of `paths:`.
  Result<> apply(const PathChange& change);

  bool has(std::string_view path) const;
  bool has_file(std::string_view path) const;   ///< A regular file, links followed.
  MergedTree& tree() { return tree_; }
  /// Content of a file of the tree, or "" when there is none.
  Result<std::string> read(std::string_view path, Env& env) const;

  Result<Layer> write_top(store::Store::Durability when, Env& env);

  /// Layers written anew, as apko does: one for each group of packages (by position; none: a single layer of all),
  /// then one of what no package owns. `databases`: what each group's layer has as installed database.
  Result<std::vector<Layer>> write_whole(const std::vector<std::vector<std::size_t>>& groups,
                                         const std::vector<std::string>& databases, Env& env);

 private:
  Result<std::string> place(std::string_view path, Last last);
  Result<> change_path(const PathChange& change);
  Result<> add_hard_link(const PathChange& change, const std::string& path);
  Result<> change_owner(const PathChange& change, std::string_view path);
  void set_owner(Node& node, const PathChange& change) const;
  std::int64_t date_in(std::string_view folder) const;
  Result<std::map<std::string, os::Path>> extract_needed(const os::Path& folder, Env& env) const;

  MergedTree& tree_;
  const std::vector<PackageContents>& packages_;
  std::int64_t mtime_;
  LayerForm form_;
  bool foreign_;   ///< Of no edition: the layer is compressed for speed.
};

/// All that goes into the top layer besides the packages: missing base folders, accounts, home folders, apk's
/// database and configuration, `paths:`. `locked` is etc/apko.json. Gives the content of etc/passwd.
Result<std::string> fill_top(TopLayer& top, const ComposeRequest& request,
                             const std::vector<PackageContents>& packages, MergedTree& tree,
                             std::string locked, std::int64_t created, Env& env);

/// The same for images of foreign packages: what apko writes, in its order (spec 5.2).
Result<std::string> fill_foreign(TopLayer& top, const ComposeRequest& request,
                                 const std::vector<PackageContents>& packages, MergedTree& tree,
                                 std::int64_t created, Env& env);
/// Directories that stand before any package.
const std::vector<Seed>& foreign_seeds();

/// Steps that both share (extras.cc): certificates of the definition and of providers in the bundles that there are,
/// a checksum beside each bundle, keys for the image alone, services, links to busybox, the loader's cache.
Result<> add_certificates(TopLayer& top, const ImageSpec& spec, const std::vector<PackageContents>& packages,
                          std::int64_t created, Env& env);
Result<> add_bundle_sums(TopLayer& top, std::int64_t created, Env& env);
Result<> add_runtime_keys(TopLayer& top, const ImageSpec& spec, std::int64_t created);
Result<> add_services(TopLayer& top, const ImageSpec& spec);
Result<> add_busybox_links(TopLayer& top, const std::vector<PackageContents>& packages, Env& env);
Result<> add_loader_cache(TopLayer& top, const std::vector<PackageContents>& packages, Env& env);

}  // namespace nacre::image
