#pragma once

#include "apk/package_file.h"
#include "apk/signature_file.h"
#include "base/result.h"
#include "codec/digest.h"
#include "codec/tar.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

// Inside this room only: the tar and gzip parts that packages and indexes have in common.
namespace nacre::apk {

/// A TarReader that knows where entries end, so that it can tell the end-of-archive blocks from content, and refuses
/// bytes hidden behind them: readers differ in whether they look there.
class TarScanner {
 public:
  TarScanner(codec::TarReader::Visitor visitor, codec::TarLimits limits);
  Result<> push(std::string_view bytes);
  Result<> finish();
  /// After finish(): whether zero blocks followed the last entry.
  bool ends_with_zeros() const { return trailing_ > 0; }

 private:
  Result<> on_entry(const codec::TarHeader& header);

  codec::TarReader::Visitor visitor_;
  codec::TarReader reader_;
  std::uint64_t pushed_ = 0;       ///< Bytes that the reader has seen.
  std::uint64_t content_end_ = 0;  ///< Where the current entry ends, padding included.
  std::uint64_t trailing_ = 0;     ///< Bytes since then that belong to no entry.
  bool trailing_zeros_ = true;
};

/// A data segment being read: what TarScanner checks, and paths, types, duplicates, checksums of files and links.
/// The visitor gets only entries that passed, with normal relative paths; the root itself is left out.
class DataScanner {
 public:
  DataScanner(const codec::TarReader::Visitor* visitor, const ReadLimits& limits);
  Result<> push(std::string_view bytes) { return scanner_.push(bytes); }
  Result<> finish();
  bool ends_with_zeros() const { return scanner_.ends_with_zeros(); }

 private:
  Result<> on_entry(const codec::TarHeader& header);
  Result<> on_data(std::string_view bytes);
  Result<> finish_file();

  const codec::TarReader::Visitor* visitor_;
  const bool check_entries_;
  TarScanner scanner_;
  std::unordered_set<std::string> paths_;
  std::string open_path_, expected_sha1_;  ///< Of the file whose content is being read.
  codec::Hasher hasher_{codec::HashKind::kSha1};
};

/// A small file of a signature, control or index segment.
struct SmallFile {
  std::string name, content;
  unsigned mode = 0644;
  ControlAttributes as = {};           ///< As it was read; not of files that are written.
};
enum class Ending { kOpen, kZeroBlocks };  ///< Whether end-of-archive blocks follow.

/// One gzip member holding a tar of `files`. `owner` is the text for uname and gname.
Result<std::string> pack_files(const std::vector<SmallFile>& files, std::int64_t mtime,
                               std::string_view owner, Ending ending);
Result<std::vector<SmallFile>> read_files(std::string_view tar);
/// The same without copies: contents are pieces of `tar`.
struct FileView {
  std::string name;
  std::string_view content;
  ControlAttributes as = {};
};
Result<std::vector<FileView>> view_files(std::string_view tar);

bool is_signature_name(std::string_view name);
Result<SignatureFile> parse_signature_file(const SmallFile& file);
/// Every one of `files`, which must be signatures alone.
Result<std::vector<SignatureFile>> parse_signatures(const std::vector<SmallFile>& files);
/// The one that a verifier of one should use: RSA256 before RSA, the first of several; nullptr when there is none.
const SignatureFile* best_of(const std::vector<SignatureFile>& signatures);
/// One record of an APKINDEX text, and the blank line behind it.
void append_record(std::string& out, const IndexRecord& record);
/// The index with a signature before it; without one when `signer` is empty.
Result<std::string> sign_index_member(const std::string& member, const SegmentSigner& signer);
Result<std::string> pack_signature(const SegmentSignature& signature, std::int64_t mtime);

constexpr std::string_view kChecksumKey = "APK-TOOLS.checksum.SHA1";
constexpr std::size_t kPieceBytes = 256u << 10;  ///< Read from and written to files at once.

}  // namespace nacre::apk
