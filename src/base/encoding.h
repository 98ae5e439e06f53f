#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre {

/// Lower-case hexadecimal of any bytes.
std::string to_hex(std::string_view bytes);

/// Bytes of a hexadecimal text, upper or lower case. kInvalid on odd length or a foreign character.
Result<std::string> from_hex(std::string_view text);

/// Standard base64 with padding (RFC 4648, section 4), no line breaks.
std::string to_base64(std::string_view bytes);

/// Bytes of a padded standard base64 text. kInvalid on anything else, blanks included.
Result<std::string> from_base64(std::string_view text);

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
std::string percent_encode(std::string_view text);

}  // namespace nacre
