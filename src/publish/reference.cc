#include "base/text.h"
#include "publish/registry.h"

#include <algorithm>

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
bool is_host(std::string_view part) {
  const bool plain = std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
  });
  return plain && (part.find('.') != std::string_view::npos ||
                   part.find(':') != std::string_view::npos || part == "localhost");
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
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
  if (slash != std::string_view::npos && is_host(rest.substr(0, slash))) {
    out.host = rest.substr(0, slash);
    rest = rest.substr(slash + 1);
    out.plain_http = is_loopback(out.host);
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
