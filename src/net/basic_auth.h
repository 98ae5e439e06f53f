#pragma once

#include "net/http.h"

#include <optional>
#include <string>
#include <string_view>

namespace nacre::net {

/// Who one is at one host.
struct BasicAuth {
  std::string host;  ///< In lower case.
  int port = 0;      ///< 0: the scheme's own.
  std::string user, password;
};

/// HTTP_AUTH as apk's family of tools writes it: "basic:HOST:USER:PASSWORD";
/// with a port, which the field cannot say, "basic:HOST:PORT:USER:PASSWORD".
/// Empty: nothing. kInvalid for other texts, which it does not repeat.
Result<std::optional<BasicAuth>> parse_http_auth(std::string_view text);

/// Says it to that host, to no other, and not where a request or its address
/// says something itself.
class AuthorizedHttp final : public Http {
 public:
  AuthorizedHttp(Http& inner, BasicAuth auth) : inner_(inner), auth_(std::move(auth)) {}
  Result<Response> send(const Request& request, std::stop_token stop = {}) override;

 private:
  Http& inner_;
  BasicAuth auth_;
};

}  // namespace nacre::net
