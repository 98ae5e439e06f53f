#pragma once

#include "codec/yaml.h"

#include <string>

namespace nacre::codec {

/// As parse_yaml(), and "*name" and "<<" stand for what they name; what is copied counts towards the limits as if it
/// were written out. Not for texts that are edited: inside a copy the places are those of what it is a copy of.
Result<YamlTree> parse_yaml_with_aliases(std::string text, std::string file, const YamlLimits& limits = {});

}  // namespace nacre::codec
