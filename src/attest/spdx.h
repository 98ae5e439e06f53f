#pragma once

#include "base/result.h"
#include "codec/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::attest {

/// "SPDXRef-Package-a-b": ids may hold letters, digits, '.' and '-'; ':' and '/' become '-', any other byte "C" and
/// its decimal code.
std::string spdx_id(std::string_view kind, std::string_view text);

/// One licence text of a definition as an SPDX expression: as it stands when it is one, else "LicenseRef-…".
struct SpdxLicense {
  std::string expression;
  std::string reference;   ///< "LicenseRef-…" when the text is no expression; then `text` is what it stands for.
  std::string text;
  std::string name;        ///< What the definition calls it; empty: the text.
};
SpdxLicense spdx_license(std::string_view text);

/// A document under construction (SPDX 2.3, JSON). Packages of equal id are taken once.
class SpdxDocument {
 public:
  /// `created` in seconds since 1970.
  SpdxDocument(std::string name, std::string name_space, std::int64_t created);

  /// A package object with the fields that every package needs; more can be set on the answer before add().
  static codec::Json package(const std::string& id, const std::string& name,
                             const std::string& version, const std::string& supplier);
  void add(codec::Json package);
  bool has(std::string_view id) const;
  void describe(const std::string& id);
  void relate(const std::string& from, std::string_view relation, const std::string& to);
  void license(const SpdxLicense& license);   ///< Keeps the text of a LicenseRef.
  codec::Json finish() &&;

 private:
  codec::Json head_, described_, packages_, relations_, licenses_;
  std::vector<std::string> ids_;
};

/// {referenceCategory, referenceType, referenceLocator} of a package URL.
codec::Json purl_reference(const std::string& purl);

/// [{algorithm SHA256, checksumValue}]
codec::Json sha256_checksums(const std::string& hex);

}  // namespace nacre::attest
