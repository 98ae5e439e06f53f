#pragma once

#include "apk/index_record.h"
#include "apk/package_file.h"
#include "apk/signature_file.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::apk {

/// Text of an APKINDEX: records in the given order, blank line after each (spec 2.1).
std::string write_index(const std::vector<IndexRecord>& records);

/// APKINDEX.tar.gz: [signature member] + index member holding DESCRIPTION and APKINDEX. `description` names edition and
/// serial ("nacre community serial 12"), and is covered by the signature.
Result<std::string> pack_index(const std::vector<IndexRecord>& records, std::string_view description,
                               const SegmentSigner& signer);

/// An APKINDEX.tar.gz taken apart; its records are still text (parse_index, scan_index).
struct IndexText {
  std::shared_ptr<const std::string> archive;  ///< Inflated; `text` lies in it.
  std::string_view text;
  std::string description;
  std::vector<SignatureFile> signatures;  ///< In file order; empty: unsigned.
  std::uint64_t signed_from = 0;          ///< What signatures cover begins here in the bytes, and goes to their end.
};
constexpr std::uint64_t kMaxIndexBytes = 300u << 20;  ///< Inflated; as the field's readers have it.
/// kInvalid, bounded in memory, for what is no index: another archive, a gzip bomb, an index of apk v3.
Result<IndexText> unpack_index(std::string_view bytes, std::string_view source,
                               std::uint64_t max_bytes = kMaxIndexBytes);

/// A read APKINDEX.tar.gz.
struct IndexFile {
  std::vector<IndexRecord> records;
  std::string description;
  std::string key_name;          ///< Of the signature that a verifier of one should use (RSA256 before RSA), or empty.
  std::string signature_kind;    ///< "RSA256", "RSA"
  std::string signature_bytes;
  std::string signed_bytes;      ///< What the signature covers.
};
Result<IndexFile> read_index(std::string_view bytes, std::string_view source);

/// The same index, byte for byte, with a signature of `signer` instead of the one that it had.
Result<std::string> sign_index(std::string_view bytes, std::string_view source, const SegmentSigner& signer);

}  // namespace nacre::apk
