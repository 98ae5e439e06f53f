#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "net/http.h"
#include "os/file.h"
#include "store/depot.h"
#include "store/s3_signature.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace nacre::store {

/// A place for blobs in an S3 store: s3://BUCKET/PREFIX, objects PREFIX/sha256/HEX and a few short texts beside them.
///
/// Requests are signed (AWS Signature 4), path-style, tried again when the fault may pass. Errors: kUnavailable for a
/// store that does not answer, kDenied for one that refuses, kNotFound without the bucket; each names the address.
/// Thread-safe.
class Bucket final : public Depot {
 public:
  struct Access {
    std::string endpoint;        ///< "https://s3.example.org", without a path.
    std::string bucket, prefix;  ///< The prefix without slashes at its ends; may be empty.
    S3Identity who;
  };
  /// `url` is s3://BUCKET/PREFIX; the rest says the environment as for other programs: AWS_ACCESS_KEY_ID,
  /// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 or
  /// AWS_ENDPOINT_URL. kInvalid for what cannot be, and when there are no credentials.
  static Result<Access> access_of(const std::string& url);

  Bucket(Access access, net::Http& http, std::stop_token stop = {})
      : access_(std::move(access)), http_(http), stop_(std::move(stop)) {}

  /// "s3://BUCKET/PREFIX"
  std::string name() const override;

  /// The largest object that one request may bring: what S3 takes without a multipart upload.
  static constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{5} << 30;

  Result<std::optional<std::uint64_t>> size(const Sha256& digest) override;
  Result<> put(const Sha256& digest, const os::Path& file) override;
  Result<bool> get(const Sha256& digest, const os::Path& file) override;
  Result<> remove(const Sha256& digest) override;
  /// In the order of their names; times are the store's.
  Result<> for_each(const std::function<Result<>(const Blob&)>& see) override;
  Result<std::optional<std::string>> read_text(const std::string& name) override;
  Result<> write_text(const std::string& name, const std::string& text) override;

 private:
  std::string key_of(const Sha256& digest) const;
  std::string url_of(const std::string& key) const;
  Result<net::Response> send(net::Request request, std::string_view content_sha256);
  Error refusal(const net::Response& answer, std::string_view what, std::string_view key) const;
  Access access_;
  net::Http& http_;
  std::stop_token stop_;
};

}  // namespace nacre::store
