#pragma once

#include <string>

namespace nacre::definition {

struct Definition;

/// CPE 2.3 name of what a definition packs, "cpe:2.3:a:VENDOR:PRODUCT:VERSION:*:…"; empty when it names no vendor and
/// product.
std::string cpe_name(const Definition& definition);

}  // namespace nacre::definition
