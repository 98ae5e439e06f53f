#pragma once

#include "apk/index_record.h"
#include "codec/json.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::attest {

/// "name=version" of a package -> those of the packages that it needs.
using PackageGraph = std::map<std::string, std::set<std::string>>;

/// Who needs whom among these: each dependency leads to those of them that have or provide its name.
PackageGraph package_graph(const std::vector<apk::IndexRecord>& packages);

/// Records of apk's installed database, without the files; a part that is none is left out.
std::vector<apk::IndexRecord> installed_records(std::string_view database);

/// CycloneDX 1.6 of what an SPDX 2.3 document says, ours or anybody's: the described element with its components,
/// licences, package URLs, digests, where each came from (sources as external references), and who needs whom:
/// the relations of the document and `graph`. A function of its arguments alone.
codec::Json cyclonedx_of(const codec::Json& spdx, const PackageGraph& graph = {});

}  // namespace nacre::attest
