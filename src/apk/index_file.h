#pragma once

#include "apk/index_record.h"
#include "apk/package_file.h"
#include "base/result.h"

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

/// A read APKINDEX.tar.gz.
struct IndexFile {
  std::vector<IndexRecord> records;
  std::string description;
  std::string key_name;          ///< Of the signature that verify() used, or empty.
  std::string signature_kind;    ///< "RSA256", "RSA"
  std::string signature_bytes;
  std::string signed_bytes;      ///< What the signature covers.
};
Result<IndexFile> read_index(std::string_view bytes, std::string_view source);

/// The same index, byte for byte, with a signature of `signer` instead of the one that it had.
Result<std::string> sign_index(std::string_view bytes, std::string_view source, const SegmentSigner& signer);

}  // namespace nacre::apk
