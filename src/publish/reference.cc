#include "base/text.h"
#include "publish/registry.h"

#include <algorithm>
#include <optional>

namespace nacre::publish {
namespace {

Error bad(std::string_view text, std::string_view why) {
  return Error::make(ErrorKind::kInvalid, "'{}' is no image reference: {}", text, why)
      .hint("write it as NAME[:TAG], HOST[:PORT]/NAME[:TAG] or …@sha256:HEX");
}

bool is_repository(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  for (const std::string& part : split(text, '/')) {
    const bool good = !part.empty() && part != "." && part != ".." &&
                      std::all_of(part.begin(), part.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                               c == '_' || c == '-';
                      });
    if (!good) return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

/// A first part is a host when it could not be part of a repository's name: it has a dot or a port, or is localhost.
bool looks_like_host(std::string_view part) {
  return part.find_first_of(".:[") != std::string_view::npos || part == "localhost";
}

/// "HOST", "HOST:PORT", "[IPV6]:PORT", without the port.
std::optional<std::string_view> host_name(std::string_view part) {
  std::string_view name = part, port;
  const std::size_t colon = part.rfind(':');
  if (colon != std::string_view::npos && !part.ends_with(']')) {
    name = part.substr(0, colon);
    port = part.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return std::nullopt;
  }
  const bool ipv6 = name.size() > 2 && name.starts_with('[') && name.ends_with(']');
  const std::string_view inner = ipv6 ? name.substr(1, name.size() - 2) : name;
  const bool plain = !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](char c) {
    if (ipv6) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  });
  if (!plain || inner.front() == '-' || (!ipv6 && inner.front() == '.')) return std::nullopt;
  return name;
}

/// Only numbers and "localhost" itself: "127.0.0.1.example.org" is a host like any other.
bool is_loopback(std::string_view name) {
  const bool number = name.find_first_not_of("0123456789.") == std::string_view::npos;
  return (number && name.starts_with("127.")) || name == "localhost" || name == "[::1]";
}

}  // namespace

std::string Reference::str() const {
  std::string out = host.empty() ? repository : host + "/" + repository;
  if (!tag.empty()) out += ":" + tag;
  if (!digest.empty()) out += "@" + digest;
  return out;
}

Result<Reference> parse_reference(std::string_view text) {
  Reference out;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const auto digest = parse_sha256(rest.substr(at + 1));
    if (!digest || !rest.substr(at + 1).starts_with("sha256:"))
      return bad(text, "what follows '@' is not 'sha256:' and 64 hexadecimal digits");
    out.digest = digest->oci();
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && looks_like_host(rest.substr(0, slash))) {
    out.host = rest.substr(0, slash);
    rest = rest.substr(slash + 1);
    const std::optional<std::string_view> name = host_name(out.host);
    if (!name) return bad(text, fmt::format("'{}' is neither HOST nor HOST:PORT", out.host));
    out.plain_http = is_loopback(*name);
  }
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_tag(out.tag)) return bad(text, "the tag may hold letters, digits, '.', '_', '-'");
  }
  out.repository = rest;
  if (!is_repository(rest))
    return bad(text, "a repository's name holds small letters, digits, '.', '_', '-' and '/'");
  if (out.tag.empty() && out.digest.empty() && !out.host.empty()) out.tag = "latest";
  return out;
}

}  // namespace nacre::publish
