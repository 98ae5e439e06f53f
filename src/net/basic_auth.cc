#include "net/basic_auth.h"

#include "base/encoding.h"
#include "base/text.h"
#include "net/url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace nacre::net {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

}  // namespace

Result<std::optional<BasicAuth>> parse_http_auth(std::string_view text) {
  if (text.empty()) return std::optional<BasicAuth>();
  const std::vector<std::string> parts = split(text, ':');
  BasicAuth out;
  bool fits = (parts.size() == 4 || parts.size() == 5) && parts[0] == "basic" && !parts[1].empty();
  if (fits && parts.size() == 5) {
    const auto [end, status] = std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), out.port);
    fits = status == std::errc{} && end == parts[2].data() + parts[2].size() && out.port > 0 && out.port < 65536;
  }
  if (!fits)
    return Error::make(ErrorKind::kInvalid, "HTTP_AUTH is not basic:HOST:USER:PASSWORD")
        .hint("a port stands behind the host: basic:HOST:PORT:USER:PASSWORD");
  out.host = lower(parts[1]);
  out.user = parts[parts.size() - 2];
  out.password = parts.back();
  return std::optional<BasicAuth>(std::move(out));
}

Result<Response> AuthorizedHttp::send(const Request& request, std::stop_token stop) {
  const auto url = parse_url(request.url);
  const bool said = std::any_of(request.headers.begin(), request.headers.end(),
                                [](const auto& header) { return lower(header.first) == "authorization"; });
  if (!url || said || !url->user.empty() || url->host != auth_.host || url->port != auth_.port)
    return inner_.send(request, stop);
  Request authorized = request;
  authorized.headers.emplace_back("Authorization", "Basic " + to_base64(auth_.user + ":" + auth_.password));
  return inner_.send(authorized, stop);
}

}  // namespace nacre::net
