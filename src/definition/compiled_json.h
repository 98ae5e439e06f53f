#pragma once

#include "definition/definition.h"

namespace nacre::definition {

/// The reference's JSON form of a compiled definition (spec: apk-melange-apko 1.4): what is unset
/// is missing, but the empty structures that Go's encoder keeps; keys of free mappings ordered
/// bytewise.
codec::Json compiled_json(const Definition& definition);

}  // namespace nacre::definition
