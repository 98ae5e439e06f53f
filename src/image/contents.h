#pragma once

#include "apk/package_file.h"
#include "image/image.h"
#include "image/library.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nacre::store { class Store; }

namespace nacre::image {

/// One entry of a package's data segment.
struct ContentEntry {
  std::string path;                ///< Normal (TreePath).
  std::string written;             ///< As the segment has it, when that differs from `path`.
  char type = '0';
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0;
  std::int64_t mtime = 0;
  std::string link;                ///< Of a symlink as written; of a hard link a normal path.
  std::string sha1;                ///< 20 bytes: APK-TOOLS.checksum.SHA1 as the header states it, or empty.
  std::map<std::string, std::string> pax;  ///< All records but the checksum.
  std::optional<LibraryName> library;      ///< Of regular files with a library's name.
};

/// What the composer knows of one package of the image.
struct PackageContents {
  apk::PackageFile file;           ///< As read_package_header() has it.
  Sha256 apk;
  std::vector<ContentEntry> entries;       ///< In the segment's order.
  bool ends_with_zeros = false;
  Sha256 diff_id;                  ///< Of the uncompressed data segment.
  std::vector<std::pair<std::string, std::string>> control;  ///< Scripts and other control files.
  std::vector<apk::ControlAttributes> control_attributes;    ///< Of `control`, in its order.

  std::string label() const { return file.info.name + "=" + file.info.version; }
  apk::Segment data() const;       ///< Everything after the control segment.
};

/// Reads a package of the store and checks that it is what the serial says, of the request's architecture,
/// and signed by the edition's key (kDenied otherwise). Contents are kept by digest: the data segment of one package is
/// inflated once, ever.
Result<PackageContents> read_contents(const index::SerialPackage& package, const ComposeRequest& request,
                                      Env& env);

/// A package that is on its way into the store: reads all of it, once, hands every byte to `copy` (when that is one),
/// and keeps its contents for read_contents().
Result<apk::PackageFile> read_new_package(const os::Path& file, const codec::Sink& copy, const apk::ReadLimits& limits,
                                          store::Store& store);

/// Digests of regular files of the image's packages, made when somebody asks: only what stands in two packages is ever
/// compared. A package's are all made at once, and kept.
class FileDigests {
 public:
  FileDigests(const std::vector<PackageContents>& packages, Env& env) : packages_(packages), env_(env) {}
  Result<Sha256> of(std::size_t package, const ContentEntry& entry);

 private:
  using OfPackage = std::map<std::string, Sha256, std::less<>>;
  Result<OfPackage> read(const PackageContents& package) const;

  const std::vector<PackageContents>& packages_;
  Env& env_;
  std::map<std::size_t, OfPackage> known_;
};

/// Bytes [offset, offset+size) of a file, in pieces.
Result<> read_range(const os::Path& file, std::uint64_t offset, std::uint64_t size, const codec::Sink& sink);

}  // namespace nacre::image
