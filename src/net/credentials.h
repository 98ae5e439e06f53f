#pragma once

#include "base/result.h"
#include "net/url.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::net {

/// Who we are to which host: what HTTP_AUTH and a netrc file say.
///
/// HTTP_AUTH holds one entry a line: "basic:HOST:USER:PASSWORD" as the field's tools read it, or "bearer:HOST:TOKEN";
/// the host "*" is any. netrc: `machine`, `default`, `login`, `password`; `account` and `macdef` are read over.
class Credentials {
 public:
  /// HTTP_AUTH, then the file that NETRC names, else ~/.netrc. An absent ~/.netrc is none; an absent NETRC is
  /// kNotFound.
  static Result<Credentials> from_environment();

  Result<> add_http_auth(std::string_view text);
  Result<> add_netrc(std::string_view text, std::string_view source);

  /// Value of the Authorization header for an address; empty when nothing is known, and for addresses that carry a
  /// user of their own. The first entry that fits wins. Redirects to another host do not carry it (curl).
  std::string authorization(const Url& url) const;

 private:
  struct Entry {
    std::string host;  ///< "*": any.
    std::string header;
  };
  std::vector<Entry> entries_;
};

}  // namespace nacre::net
