#pragma once

#include "base/result.h"

#include <compare>
#include <string>
#include <string_view>

namespace nacre::apk {

/// Order of two versions as apk-tools has it (spec 3.2). Works on invalid ones too, as apk does.
std::weak_ordering compare_versions(std::string_view a, std::string_view b);

/// Whether apk-tools would call it a version: digits{.digits}{letter}{_suffix{digits}}{~hex}{-rN}.
bool is_valid_version(std::string_view text);

/// Whether `version` matches `pattern` fuzzily (`~`): the pattern is a prefix by tokens.
bool fuzzy_match(std::string_view version, std::string_view pattern);

/// Order of two versions as apko has it (spec 3.2): every number by its value, no revision is revision 0, one
/// pre-release suffix and one other at most, no `~hash`. Unordered when apko could not read one of them.
std::partial_ordering compare_versions_apko(std::string_view a, std::string_view b);

/// Whether apko would say that `found` stands in the relation `op` (VersionOp bits, see apk/dependency.h) to `wanted`.
bool apko_version_matches(std::string_view found, unsigned op, std::string_view wanted);

/// A full package version: VERSION-rEPOCH.
std::string full_version(std::string_view version, std::uint64_t epoch);

}  // namespace nacre::apk
