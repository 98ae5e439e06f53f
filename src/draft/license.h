#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nacre::draft {

constexpr std::size_t kMaxLicenseBytes = 1u << 20;  ///< Of a file: more of it is not looked at.

/// How likely a file of this name (no directories) holds a licence: 0 for none, 1 for "LICENSE". The field's weights,
/// for the names that matter.
double license_weight(std::string_view name);

/// The SPDX identifier of the licence whose text this is; empty when it is none that is known. GPL and its kin come as
/// "-only": the text alone does not say more.
std::string recognise_license(std::string_view text);

/// What people write where an SPDX expression belongs ("Apache 2.0", "MIT/Apache-2.0", "BSD License") as one; empty
/// when it says nothing that is known.
std::string license_expression(std::string_view words);

}  // namespace nacre::draft
