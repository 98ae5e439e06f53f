#pragma once

#include "base/result.h"
#include "os/file.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::build {

/// A file that steps may read as /run/secrets/NAME, on a tmpfs of the step that names this path and nowhere else
/// (docs/decisions/0012-secrets.md).
struct Secret {
  std::string name;
  std::string value;  ///< The file's bytes. In no record, log, key or package.
};

/// Reads "NAME=FILE". kInvalid for a name or a value (shorter than 8 bytes, longer than 64 KiB) that cannot be one.
Result<Secret> read_secret(std::string_view text);
/// Those of NACRE_SECRETS, "NAME=FILE" parted by ','.
Result<std::vector<Secret>> secrets_of_machine();

/// How a value shows when it leaks: as it is, each long line of it, in base64 (all three alignments, both alphabets),
/// percent-encoded, in hexadecimal. The longest first. What logs mask and what packages may not hold, both.
std::vector<std::string> forms_of(std::string_view value);

/// The line with *** for each of `forms`.
std::string masked(std::string_view line, std::span<const std::string> forms);

/// Names below /run/secrets/ that a text mentions, each once, in order.
std::vector<std::string> secrets_named_in(std::string_view text);

}  // namespace nacre::build
