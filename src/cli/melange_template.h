#pragma once

#include "base/result.h"
#include "codec/yaml.h"

#include <string>
#include <string_view>

namespace nacre::cli {

/// Fills the useful part of a Go template with a definition after its first phase: text, `{{ .Package.Name }}` and
/// deeper paths from `.`, `$` and inside `range` and `with`; `range`, `if`, `with`, `else`, `else if`, `end`; `len`,
/// `not`, `eq`, `ne`, `index LIST NUMBER` and texts in quotes; comments; `{{-` and `-}}`. Names and values are those of
/// the reference's configuration: an unset text is empty, an unset list has no items. kInvalid for all else, and for a
/// field that there is not, with the nearest name.
Result<std::string> fill_template(std::string_view text, const codec::YamlNode& definition);

}  // namespace nacre::cli
