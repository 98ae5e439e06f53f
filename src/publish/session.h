#pragma once

#include "base/env.h"
#include "net/http.h"
#include "publish/registry.h"

#include <string>

namespace nacre::publish {

struct Login;

/// Requests to one repository of one registry: addresses, and the answer to "401". Thread-safe.
class RegistrySession {
 public:
  RegistrySession(Env& env, const Reference& base, SharedToken& token) : env_(env), base_(base), token_(token) {}

  /// Address of something below /v2/REPOSITORY/; absolute ones and those that begin with '/' stay beside the host.
  std::string url(std::string_view path) const;

  /// Sends, and once more with a token (or basic credentials) when the registry asks for one. `kOnce`: without trying
  /// again what did not arrive, for requests that must not be heard twice.
  enum class Retry { kAsUsual, kOnce };
  Result<net::Response> send(net::Request request, Retry retry = Retry::kAsUsual);

  /// Another repository of the registry that tokens must be good for reading from: blobs are mounted from it.
  void also_reads(const std::string& repository) { also_reads_ = repository; }

  const Reference& base() const { return base_; }
  Env& env() { return env_; }

 private:
  Result<std::string> renewed(const std::string& before, const net::Response& answer);
  Result<std::string> authorization_for(const net::Response& answer);
  Result<std::string> bearer_token(const std::string& header, const Login& credentials);
  bool is_ours(const std::string& address) const;

  Env& env_;
  const Reference& base_;
  SharedToken& token_;
  std::string also_reads_;
};

}  // namespace nacre::publish
