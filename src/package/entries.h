#pragma once

#include "apk/package_file.h"
#include "package/package.h"

#include <span>
#include <vector>

namespace nacre::package {

/// What a tree becomes in a data segment.
struct PackedEntries {
  std::vector<apk::DataEntry> entries;  ///< In the order of the segment.
  std::uint64_t installed_bytes = 0;
  std::vector<Finding> findings;        ///< What was left out or cannot be done.
};

/// Owners named and the build account made root, extended attributes and capabilities as PAX records, `extras` with
/// their folders. FIFOs and sockets are left out.
Result<PackedEntries> pack_entries(const PackageTree& tree, const PackageRequest& request, std::string_view package);

/// Value of the attribute security.capability, revision 3 with root id 0, from "cap_net_raw,cap_net_admin" -> "+ep".
Result<std::string> capability_value(const definition::Pairs& add);

}  // namespace nacre::package
