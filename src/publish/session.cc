#include "publish/session.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/json.h"
#include "net/url.h"
#include "publish/login.h"

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
  const std::string host = fmt::format("{}://{}", base_.plain_http ? "http" : "https", base_.host);
  if (path.starts_with('/')) return host + std::string(path);
  return fmt::format("{}/v2/{}/{}", host, base_.repository, path);
}

Result<std::string> RegistrySession::bearer_token(const std::string& header, const Login& credentials) {
  const std::map<std::string, std::string> challenge = challenge_of(header);
  const auto realm = challenge.find("realm");
  if (!header.starts_with("Bearer") || realm == challenge.end())
    return Error::make(ErrorKind::kDenied, "'{}' asks for credentials, and there are none for it", base_.host)
        .hint("set NACRE_REGISTRY_AUTH=USER:PASSWORD, or log in with a client that writes the docker configuration");
  const net::Url place = TRY(net::parse_url(realm->second), "reading where '{}' gives tokens", base_.host);
  if (place.scheme != "https" && !(place.scheme == "http" && base_.plain_http))
    return Error::make(ErrorKind::kDenied, "'{}' asks for credentials to be sent to '{}', which is not encrypted",
                       base_.host, place.safe());
  std::string query;
  const auto add = [&](std::string_view key, std::string_view value) {
    query += fmt::format("{}{}={}", query.empty() ? "" : "&", key, percent_encode(value));
  };
  for (const char* key : {"service", "scope"})
    if (const auto value = challenge.find(key); value != challenge.end()) add(key, value->second);
  if (!also_reads_.empty()) add("scope", fmt::format("repository:{}:pull", also_reads_));
  net::Request request;
  request.url = realm->second;
  if (!credentials.identity_token.empty()) {
    add("grant_type", "refresh_token");
    add("client_id", "nacre");
    add("refresh_token", credentials.identity_token);
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = query;
  } else {
    if (!query.empty()) request.url += (request.url.find('?') == std::string::npos ? '?' : '&') + query;
    if (const std::string basic = credentials.basic(); !basic.empty())
      request.headers.emplace_back("Authorization", "Basic " + basic);
  }
  const net::Response response = TRY(net::send_with_retry(env_.http, request, env_.stop));
  TRY(net::expect_success(response, realm->second), "asking '{}' for a token", base_.host);
  const codec::Json json = TRY(codec::parse_json(response.body, "token answer"));
  std::string token = json["token"].as_string();
  if (token.empty()) token = json["access_token"].as_string();
  return "Bearer " + token;
}

Result<std::string> RegistrySession::authorization_for(const net::Response& answer) {
  const std::string& header = answer.header("www-authenticate");
  const Login known = TRY(login_for(base_.host, login_places(), env_.processes, env_.stop));
  if (const std::string basic = known.basic(); header.starts_with("Basic") && !basic.empty()) return "Basic " + basic;
  return bearer_token(header, known);
}

/// Another request may have asked meanwhile; one for mounting needs a token that reads elsewhere too.
Result<std::string> RegistrySession::renewed(const std::string& before, const net::Response& answer) {
  const std::lock_guard lock(token_.asking());
  std::string now = token_.get();
  if (now != before && also_reads_.empty()) return now;
  now = TRY(authorization_for(answer));
  token_.set(now);
  return now;
}

/// Credentials are for the registry alone: an upload may lead to another host, which gets none.
bool RegistrySession::is_ours(const std::string& address) const {
  const auto wanted = net::parse_url(url("/")), found = net::parse_url(address);
  return wanted && found && wanted->scheme == found->scheme && wanted->host == found->host &&
         wanted->port == found->port;
}

Result<net::Response> RegistrySession::send(net::Request request, Retry retry) {
  request.url = url(request.url);
  request.timeout_seconds = TRY(net::patience_from_environment());
  request.least_bytes_per_second = net::kLeastBytesPerSecond;
  const auto once = [&] {
    return retry == Retry::kOnce ? env_.http.send(request, env_.stop)
                                 : net::send_with_retry(env_.http, request, env_.stop);
  };
  if (!is_ours(request.url)) return once();
  const std::string before = token_.get();
  if (!before.empty()) request.headers.emplace_back("Authorization", before);
  net::Response response = TRY(once());
  if (response.status != 401) return response;
  const std::string authorization = TRY(renewed(before, response));
  std::erase_if(request.headers, [](const auto& header) { return header.first == "Authorization"; });
  request.headers.emplace_back("Authorization", authorization);
  return once();
}

}  // namespace nacre::publish
