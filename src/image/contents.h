#pragma once

#include "apk/package_file.h"
#include "image/image.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nacre::image {

/// One entry of a package's data segment, with the digest of what it holds.
struct ContentEntry {
  std::string path;                ///< Normal (TreePath).
  std::string written;             ///< As the segment has it, when that differs from `path`.
  char type = '0';
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0;
  std::int64_t mtime = 0;
  std::string link;                ///< Of a symlink as written; of a hard link a normal path.
  Sha256 content;                  ///< Of regular files.
  std::string sha1;                ///< 40 digits: APK-TOOLS.checksum.SHA1, or empty.
  std::map<std::string, std::string> pax;  ///< All records but the checksum.
};

/// What the composer knows of one package of the image.
struct PackageContents {
  apk::PackageFile file;           ///< As read_package_header() has it.
  Sha256 apk;
  std::vector<ContentEntry> entries;       ///< In the segment's order.
  bool ends_with_zeros = false;
  Sha256 diff_id;                  ///< Of the uncompressed data segment.
  std::vector<std::pair<std::string, std::string>> control;  ///< Scripts and other control files.

  std::string label() const { return file.info.name + "=" + file.info.version; }
  apk::Segment data() const;       ///< Everything after the control segment.
};

/// Reads a package of the store and checks that it is what the serial says, of the request's architecture,
/// and signed by the edition's key (kDenied otherwise). Entries are kept in the state by digest: the data
/// segment of one package is inflated once, ever.
Result<PackageContents> read_contents(const index::SerialPackage& package, const ComposeRequest& request,
                                      Env& env);

/// Bytes [offset, offset+size) of a file, in pieces.
Result<> read_range(const os::Path& file, std::uint64_t offset, std::uint64_t size, const codec::Sink& sink);

}  // namespace nacre::image
