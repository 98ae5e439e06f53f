#pragma once

#include "base/env.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "image/file_map.h"
#include "image/read.h"
#include "os/file.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace nacre::image {

/// What all layers of one image make together, ready to be written in one form or another: every path with its header,
/// and the contents of files. Contents lie in a file of a scratch directory, each once.
class RootTree {
 public:
  using Nodes = std::map<std::string, FileMap::Node, TreeOrder>;

  /// Reads and checks every layer. `folder` must outlive the tree.
  static Result<RootTree> read(const Sha256& manifest, const os::Path& folder, Env& env);

  const Sha256& manifest() const { return manifest_; }
  const Nodes& nodes() const { return nodes_; }
  const FileMap::Node* find(std::string_view path) const;   ///< nullptr when absent; symlinks on the way are followed.
  /// Names of a regular file, in order; several when they are hard links of one file.
  const std::vector<std::string>& names(const FileMap::Node& node) const { return names_.at(node.source); }

  /// Content of a regular file, whole or a part of it.
  Result<> write(const FileMap::Node& node, const codec::Sink& sink) const {
    return write_part(node, 0, node.header.size, sink);
  }
  Result<> write_part(const FileMap::Node& node, std::uint64_t from, std::uint64_t size, const codec::Sink& sink) const;
  /// Content of a small file, links followed; "" when there is none.
  Result<std::string> text(std::string_view path) const;

  /// Adds what the image itself does not hold; in the place of what is there. Folders on the way are made, as root's.
  Result<> put(const std::string& path, codec::TarHeader header, std::string content = {});

 private:
  Result<> gather(const ImageParts& parts, Env& env);

  Sha256 manifest_;
  Nodes nodes_;
  std::map<FileMap::Source, std::vector<std::string>> names_;
  std::map<FileMap::Source, std::uint64_t> offsets_;
  std::map<FileMap::Source, std::string> added_;
  os::Path contents_;
};

/// File type and permissions as stat() has them.
unsigned stat_mode(const codec::TarHeader& header);

/// Makes a root start as a machine, when the image holds the package nacre-init: /init leads to it, etc/nacre/service
/// says what to run (entrypoint, environment, user, volumes), and the directories to mount on are there. `config` is
/// the image's. False, and nothing changed, when the image has no such init; kInvalid when it names nothing to run.
Result<bool> make_bootable(RootTree& root, const codec::Json& config);

/// The forms. Each writes the bytes of its file from first to last, as a function of the tree alone. Hard links stay
/// links; owners, modes, devices and capabilities are kept.
Result<> write_root_tar(const RootTree& root, const codec::Sink& sink);
/// newc, as the kernel takes an initramfs.
Result<> write_root_cpio(const RootTree& root, const codec::Sink& sink);
/// EROFS, not compressed.
Result<> write_root_erofs(const RootTree& root, const codec::Sink& sink);
/// A disk with a GUID partition table and one partition, which holds the EROFS.
Result<> write_root_disk(const RootTree& root, const codec::Sink& sink);

}  // namespace nacre::image
