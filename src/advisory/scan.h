#pragma once

#include "advisory/components.h"
#include "advisory/document.h"
#include "advisory/osv_index.h"
#include "codec/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// One vulnerability in one package, and what is known of it.
struct Match {
  std::string package, origin, version;  ///< version: VERSION-rEPOCH of the package.
  Component component;                   ///< What the record names.
  std::string vulnerability;             ///< CVE when it has one, else GHSA, else the record's own id.
  std::vector<std::string> ids;          ///< All ids of all records that say so, sorted.
  std::string summary, severity;         ///< severity: "low" … "critical"; empty: unknown.
  std::optional<double> score;           ///< CVSS 3 base score.
  std::string fixed;                     ///< First version of the component without it; empty: none known.
  bool sure = true;                      ///< False: nothing says whether this version is affected.
  std::string reason;                    ///< Why it is not sure.
  std::string advisory;                  ///< Id of ours on it; empty: none.
  std::optional<EventType> status;       ///< Of that advisory.
  std::string status_text;               ///< "fixed in 1.0-r1", "false positive: vulnerable-code-not-in-execution-path"

  /// Neither unsure nor judged a false positive: what gates and exit codes count. What an advisory calls fixed in a
  /// version that this package has is found all the same, and counts.
  bool counts() const;
  bool fixable() const { return !fixed.empty(); }
};

/// What a scan answers.
struct ScanResult {
  std::vector<Match> matches;  ///< By package, component, vulnerability.
  std::int64_t data_date = 0;  ///< Of the newest record asked.
  std::uint64_t records = 0;   ///< Known to the data.
  std::size_t packages = 0, components = 0;
  std::vector<std::string> not_read;  ///< "PACKAGE: FILE: why"
};

/// What is known of a package besides its own bytes: the source that Debian has under a name ("zlib"), for records of
/// Debian's on the same upstream.
struct PackageInput {
  PackageComponents parts;
  std::string debian_source;  ///< Empty: not known.
};

/// Packages against records. A component is looked up by ecosystem and name, a source by its repository and tag, the
/// package itself by its distribution's ecosystem. Records that say the same of one component (by id or alias) are one
/// match. Records of Debian's on the same upstream tell by the upstream part of the version alone: below the fix is
/// affected, above is not, equal is unsure (docs/decisions/0029).
Result<ScanResult> match_packages(const std::vector<PackageInput>& packages, const OsvIndex& index,
                                  const std::vector<Document>& advisories);

/// Vulnerabilities that PyPI's own interface names of one release ("vulnerabilities" of /NAME/VERSION/json).
Result<std::vector<OsvRecord>> read_pypi_vulnerabilities(const codec::Json& json);
/// Adds what PyPI itself says of a package's component, as match_packages() has it.
void add_pypi_matches(ScanResult& result, const PackageInput& package, const Component& component,
                      const std::vector<OsvRecord>& records, const std::vector<Document>& advisories);

/// Order and marks of advisories, after matches were added.
void finish(ScanResult& result, const std::vector<Document>& advisories);

codec::Json to_json(const Match& match);
codec::Json to_json(const ScanResult& result);
Result<Match> match_from_json(const codec::Json& json);

}  // namespace nacre::advisory
