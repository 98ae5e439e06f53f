#include "net/url.h"

#include "base/ascii.h"
#include "base/encoding.h"

#include <algorithm>
#include <charconv>

namespace nacre::net {
namespace {

constexpr std::size_t kMaxUrlBytes = 8192;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

int own_port(std::string_view scheme) {
  return scheme == "http" ? 80 : scheme == "https" ? 443 : 0;
}

/// Cuts `text` at the first of `separators`, which stays with the rest.
std::string_view cut(std::string_view& text, std::string_view separators) {
  const std::size_t end = std::min(text.find_first_of(separators), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end);
  return head;
}

/// Names and IPv4 addresses, or an IPv6 address in brackets. Nothing is encoded: what we check is
/// what is asked.
Result<> check_host(std::string_view host) {
  std::string_view inner = host, allowed = "-._";
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    inner = host.substr(1, host.size() - 2);
    allowed = ":.";
  }
  const bool fits = std::all_of(inner.begin(), inner.end(), [&](char c) {
    return is_alphanumeric(c) || allowed.find(c) != allowed.npos;
  });
  if (fits && !inner.empty() && inner.size() <= 253) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' is not a host name or address", host);
}

Result<int> parse_port(std::string_view text) {
  if (text.empty()) return 0;
  int port = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (status == std::errc{} && end == text.data() + text.size() && port > 0 && port < 65536 &&
      text[0] != '+')
    return port;
  return Error::make(ErrorKind::kInvalid, "expected a port from 1 to 65535, got '{}'", text);
}

Result<> read_authority(std::string_view text, Url& url) {
  if (const std::size_t at = text.rfind('@'); at != text.npos) {
    const std::string_view account = text.substr(0, at);
    const std::size_t colon = std::min(account.find(':'), account.size());
    url.user = account.substr(0, colon);
    url.password = account.substr(std::min(colon + 1, account.size()));
    if (account.find('@') != account.npos)
      return Error::make(ErrorKind::kInvalid, "more than one '@' before the host");
    text.remove_prefix(at + 1);
  }
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == text.npos ? 0 : bracket);
  const std::string_view host = text.substr(0, colon);
  TRY(check_host(host));
  url.host = lower(host);
  if (colon == text.npos) return {};
  url.port = TRY(parse_port(text.substr(colon + 1)));
  if (url.port == own_port(url.scheme)) url.port = 0;
  return {};
}

Result<Url> split_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  Url url;
  url.scheme = lower(text.substr(0, colon == text.npos ? 0 : colon));
  if (url.scheme != "http" && url.scheme != "https" && url.scheme != "file")
    return Error::make(ErrorKind::kInvalid, "expected http://, https:// or file://");
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));
  const std::string_view authority = cut(text, "/?\\");
  if (text.starts_with('\\'))
    return Error::make(ErrorKind::kInvalid, "'\\' has no place in an address");
  if (url.scheme != "file") {
    TRY(read_authority(authority, url));
  } else if (!authority.empty() && authority != "localhost") {
    return Error::make(ErrorKind::kInvalid, "a file address names no host, got '{}'", authority);
  }
  url.path = cut(text, "?");
  if (url.path.empty()) url.path = "/";
  if (!text.empty()) url.query = text.substr(1);
  return url;
}

}  // namespace

std::string Url::str() const {
  std::string out = scheme + "://";
  if (!user.empty() || !password.empty()) {
    out += user;
    if (!password.empty()) out += ":" + password;
    out += '@';
  }
  return out + safe().substr(scheme.size() + 3);
}

std::string Url::safe() const {
  std::string out = scheme + "://" + host;
  if (port != 0) out += fmt::format(":{}", port);
  out += path;
  if (!query.empty()) out += "?" + query;
  return out;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes)
    return Error::make(ErrorKind::kInvalid, "an address of {} bytes is longer than {}",
                       text.size(), kMaxUrlBytes);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f;
  });
  if (!printable)
    return Error::make(ErrorKind::kInvalid,
                       "an address holds a blank, a control character or a letter beyond ASCII")
        .hint("percent-encode it: a blank is %20");
  auto url = split_url(text);
  if (url) return url;
  // A password may stand in it: only what follows the account is shown.
  const std::size_t at = text.substr(0, text.find_first_of("?#")).rfind('@');
  return std::move(url).error().while_doing("reading the address '{}{}'",
                                            at == text.npos ? "" : "…",
                                            text.substr(at == text.npos ? 0 : at));
}

std::string url_encode(std::string_view text) { return percent_encode(text); }

std::string url_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' && i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : Result<std::string>("");
    if (!byte || byte->empty()) {
      out += text[i];
    } else {
      out += *byte;
      i += 2;
    }
  }
  return out;
}

}  // namespace nacre::net
