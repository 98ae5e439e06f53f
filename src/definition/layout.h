#pragma once

#include "base/result.h"
#include "codec/yaml.h"

#include <string>

namespace nacre::definition {

/// The text of a definition in the house's layout: two blanks a level, lists indented below their key, no blanks at
/// ends of lines, one blank line at most in a row and one before each outermost field, one line end at the end.
/// Comments, order, quotes and the text of every value stay; laying out twice changes nothing more. A text whose
/// indentation it cannot follow (a dash alone on its line) keeps it.
Result<std::string> lay_out(const codec::YamlTree& tree);

}  // namespace nacre::definition
