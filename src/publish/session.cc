#include "publish/session.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/json.h"
#include "net/url.h"
#include "os/file.h"

#include <cstdlib>
#include <map>

namespace nacre::publish {
namespace {

/// `Bearer realm="…",service="…",scope="…"` -> its parameters.
std::map<std::string, std::string> challenge_of(std::string_view header) {
  std::map<std::string, std::string> out;
  header.remove_prefix(std::min(header.size(), header.find(' ')));
  while (!header.empty()) {
    const std::size_t equals = header.find('=');
    if (equals == std::string_view::npos || equals + 1 >= header.size() || header[equals + 1] != '"')
      break;
    const std::size_t end = header.find('"', equals + 2);
    if (end == std::string_view::npos) break;
    const std::string key(trim(header.substr(0, equals)));
    out[key] = header.substr(equals + 2, end - equals - 2);
    header.remove_prefix(end + 1);
    header.remove_prefix(std::min(header.size(), header.find_first_not_of(", ")));
  }
  return out;
}

}  // namespace

std::string RegistrySession::url(std::string_view path) const {
  if (path.starts_with("http://") || path.starts_with("https://")) return std::string(path);
  const std::string host =
      fmt::format("{}://{}", base_.plain_http ? "http" : "https", base_.host);
  if (path.starts_with('/')) return host + std::string(path);
  return fmt::format("{}/v2/{}/{}", host, base_.repository, path);
}

std::string RegistrySession::credentials() const {
  if (const char* given = std::getenv("NACRE_REGISTRY_AUTH"); given != nullptr && *given != '\0')
    return to_base64(given);
  const char* folder = std::getenv("DOCKER_CONFIG");
  const char* home = std::getenv("HOME");
  os::Path file = folder != nullptr ? os::Path(folder) : os::Path(home != nullptr ? home : "/root") / ".docker";
  const auto text = os::read_file(file / "config.json", 1u << 20);
  if (!text) return {};
  const auto json = codec::parse_json(*text, "docker configuration");
  return json ? (*json)["auths"][base_.host]["auth"].as_string() : std::string();
}

Result<> RegistrySession::authenticate(const net::Response& answer) {
  const std::string& header = answer.header("www-authenticate");
  const std::string basic = credentials();
  if (header.starts_with("Basic") && !basic.empty()) {
    token_ = "Basic " + basic;
    return {};
  }
  const std::map<std::string, std::string> challenge = challenge_of(header);
  const auto realm = challenge.find("realm");
  if (!header.starts_with("Bearer") || realm == challenge.end())
    return Error::make(ErrorKind::kDenied, "'{}' asks for credentials, and there are none for it", base_.host)
        .hint("set NACRE_REGISTRY_AUTH=USER:PASSWORD, or log in with a client that writes the docker configuration");
  const net::Url place = TRY(net::parse_url(realm->second), "reading where '{}' gives tokens", base_.host);
  if (place.scheme != "https" && !(place.scheme == "http" && base_.plain_http))
    return Error::make(ErrorKind::kDenied, "'{}' asks for credentials to be sent to '{}', which is not encrypted",
                       base_.host, place.safe());
  net::Request request;
  request.url = realm->second;
  char separator = request.url.find('?') == std::string::npos ? '?' : '&';
  for (const char* key : {"service", "scope"}) {
    const auto value = challenge.find(key);
    if (value == challenge.end()) continue;
    request.url += fmt::format("{}{}={}", separator, key, percent_encode(value->second));
    separator = '&';
  }
  if (!basic.empty()) request.headers.emplace_back("Authorization", "Basic " + basic);
  const net::Response response = TRY(net::send_with_retry(env_.http, request, env_.stop));
  TRY(net::expect_success(response, realm->second), "asking '{}' for a token", base_.host);
  const codec::Json json = TRY(codec::parse_json(response.body, "token answer"));
  std::string token = json["token"].as_string();
  if (token.empty()) token = json["access_token"].as_string();
  token_ = "Bearer " + token;
  return {};
}

/// Credentials are for the registry alone: an upload may lead to another host, which gets none.
bool RegistrySession::is_ours(const std::string& address) const {
  const auto wanted = net::parse_url(url("/")), found = net::parse_url(address);
  return wanted && found && wanted->scheme == found->scheme && wanted->host == found->host &&
         wanted->port == found->port;
}

Result<net::Response> RegistrySession::send(net::Request request) {
  request.url = url(request.url);
  const bool ours = is_ours(request.url);
  if (ours && !token_.empty()) request.headers.emplace_back("Authorization", token_);
  net::Response response = TRY(net::send_with_retry(env_.http, request, env_.stop));
  if (response.status != 401 || !ours) return response;
  TRY(authenticate(response));
  std::erase_if(request.headers, [](const auto& header) { return header.first == "Authorization"; });
  request.headers.emplace_back("Authorization", token_);
  return net::send_with_retry(env_.http, request, env_.stop);
}

}  // namespace nacre::publish
