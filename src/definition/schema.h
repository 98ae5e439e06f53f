#pragma once

#include "codec/json.h"

#include <string_view>

namespace nacre::definition {

struct MappingInfo;

/// JSON Schema (2020-12) of definitions, or of the files of --pipeline-dir, made from the tables that read them:
/// what it names is what the reader knows. Editors complete and check with it.
codec::Json definition_schema();
codec::Json pipeline_schema();

/// The same of any table.
codec::Json mapping_schema(const MappingInfo& root, std::string_view title);

}  // namespace nacre::definition
