#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "index/index.h"

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::publish {

/// "127.0.0.1:5000/nacre/nginx:1.28.0", "…@sha256:HEX", split.
struct Reference {
  std::string host, repository, tag;
  std::string digest;     ///< "sha256:HEX" or empty.
  bool plain_http = false;  ///< For loopback hosts and when asked.
  std::string str() const;
};
/// kInvalid with what is wrong. "nginx", "nginx:1.28" (no host) gives an empty host: the local store.
Result<Reference> parse_reference(std::string_view text);

/// What a push moved.
struct Receipt {
  std::string name;              ///< "host/repository"
  Sha256 digest;                 ///< Of the index.
  std::vector<std::string> tags;
  std::uint64_t bytes_sent = 0, bytes_present = 0;  ///< Present: the repository had them.
  std::uint64_t bytes_mounted = 0;                  ///< Another repository of the registry had them.
  int blobs_sent = 0, blobs_present = 0, blobs_mounted = 0;
  bool referrers_api = false;    ///< The registry answered OCI-Subject; else the fallback tag was written.
};

/// What a registry let us have, for all requests of one Registry. Thread-safe.
class SharedToken {
 public:
  std::string get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  void set(std::string value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  /// Held by who asks for a new one, so that requests that are refused at once ask once.
  std::mutex& asking() { return asking_; }

 private:
  mutable std::mutex mutex_;
  std::mutex asking_;
  std::string value_;   ///< Of the Authorization header.
};

/// A client of the OCI distribution protocol: anonymous, basic or bearer-token authentication (publish/login.h).
class Registry {
 public:
  Registry(Env& env, Reference base) : env_(env), base_(std::move(base)) {}

  /// Pushes blobs (some at once; digest checked by the registry), manifests by digest, evidence (referrers, legacy
  /// tags), and tags last, so that a killed push leaves every tag as it was. A blob that is there is not sent again;
  /// one that an earlier push gave another repository of this registry is mounted from there; a large one goes in
  /// pieces, and the next push goes on where a killed one stopped.
  Result<Receipt> push(const index::SerialImage& image);

  /// What a tag (or a digest) names; nothing when the repository does not have it.
  Result<std::optional<Sha256>> named(const std::string& tag_or_digest);
  /// Lets tags name an index or manifest of the store that the repository has: no blob is asked for or sent. False,
  /// and nothing is changed, when the repository does not have it: push() brings it.
  Result<bool> tag(const Sha256& digest, const std::vector<std::string>& tags);

  Result<std::string> blob(const Sha256& digest, std::uint64_t max_bytes);
  /// Manifest bytes and digest by tag or digest. kDenied when the bytes have another digest than asked.
  Result<std::pair<std::string, Sha256>> manifest(const std::string& tag_or_digest);
  /// Referrers API, else the fallback tag.
  Result<codec::Json> referrers(const Sha256& subject);
  /// Takes an image (all blobs, checked) into the store; returns the index or manifest digest. Blobs are streamed,
  /// and no longer than their descriptors say.
  Result<Sha256> pull(const std::string& tag_or_digest);

 private:
  Result<> pull_blob(const codec::Json& descriptor);
  Result<Sha256> pull_beneath(const std::string& tag_or_digest, int depth, int& left);

  Env& env_;
  Reference base_;
  SharedToken token_;
};

}  // namespace nacre::publish
