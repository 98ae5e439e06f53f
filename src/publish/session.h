#pragma once

#include "base/env.h"
#include "net/http.h"
#include "publish/registry.h"

#include <string>

namespace nacre::publish {

/// Requests to one repository of one registry: addresses, and the answer to "401".
class RegistrySession {
 public:
  RegistrySession(Env& env, const Reference& base, std::string& token)
      : env_(env), base_(base), token_(token) {}

  /// Address of something below /v2/REPOSITORY/; absolute ones and those that begin with '/' stay beside the host.
  std::string url(std::string_view path) const;

  /// Sends, and once more with a token (or basic credentials) when the registry asks for one.
  Result<net::Response> send(net::Request request);

  const Reference& base() const { return base_; }
  Env& env() { return env_; }

 private:
  Result<> authenticate(const net::Response& answer);
  bool is_ours(const std::string& address) const;
  std::string credentials() const;  ///< "USER:PASSWORD" in base64, or nothing.

  Env& env_;
  const Reference& base_;
  std::string& token_;
};

}  // namespace nacre::publish
