#pragma once

#include "base/env.h"
#include "net/http.h"
#include "os/process.h"
#include "publish/registry.h"

#include <stop_token>
#include <string>
#include <utility>

namespace nacre::publish {

struct Login;

/// What requests need of the world.
struct Wire {
  os::Processes& processes;  ///< Credential helpers.
  net::Http& http;
  std::stop_token stop;
};

/// Requests to one repository of one registry: addresses, and the answer to "401". Thread-safe.
class RegistrySession {
 public:
  RegistrySession(Wire wire, const Reference& base, SharedToken& token)
      : wire_(std::move(wire)), base_(base), token_(token) {}
  RegistrySession(Env& env, const Reference& base, SharedToken& token)
      : RegistrySession({env.processes, env.http, env.stop}, base, token) {}

  /// Address of something below /v2/REPOSITORY/; absolute ones and those that begin with '/' stay beside the host.
  std::string url(std::string_view path) const;

  /// Sends, and once more with a token (or basic credentials) when the registry asks for one. `kOnce`: without trying
  /// again what did not arrive, for requests that must not be heard twice.
  enum class Retry { kAsUsual, kOnce };
  Result<net::Response> send(net::Request request, Retry retry = Retry::kAsUsual);

  /// Another repository of the registry that tokens must be good for reading from: blobs are mounted from it.
  void also_reads(const std::string& repository) { also_reads_ = repository; }

  const Reference& base() const { return base_; }

 private:
  Result<std::string> renewed(const std::string& before, const net::Response& answer);
  Result<std::string> authorization_for(const net::Response& answer);
  Result<std::string> bearer_token(const std::string& header, const Login& credentials);
  bool is_ours(const std::string& address) const;

  Wire wire_;
  const Reference& base_;
  SharedToken& token_;
  std::string also_reads_;
};

/// Requests of one that only knows how to send, through a session: net::download() is one.
class SessionHttp final : public net::Http {
 public:
  explicit SessionHttp(RegistrySession& session) : session_(session) {}
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    return session_.send(request, RegistrySession::Retry::kOnce);
  }

 private:
  RegistrySession& session_;
};

/// Where a list goes on: `<ADDRESS>; rel="next"`, of this registry alone ("https://HOST/"). Empty: nowhere.
std::string next_page(std::string_view link, std::string_view registry);

}  // namespace nacre::publish
