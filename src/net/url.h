#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace nacre::net {

/// An absolute address, split. Only http, https and file schemes are known. Scheme and host are in lower case;
/// the other parts stay percent-encoded as written. A fragment is dropped.
struct Url {
  std::string scheme, user, password, host, path, query;
  int port = 0;  ///< 0: the scheme's own.
  std::string str() const;
  /// str() without user and password: for messages and records.
  std::string safe() const;
};

/// kInvalid for anything else, for bytes outside printable ASCII, and for more than 8,192 bytes.
Result<Url> parse_url(std::string_view text);
std::string url_encode(std::string_view text);  ///< Percent-encodes all but unreserved characters.
std::string url_decode(std::string_view text);  ///< Undoes it; a '%' that no two hexadecimal digits follow stays.

}  // namespace nacre::net
