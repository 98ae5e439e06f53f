#include "store/s3_signature.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "net/url.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

namespace nacre::store {
namespace {

constexpr std::size_t kBlockBytes = 64;  // of SHA-256

std::string raw_sha256(std::string_view bytes) { return std::string(codec::sha256(bytes).view()); }

/// Parameters in the order of their bytes; one without a value is "name=".
std::string canonical_query(std::string_view query) {
  std::vector<std::string> parts;
  for (std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    if (part.find('=') == std::string::npos) part += '=';
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  return join(parts, "&");
}

std::string host_of(const net::Url& url) {
  return url.port == 0 ? url.host : fmt::format("{}:{}", url.host, url.port);
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string block = key.size() > kBlockBytes ? raw_sha256(key) : std::string(key);
  block.resize(kBlockBytes, '\0');
  std::string inner, outer;
  for (const char c : block) {
    inner += static_cast<char>(c ^ 0x36);
    outer += static_cast<char>(c ^ 0x5c);
  }
  return raw_sha256(outer + raw_sha256(inner.append(text)));
}

Result<> sign_s3(net::Request& request, const S3Identity& who, std::string_view content_sha256, std::int64_t now) {
  const net::Url url = TRY(net::parse_url(request.url));
  const std::string moment = replace_all(replace_all(os::rfc3339(now), "-", ""), ":", "");  // 20130524T000000Z
  const std::string date = moment.substr(0, moment.find('T'));
  request.headers.emplace_back("x-amz-content-sha256", content_sha256);
  request.headers.emplace_back("x-amz-date", moment);
  if (!who.session_token.empty()) request.headers.emplace_back("x-amz-security-token", who.session_token);

  std::map<std::string, std::string> headers = {{"host", host_of(url)}};
  for (const auto& [name, value] : request.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    headers[lower] = trim(value);
  }
  std::string lines, names;
  for (const auto& [name, value] : headers) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, url.path.empty() ? "/" : url.path,
                  canonical_query(url.query), lines, names, content_sha256);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", date, who.region);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", moment, scope, codec::sha256(canonical).hex());
  std::string key = hmac_sha256("AWS4" + who.secret, date);
  for (const std::string& part : {who.region, std::string("s3"), std::string("aws4_request")})
    key = hmac_sha256(key, part);
  std::string signature = fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", who.key_id,
                                      scope, names, to_hex(hmac_sha256(key, to_sign)));
  request.headers.emplace_back("Authorization", std::move(signature));
  return {};
}

}  // namespace nacre::store
