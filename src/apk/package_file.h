#pragma once

#include "apk/index_record.h"
#include "apk/package_info.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/tree_path.h"
#include "codec/gzip.h"
#include "codec/tar.h"
#include "os/file.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace nacre::apk {

/// One entry of a data segment as the writer wants it. Content comes from `content` when set, else from `file`.
struct DataEntry {
  codec::TarHeader header;       ///< path, type, mode, owner, mtime, link; size is filled in by the writer.
  std::filesystem::path file;    ///< Of a regular file.
  std::string content;           ///< Used when `file` is empty.
};

/// Signs the compressed control segment: the name for ".SIGN.RSA256.NAME" and the raw signature.
struct SegmentSignature {
  std::string key_name;   ///< "nacre-community.rsa.pub"
  std::string signature;
};
using SegmentSigner = std::function<Result<SegmentSignature>(std::string_view control_segment)>;

/// A segment's place in the file, and digests.
struct Segment {
  std::uint64_t offset = 0, size = 0;  ///< Compressed bytes within the .apk.
};

/// Mode and owner of a control file, as its tar header states them.
struct ControlAttributes {
  unsigned mode = 0644;
  std::uint64_t uid = 0, gid = 0;
  std::string uname, gname;
};

/// An .apk (v2) on disk, as read or just written.
struct PackageFile {
  std::filesystem::path path;
  PackageInfo info;
  Segment signature, control, data;    ///< signature.size 0: unsigned.
  std::string key_name;                ///< Of the first signature.
  std::string signature_bytes;
  std::string control_sha1;            ///< 20 raw bytes: identity in the index ("Q1" + base64).
  Sha256 data_sha256;                  ///< Of the compressed data segment (datahash).
  Sha256 data_diff_id;                 ///< Of the uncompressed data segment.
  bool data_ends_with_zeros = false;   ///< Foreign packages: the data tar has its end blocks.
  std::uint64_t file_size = 0;
  Sha256 file_sha256;
  /// The data segment as a layer of its own: with codec::gzip_tar_end() behind it unless it has end blocks. Of
  /// read_package() alone.
  Sha256 layer_sha256, layer_diff_id;
  std::uint64_t layer_size = 0;

  std::string checksum() const;        ///< "Q1…", as index and installed database have it.
  IndexRecord record() const;          ///< What an index says of it.
};

/// Writes `path` (by rename): [signature] control data. Layer-ready: the data segment has no end-of-archive blocks
/// (design, decision 3). Files and symlinks get APK-TOOLS.checksum.SHA1. `info.data_hash` is set by the writer.
/// `control_files` are written after .PKGINFO in bytewise order (".melange.yaml", ".post-install", …).
struct WriteOptions {
  std::int64_t mtime = 0;               ///< SOURCE_DATE_EPOCH: of every entry.
  std::vector<std::pair<std::string, std::string>> control_files;
  SegmentSigner signer;                 ///< Empty: unsigned.
  int threads = 0;
  /// Sees the content of every regular file as it is packed, in pieces; `begin` with the first. An error stops.
  std::function<Result<>(const std::string& path, std::string_view piece, bool begin)> inspect;
};
Result<PackageFile> write_package(const std::filesystem::path& path, PackageInfo info,
                                  const std::vector<DataEntry>& entries, const WriteOptions& options);

/// Limits for packages that we did not write.
struct ReadLimits {
  std::uint64_t max_control_bytes = 16u << 20;
  std::uint64_t max_data_bytes = std::uint64_t{32} << 30;
  std::uint64_t max_entries = 2'000'000;
  /// "Q1…" that an index gives for this package; when set, another control segment is kDenied.
  std::string expected_checksum;
  /// Whether the SHA-1 that an entry's header may state is compared with its content. The digest of the whole segment
  /// is, always.
  bool check_entries = true;
};

/// Reads and checks a whole .apk: segments, .PKGINFO, datahash, checksums of files. `visit`, when given, gets every
/// data entry. kInvalid for malformed ones, "apk v3 packages are not supported" for ADB files, kDenied for a data
/// segment that is not the one .PKGINFO names.
Result<PackageFile> read_package(const std::filesystem::path& path,
                                 const codec::TarReader::Visitor* visit = nullptr,
                                 const ReadLimits& limits = {});

/// The same in one pass over a file that is copied meanwhile: `copy`, when given, gets every byte as it was read. Also
/// gives the control files.
struct TakenPackage {
  PackageFile file;
  std::vector<std::pair<std::string, std::string>> control;
  std::vector<ControlAttributes> control_attributes;   ///< Of `control`, in its order.
};
Result<TakenPackage> take_package(const std::filesystem::path& path, const codec::TarReader::Visitor* visit,
                                  const codec::Sink& copy, const ReadLimits& limits = {});

/// Every byte of the file against its hashes, nothing inflated but the control segment: what an index or a person has
/// to know to take it in. `data_diff_id` stays zero.
Result<PackageFile> read_package_bytes(const std::filesystem::path& path, const ReadLimits& limits = {},
                                       const codec::Sink& copy = {});

/// Only signature and control segments: fast, does not check the data segment. `data_sha256` is then what .PKGINFO
/// states; `data_diff_id` and `file_sha256` stay zero.
Result<PackageFile> read_package_header(const std::filesystem::path& path,
                                        const ReadLimits& limits = {});

/// The compressed bytes of one segment: what a signature covers is read_segment(file.path, file.control).
Result<std::string> read_segment(const std::filesystem::path& path, const Segment& segment,
                                 const ReadLimits& limits = {});

/// Replaces a package by the same one with a signature of `signer` instead of those that it had. Checks it before.
Result<> sign_package(const std::filesystem::path& path, const SegmentSigner& signer);

/// Writes the package of `from`, which was read and checked as `package`, to `to` with a signature of `signer` instead
/// of those that it had. `to` is there as a whole or not at all.
Result<> sign_package_to(const std::filesystem::path& to, const std::filesystem::path& from,
                         const PackageFile& package, const SegmentSigner& signer, os::Sync sync);

/// Control files (".PKGINFO", ".melange.yaml", scripts) of a package.
Result<std::vector<std::pair<std::string, std::string>>> read_control_files(
    const std::filesystem::path& path, const ReadLimits& limits = {});

/// Unpacks the data segment into the empty directory `folder`, beneath it only (openat2): files, directories,
/// symlinks, hard links; owner as given when `owners` is kKeep (root only). Device nodes are skipped. kIgnore also
/// drops the setuid and setgid bits, which mean something only together with the owner. Checks all that
/// read_package() checks; after an error the folder holds a part.
enum class Owners { kKeep, kIgnore };
Result<> unpack_package(const std::filesystem::path& path, const std::filesystem::path& folder,
                        Owners owners, const ReadLimits& limits = {});

}  // namespace nacre::apk
