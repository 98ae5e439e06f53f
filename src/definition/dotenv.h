#pragma once

#include "definition/definition.h"

#include <string_view>

namespace nacre::definition {

/// The variables of an --env-file: `NAME=value` or `NAME: value` a line, perhaps after `export`; `#` starts a
/// comment; single quotes keep everything, double quotes know \n \r \t \" \\ \$; outside single quotes $NAME and
/// ${NAME} stand for variables above them. kInvalid with its line for anything else.
Result<Pairs> parse_dotenv(std::string_view text, const std::string& file);

}  // namespace nacre::definition
