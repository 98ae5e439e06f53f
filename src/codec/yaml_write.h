#pragma once

#include <string>
#include <string_view>

namespace nacre::codec {

/// `text` as a scalar on one line: plain where that reads back as the same text and no YAML takes it for a number or a
/// truth value, else in quotes.
std::string yaml_scalar(std::string_view text);

}  // namespace nacre::codec
