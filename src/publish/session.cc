#include "publish/session.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/json.h"
#include "net/url.h"
#include "publish/login.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace nacre::publish {
namespace {

/// One way to be let in: `Bearer realm="…",service="…",scope="…"`.
struct Challenge {
  std::string scheme;  ///< In small letters, as the keys of `params` are.
  std::map<std::string, std::string> params;
};

bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~/:").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view take_token(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_token(text[end])) ++end;
  const std::string_view out = text.substr(0, end);
  text.remove_prefix(end);
  return out;
}

void skip_any(std::string_view& text, std::string_view what) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(what)));
}

/// A value behind '=', bare or quoted.
std::string take_value(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(take_token(text));
  std::string out;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    out += text[at];
  }
  text.remove_prefix(std::min(text.size(), at + 1));
  return out;
}

/// The challenges of a WWW-Authenticate header (RFC 9110, 11.6.1), several of them parted by commas like their
/// parameters. What cannot be read ends the list.
std::vector<Challenge> challenges_of(std::string_view header) {
  std::vector<Challenge> out;
  while (true) {
    skip_any(header, ", \t");
    std::string word = lower(take_token(header));
    if (word.empty()) return out;
    std::string_view behind = header;
    skip_any(behind, " \t");
    if (!behind.starts_with('=')) {
      out.push_back({std::move(word), {}});
      continue;
    }
    if (out.empty()) return out;
    header = behind.substr(1);
    skip_any(header, " \t");
    out.back().params.emplace(std::move(word), take_value(header));
  }
}

/// The first of this scheme; nullptr when there is none.
const Challenge* find_scheme(const std::vector<Challenge>& challenges, std::string_view scheme) {
  for (const Challenge& challenge : challenges)
    if (challenge.scheme == scheme) return &challenge;
  return nullptr;
}

}  // namespace

std::string RegistrySession::url(std::string_view path) const {
  if (path.starts_with("http://") || path.starts_with("https://")) return std::string(path);
  const std::string host = fmt::format("{}://{}", base_.plain_http ? "http" : "https", base_.host);
  if (path.starts_with('/')) return host + std::string(path);
  return fmt::format("{}/v2/{}/{}", host, base_.repository, path);
}

Result<std::string> RegistrySession::bearer_token(const std::string& header, const Login& credentials) {
  const std::vector<Challenge> challenges = challenges_of(header);
  const Challenge* bearer = find_scheme(challenges, "bearer");
  static const std::map<std::string, std::string> kNone;
  const std::map<std::string, std::string>& challenge = bearer == nullptr ? kNone : bearer->params;
  const auto realm = challenge.find("realm");
  if (realm == challenge.end())
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
  const net::Response response = TRY(net::send_with_retry(wire_.http, request, wire_.stop));
  TRY(net::expect_success(response, realm->second), "asking '{}' for a token", base_.host);
  const codec::Json json = TRY(codec::parse_json(response.body, "token answer"));
  std::string token = json["token"].as_string();
  if (token.empty()) token = json["access_token"].as_string();
  if (token.empty())
    return Error::make(ErrorKind::kUnavailable, "'{}' answered without a token for '{}'", place.safe(), base_.host);
  return "Bearer " + token;
}

std::string next_page(std::string_view link, std::string_view registry) {
  const std::size_t begin = link.find('<'), end = link.find('>');
  if (begin == link.npos || end == link.npos || end < begin || link.find("next", end) == link.npos) return {};
  const std::string_view address = link.substr(begin + 1, end - begin - 1);
  const bool ours = address.starts_with(registry) || (address.starts_with('/') && !address.starts_with("//"));
  return ours ? std::string(address) : std::string();
}

Result<std::string> RegistrySession::authorization_for(const net::Response& answer) {
  const std::string& header = answer.header("www-authenticate");
  const Login known = TRY(login_for(base_.host, base_.repository, login_places(), wire_.processes, wire_.stop));
  const std::vector<Challenge> challenges = challenges_of(header);
  const std::string basic = known.basic();
  const bool tokens = find_scheme(challenges, "bearer") != nullptr;
  if (!tokens && find_scheme(challenges, "basic") != nullptr && !basic.empty()) return "Basic " + basic;
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
    return retry == Retry::kOnce ? wire_.http.send(request, wire_.stop)
                                 : net::send_with_retry(wire_.http, request, wire_.stop);
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
