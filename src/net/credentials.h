#pragma once

#include "base/result.h"
#include "net/http.h"
#include "net/url.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::net {

/// Who we are to which host: what HTTP_AUTH and a netrc file say.
///
/// HTTP_AUTH holds one entry a line: "basic:HOST:USER:PASSWORD" as the field's tools read it, with a port, which the
/// field cannot say, "basic:HOST:PORT:USER:PASSWORD", or "bearer:HOST:TOKEN", "bearer:HOST:PORT:TOKEN"; the host "*" is
/// any. netrc: `machine`,
/// `default`, `login`, `password`, whatever the port; `account` and `macdef` are read over. No error repeats a secret.
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
    std::string host;  ///< In lower case; "*": any.
    int port = 0;      ///< 0: the scheme's own; kAnyPort.
    std::string header;
  };
  static constexpr int kAnyPort = -1;
  std::vector<Entry> entries_;
};

/// Says it to those hosts, and not where a request or its address says something itself.
class AuthorizedHttp final : public Http {
 public:
  AuthorizedHttp(Http& inner, Credentials credentials) : inner_(inner), credentials_(std::move(credentials)) {}
  Result<Response> send(const Request& request, std::stop_token stop = {}) override;

 private:
  Http& inner_;
  Credentials credentials_;
};

}  // namespace nacre::net
