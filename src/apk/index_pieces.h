#pragma once

#include "apk/index_record.h"
#include "apk/package_file.h"
#include "apk/signature_file.h"
#include "base/result.h"
#include "codec/gzip_pieces.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::apk {

/// What stands before an index. `best` is the one that a verifier of one should use (RSA256 before RSA).
struct IndexSignatures {
  std::optional<SignatureFile> best;
  std::uint64_t signed_from = 0;  ///< What signatures cover begins here, and goes to the end.
};
/// Reads no more than the first segment.
Result<IndexSignatures> read_index_signatures(std::string_view bytes, std::string_view source);

/// The order in which nacre writes an index: by name bytewise, then version as apk orders them, then what is left.
bool comes_before(const IndexRecord& a, const IndexRecord& b);

/// An APKINDEX.tar.gz that pack_index() wrote in that order, changed where something changes: one gzip member, whose
/// text is compressed in pieces of about 64 records that refer to nothing outside (docs/formats/index-pieces.md).
///
/// What comes out is what pack_index() would have written of all records, byte for byte. Cost: the pieces that change,
/// and a copy of the others as they stand.
class IndexPieces {
 public:
  /// Nothing: the index is no such. `member` is the index without its signature (IndexFile::signed_bytes), verified,
  /// and lives as long as this.
  static Result<std::optional<IndexPieces>> open(std::string_view member, std::string_view source);

  const std::string& description() const { return description_; }
  std::uint64_t record_count() const;  ///< As it was opened.
  Result<std::vector<IndexRecord>> named(std::string_view name);  ///< As it was opened.

  /// The index with some records more and some less; a record to remove that is not there is kInternal.
  Result<std::string> edited(std::span<const IndexRecord> added, std::span<const IndexRecord> removed,
                             const SegmentSigner& signer);

 private:
  Result<std::size_t> piece_of(std::string_view name);
  Result<std::string> first_name(std::size_t piece);
  Result<std::vector<IndexRecord>> records_in(std::size_t piece) const;

  std::string source_, description_;
  std::vector<codec::GzipPieceView> text_;  ///< Of the records alone.
  std::map<std::size_t, std::string> first_names_;  ///< Those that were looked at.
};

/// The records of an index cut into pieces and compressed.
std::vector<codec::GzipPiece> index_pieces(std::span<const IndexRecord> records);
/// The member around them: tar of APKINDEX and DESCRIPTION. Whether the records are in comes_before()'s order decides
/// whether the pieces can be found again.
enum class RecordOrder { kOther, kSorted };
Result<std::string> pack_pieces(std::span<const codec::GzipPieceView> text, std::string_view description,
                                RecordOrder order);

}  // namespace nacre::apk
