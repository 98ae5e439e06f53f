#include "store/bucket.h"

#include "base/number.h"
#include "base/text.h"
#include "codec/digest.h"
#include "net/url.h"
#include "store/bucket_answers.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <initializer_list>

namespace nacre::store {
namespace {

constexpr std::uint64_t kMaxPageBytes = 8u << 20, kMaxTextBytes = 64u << 10;
/// More pages than any listing of ours has: a store that never ends is lying.
constexpr int kMaxPages = 1'000'000;

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

bool is_plain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}

}  // namespace

Result<Bucket::Access> Bucket::access_of(const std::string& url) {
  const auto invalid = [&](std::string_view why) {
    return Error::make(ErrorKind::kInvalid, "'{}' names no place for artifacts: {}", url, why)
        .hint("expected s3://BUCKET or s3://BUCKET/PREFIX");
  };
  if (!url.starts_with("s3://")) return invalid("it does not begin with s3://");
  const std::string rest = url.substr(5);
  Access out;
  out.bucket = rest.substr(0, rest.find('/'));
  if (out.bucket.size() < 3 || out.bucket.size() > 63 || !is_plain(out.bucket, ".-"))
    return invalid("a bucket's name is 3 to 63 small letters, digits, '.' and '-'");
  if (rest.size() > out.bucket.size()) out.prefix = rest.substr(out.bucket.size() + 1);
  while (out.prefix.ends_with('/')) out.prefix.pop_back();
  if (out.prefix.size() > 512 || !is_plain(out.prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-/"))
    return invalid("a prefix is letters, digits, '.', '_', '-' and '/'");
  if (!out.prefix.empty())
    for (const std::string& part : split(out.prefix, '/'))
      if (part.empty() || part == "." || part == "..") return invalid("a part of its prefix is empty, '.' or '..'");

  out.who.key_id = environment({"AWS_ACCESS_KEY_ID"});
  out.who.secret = environment({"AWS_SECRET_ACCESS_KEY"});
  out.who.session_token = environment({"AWS_SESSION_TOKEN"});
  if (out.who.key_id.empty() || out.who.secret.empty())
    return Error::make(ErrorKind::kInvalid, "there are no credentials for '{}'", url)
        .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; files below ~/.aws are not read");
  out.who.region = environment({"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (out.who.region.empty()) out.who.region = "us-east-1";
  if (!is_plain(out.who.region, "-"))
    return Error::make(ErrorKind::kInvalid, "AWS_REGION is '{}', which is no region", out.who.region);
  out.endpoint = environment({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (out.endpoint.empty()) out.endpoint = fmt::format("https://s3.{}.amazonaws.com", out.who.region);
  while (out.endpoint.ends_with('/')) out.endpoint.pop_back();
  const net::Url endpoint = TRY(net::parse_url(out.endpoint), "reading AWS_ENDPOINT_URL");
  if ((endpoint.scheme != "https" && endpoint.scheme != "http") || !endpoint.user.empty() || !endpoint.query.empty() ||
      (!endpoint.path.empty() && endpoint.path != "/"))
    return Error::make(ErrorKind::kInvalid, "AWS_ENDPOINT_URL is '{}', expected http(s)://HOST or http(s)://HOST:PORT",
                       endpoint.safe());
  return out;
}

std::string Bucket::name() const {
  return "s3://" + access_.bucket + (access_.prefix.empty() ? "" : "/" + access_.prefix);
}

std::string Bucket::key_of(const Sha256& digest) const {
  return (access_.prefix.empty() ? "" : access_.prefix + "/") + "sha256/" + digest.hex();
}

std::string Bucket::url_of(const std::string& key) const {
  return fmt::format("{}/{}/{}", access_.endpoint, access_.bucket, key);
}

Result<net::Response> Bucket::send(net::Request request, std::string_view content_sha256) {
  TRY(sign_s3(request, access_.who, content_sha256, std::time(nullptr)));
  request.max_redirects = 0;  // the signature is for this host
  request.timeout_seconds = TRY(net::patience_from_environment());
  return net::send_with_retry(http_, request, stop_);
}

Error Bucket::refusal(const net::Response& answer, std::string_view what, std::string_view key) const {
  const std::string said = read_s3_error(answer.body);
  const std::string text = fmt::format("cannot {} '{}' in {} at '{}': status {}{}", what, key, name(), access_.endpoint,
                                       answer.status, said.empty() ? "" : ", " + said);
  if (said.starts_with("NoSuchBucket"))
    return Error::make(ErrorKind::kNotFound, "{}", text).hint("make the bucket, or name another in NACRE_ARTIFACTS");
  if (answer.status / 100 == 3)
    return Error::make(ErrorKind::kInvalid, "{}", text)
        .hint("the bucket is elsewhere: set AWS_REGION and AWS_ENDPOINT_URL to its own");
  if (answer.status == 401 || answer.status == 403)
    return Error::make(ErrorKind::kDenied, "{}", text)
        .hint("see AWS_ACCESS_KEY_ID and its rights, AWS_SECRET_ACCESS_KEY, AWS_REGION, and this machine's clock");
  if (answer.status == 404) return Error::make(ErrorKind::kNotFound, "{}", text);
  const bool later = answer.status == 429 || answer.status / 100 == 5;
  return Error::make(later ? ErrorKind::kUnavailable : ErrorKind::kInvalid, "{}", text);
}

Result<std::optional<std::uint64_t>> Bucket::size(const Sha256& digest) {
  const std::string key = key_of(digest);
  net::Request request;
  request.method = "HEAD";
  request.url = url_of(key);
  const net::Response answer = TRY(send(std::move(request), kSha256OfNothing), "looking for it in {}", name());
  if (answer.status == 404) return std::optional<std::uint64_t>();
  if (answer.status != 200) return refusal(answer, "look for", key);
  const auto bytes = whole_number<std::uint64_t>(answer.header("content-length"));
  if (!bytes) return Error::make(ErrorKind::kInvalid, "{} does not say how long '{}' is", name(), key);
  return bytes;
}

Result<> Bucket::put(const Sha256& digest, const os::Path& file) {
  const std::string key = key_of(digest);
  std::error_code failed;
  const std::uintmax_t bytes = std::filesystem::file_size(file, failed);
  if (failed) return os::system_error(failed.value(), fmt::format("read '{}'", file.string()));
  if (bytes > kMaxBlobBytes)
    return Error::make(ErrorKind::kInvalid, "blob {} has {}: more than {} cannot be kept in {}", digest.oci(),
                       human_bytes(bytes), human_bytes(kMaxBlobBytes), name());
  net::Request request;
  request.method = "PUT";
  request.url = url_of(key);
  request.headers = {{"Content-Type", "application/octet-stream"}};
  if (bytes > 0) request.body_file = file;
  const net::Response answer =
      TRY(send(std::move(request), digest.hex()), "putting blob {} into {}", digest.oci(), name());
  if (answer.status / 100 != 2) return refusal(answer, "put", key);
  return {};
}

Result<bool> Bucket::get(const Sha256& digest, const os::Path& file) {
  const std::string key = key_of(digest);
  net::Request request;
  request.url = url_of(key);
  request.max_bytes = kMaxBlobBytes;
  request.max_redirects = 0;
  request.timeout_seconds = TRY(net::patience_from_environment());
  request.least_bytes_per_second = net::kLeastBytesPerSecond;
  TRY(sign_s3(request, access_.who, kSha256OfNothing, std::time(nullptr)));
  const net::Response answer =
      TRY(net::download(http_, std::move(request), file, stop_), "getting blob {} from {}", digest.oci(), name());
  if (answer.status / 100 == 2) return true;
  const std::string said = read_s3_error(answer.body);
  if (answer.status == 404 && !said.starts_with("NoSuchBucket")) return false;
  return refusal(answer, "get", key);
}

Result<> Bucket::remove(const Sha256& digest) {
  const std::string key = key_of(digest);
  net::Request request;
  request.method = "DELETE";
  request.url = url_of(key);
  const net::Response answer = TRY(send(std::move(request), kSha256OfNothing), "removing it from {}", name());
  if (answer.status / 100 != 2 && answer.status != 404) return refusal(answer, "remove", key);
  return {};
}

Result<> Bucket::for_each(const std::function<Result<>(const Blob&)>& see) {
  const std::string folder = (access_.prefix.empty() ? "" : access_.prefix + "/") + "sha256/";
  std::string next;
  for (int page_number = 0; page_number < kMaxPages; ++page_number) {
    net::Request request;
    request.url = fmt::format("{}/{}?{}list-type=2&prefix={}", access_.endpoint, access_.bucket,
                              next.empty() ? "" : "continuation-token=" + net::url_encode(next) + "&",
                              net::url_encode(folder));
    request.max_bytes = kMaxPageBytes;
    const net::Response answer = TRY(send(std::move(request), kSha256OfNothing), "listing {}", name());
    if (answer.status != 200) return refusal(answer, "list", folder);
    const ObjectPage page = TRY(read_object_page(answer.body), "reading the list of {}", name());
    for (const ListedObject& object : page.objects) {
      if (!object.key.starts_with(folder)) continue;
      const auto digest = parse_sha256(object.key.substr(folder.size()));
      if (digest && object.key == key_of(*digest)) TRY(see({*digest, object.size, object.modified}));
    }
    if (page.next.empty()) return {};
    if (page.next == next) return Error::make(ErrorKind::kInvalid, "the list of {} has no end", name());
    next = page.next;
  }
  return Error::make(ErrorKind::kInvalid, "the list of {} has no end", name());
}

Result<std::optional<std::string>> Bucket::read_text(const std::string& name_of_text) {
  const std::string key = (access_.prefix.empty() ? "" : access_.prefix + "/") + name_of_text;
  net::Request request;
  request.url = url_of(key);
  request.max_bytes = kMaxTextBytes;
  const net::Response answer = TRY(send(std::move(request), kSha256OfNothing), "reading '{}' of {}", key, name());
  if (answer.status == 200) return std::optional<std::string>(answer.body);
  if (answer.status == 404 && !read_s3_error(answer.body).starts_with("NoSuchBucket"))
    return std::optional<std::string>();
  return refusal(answer, "read", key);
}

Result<> Bucket::write_text(const std::string& name_of_text, const std::string& text) {
  const std::string key = (access_.prefix.empty() ? "" : access_.prefix + "/") + name_of_text;
  net::Request request;
  request.method = "PUT";
  request.url = url_of(key);
  request.headers = {{"Content-Type", "text/plain"}};
  request.body = text;
  const net::Response answer =
      TRY(send(std::move(request), codec::sha256(text).hex()), "writing '{}' to {}", key, name());
  if (answer.status / 100 != 2) return refusal(answer, "write", key);
  return {};
}

}  // namespace nacre::store
