#pragma once

#include "codec/digest.h"
#include "image/merge.h"
#include "store/store.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::image {

constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Compressed tar entries, a part of a layer.
struct Piece {
  Sha256 blob;                   ///< An .apk, or a rewritten segment.
  std::uint64_t offset = 0, size = 0;
  bool ends_with_zeros = false;  ///< Only alone in its layer.
  std::optional<Layer> alone;    ///< The layer that it makes alone, when that is known.
};

/// Which packages go into one layer, by position: `first` alone, then as many as the budget allows alone, the
/// largest magnitude first, else in the given order, the rest in groups chosen by name. Which packages stand alone
/// depends on their size's magnitude, so that an update rarely moves a package from one layer to another. Packages
/// without files are in none.
///
/// Large ones lie at the bottom because runtimes keep what a layer and all beneath it come to: when a layer changes
/// they unpack it again with everything above it.
///
/// Small::kGrouped: of more than 24 packages those below 1 MiB stand in four groups also where the budget has room:
/// whoever pulls pays for each layer, however small (bench/pull.sh).
///
/// `strategy`: "package" (or ""); "origin" keeps packages of one origin together, and origins whose packages replace
/// each other; "single" puts all in one.
enum class Small { kAlone, kGrouped };
std::vector<std::vector<std::size_t>> group_packages(const std::vector<PackageContents>& packages,
                                                     std::size_t first, int budget,
                                                     std::string_view strategy = "package",
                                                     Small small = Small::kAlone);

/// Groups exactly as apko's strategy "origin" makes them: by size, the rest in one.
std::vector<std::vector<std::size_t>> reference_groups(const std::vector<PackageContents>& packages, int budget);

/// The segment of a package as its layer needs it: the .apk's own bytes where they can stand, else rewritten
/// once and kept.
Result<Piece> piece_of(std::size_t package, const std::vector<PackageContents>& packages,
                       const MergedTree& tree, bool alone, Env& env);

/// The layer made of pieces; known ones (by the pieces' digests) are not made again.
Result<Layer> make_layer(const std::vector<Piece>& pieces, std::vector<std::string> packages,
                         store::Store::Durability when, Env& env);

/// Contents of files of a package, each into a file of `folder`: path as the package has it -> file.
Result<std::map<std::string, os::Path>> extract_files(const PackageContents& package,
                                                      const std::vector<std::string>& paths,
                                                      const os::Path& folder, Env& env);

/// Pushes a range of a gzip file through `visitor` as tar entries.
Result<> read_tar_gzip(const os::Path& file, const apk::Segment& range, codec::TarReader::Visitor visitor);

/// A blob while it is written: hashed on the way.
class BlobFile {
 public:
  static Result<BlobFile> create(Env& env);
  Result<> write(std::string_view bytes);
  /// Bytes of another blob: copied within the kernel, or hashed on the way as well when `hash` says so.
  enum class Hash { kNo, kYes };
  Result<> copy(const os::Path& from, std::uint64_t offset, std::uint64_t size, Hash hash);
  Result<Sha256> finish(store::Store::Durability when, Env& env);
  /// With a digest that is known.
  Result<> finish_as(const Sha256& digest, store::Store::Durability when, Env& env);
  std::uint64_t size() const { return size_; }

 private:
  explicit BlobFile(os::AtomicFile file) : file_(std::move(file)) {}
  os::AtomicFile file_;
  codec::Hasher hasher_;
  std::uint64_t size_ = 0;
};

/// A directory for half-made blobs, on the store's file system.
Result<os::TempDir> scratch(Env& env);

}  // namespace nacre::image
