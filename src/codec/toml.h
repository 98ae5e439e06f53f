#pragma once

#include "codec/json.h"

namespace nacre::codec {

struct TomlLimits {
  std::size_t max_bytes = 4u << 20;
  int max_depth = 32;
  std::size_t max_values = 20'000;
};

/// Reads a TOML 1.0 document as the JSON that says the same. Whole numbers become numbers; floats, dates and times
/// stay the texts that they are. Keys are ordered bytewise. kInvalid with line and column in `source`.
Result<Json> parse_toml(std::string_view text, std::string_view source, const TomlLimits& limits = {});

}  // namespace nacre::codec
