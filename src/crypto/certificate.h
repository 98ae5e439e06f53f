#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre::crypto {

/// DER of the one X.509 certificate that a PEM text holds; text around the block is of no account. kInvalid for none,
/// for several, for a block of another kind, and for what OpenSSL does not read as a certificate.
Result<std::string> certificate_der(std::string_view pem);

/// A PEM block: lines of 64 characters, line end at the end.
std::string pem_block(std::string_view label, std::string_view der);

}  // namespace nacre::crypto
