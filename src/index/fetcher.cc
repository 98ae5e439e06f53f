#include "index/fetcher.h"

#include "codec/digest.h"
#include "codec/json.h"
#include "net/credentials.h"
#include "net/url.h"
#include "store/store.h"

#include <algorithm>
#include <vector>

namespace nacre::index {
namespace {

using codec::Json;

/// A server that is slower than this is as good as none.
/// The first for a whole index, the second at any time.
constexpr double kLeastInAll = 16 << 10, kLeastBytesPerSecond = 1 << 10;

constexpr std::string_view kFileKind = "foreign-file";  ///< Address -> JSON: ETag and blob.

}  // namespace

bool is_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string safe_place(const std::string& place) {
  if (!is_address(place)) return place;
  const auto url = net::parse_url(place);
  return url ? url->safe() : "an address that cannot be read";
}

Result<Fetcher> Fetcher::make(Env& env, Reach reach) {
  const double patience = TRY(net::patience_from_environment());
  if (reach == Reach::kOffline) return Fetcher(env, reach, std::make_shared<net::NoHttp>(), patience);
  net::Credentials credentials = TRY(net::Credentials::from_environment());
  return Fetcher(env, reach, std::make_shared<net::AuthorizedHttp>(env.http, std::move(credentials)), patience);
}

Result<Fetched> Fetcher::fetch(const std::string& place, std::uint64_t max_bytes) const {
  Fetched out;
  if (!is_address(place)) {
    out.bytes = TRY(os::read_file(place, max_bytes));
    out.digest = codec::sha256(*out.bytes);
    return out;
  }
  store::Store& store = env_->store;
  const std::string key = codec::sha256(place).hex();
  const auto kept = TRY(store.state().get(kFileKind, key));
  Json before;
  if (kept) before = TRY(codec::parse_json(*kept, "a kept file"));
  const auto blob = parse_sha256(before["blob"].as_string());
  const bool have = blob && store.has(*blob);
  if (reach_ == Reach::kOffline && have) {
    out.digest = *blob;
    return out;
  }
  net::Request request;
  request.url = place;
  request.max_bytes = max_bytes;
  request.timeout_seconds = patience_;
  request.least_bytes_per_second = kLeastBytesPerSecond;
  request.max_seconds = patience_ + static_cast<double>(max_bytes) / kLeastInAll;
  const std::string& etag = before["etag"].as_string();
  const std::string& changed = before["last-modified"].as_string();
  if (have && !etag.empty()) request.headers.emplace_back("If-None-Match", etag);
  else if (have && !changed.empty()) request.headers.emplace_back("If-Modified-Since", changed);
  net::Response response = TRY(net::send_with_retry(*http_, request, env_->stop));
  if (response.status == 304 && have) {
    out.digest = *blob;
    return out;
  }
  TRY(net::expect_success(response, safe_place(place)));
  // Kept in any case: offline calls live on it.
  out.digest = TRY(store.put_bytes(response.body));
  Json record;
  record.set("etag", response.header("etag")).set("last-modified", response.header("last-modified"));
  TRY(store.state().put(kFileKind, key, codec::to_json(record.set("blob", out.digest.hex()))));
  out.bytes = std::move(response.body);
  return out;
}

Result<std::string> Fetcher::bytes_of(const Fetched& fetched, std::uint64_t max_bytes) const {
  if (fetched.bytes) return *fetched.bytes;
  std::string bytes = TRY(env_->store.read(fetched.digest, max_bytes));
  if (codec::sha256(bytes) != fetched.digest)
    return Error::make(ErrorKind::kDenied, "the kept bytes {} are damaged", fetched.digest.oci());
  return bytes;
}

Result<std::string> Fetcher::read(const std::string& place, std::uint64_t max_bytes) const {
  const Fetched fetched = TRY(fetch(place, max_bytes));
  return bytes_of(fetched, max_bytes);
}

Result<std::optional<std::string>> Fetcher::read_if_there(const std::string& place, std::uint64_t max_bytes) const {
  std::optional<std::string> out;
  if (!is_address(place) && !os::exists(place)) return out;
  auto bytes = read(place, max_bytes);
  if (!bytes && bytes.error().kind() == ErrorKind::kNotFound) return out;
  out = TRY(std::move(bytes));
  return out;
}

Result<Sha256> Fetcher::bring(const std::string& place, std::uint64_t max_bytes, const Take& take) const {
  using Durability = store::Store::Durability;
  store::Store& store = env_->store;
  if (!is_address(place)) {
    // What is read is copied from the same buffer: others may write to the file meanwhile.
    os::AtomicFile copy = TRY(os::AtomicFile::create(store.partial_path()));
    const Sha256 digest = TRY(take(place, [&](std::string_view bytes) { return copy.write(bytes); }));
    TRY(store.adopt(std::move(copy), digest, Durability::kLater));
    return digest;
  }
  const std::string name = "fetch-" + codec::sha256(place).hex();
  const store::Lease alone = TRY(store.lease(name));
  const os::Path partial = store.home() / "partial" / name;
  for (int round = 0;; ++round) {
    net::Request request;
    request.url = place;
    request.max_bytes = max_bytes;
    request.timeout_seconds = patience_;
    request.least_bytes_per_second = kLeastBytesPerSecond;
    const net::Response response = TRY(net::download(*http_, std::move(request), partial, env_->stop));
    auto answered = net::expect_success(response, safe_place(place));
    Result<Sha256> digest = answered ? take(partial, {}) : Result<Sha256>(std::move(answered).error());
    if (digest) {
      TRY(store.adopt(partial, *digest, Durability::kLater));
      return digest;
    }
    TRY(os::remove_tree(partial));
    if (!response.pieced || round > 0) return digest;
  }
}

}  // namespace nacre::index
