#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "index/index.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
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

/// Which blobs are on their way in pushes to one registry that run at once: of several images that need a blob one
/// sends it, and the others, which waited for that, mount it. Thread-safe.
class BlobTurns {
 public:
  class Turn {
   public:
    Turn(BlobTurns& turns, const Sha256& digest) : turns_(turns), digest_(digest) {}
    Turn(const Turn&) = delete;
    ~Turn();
    /// The blob is there. A turn that ends without it leaves the others to try at once, each for itself.
    void succeeded() { failed_ = false; }

   private:
    BlobTurns& turns_;
    const Sha256 digest_;
    bool failed_ = true;
  };
  /// Waits until nobody else has the blob's turn.
  Turn take(const Sha256& digest);

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  std::set<Sha256> taken_, failed_;
};

/// A client of the OCI distribution protocol: anonymous, basic or bearer-token authentication (publish/login.h).
class Registry {
 public:
  /// `turns`: of the pushes that run beside this one; it must outlive them.
  Registry(Env& env, Reference base, BlobTurns* turns = nullptr)
      : env_(env), base_(std::move(base)), turns_(turns != nullptr ? *turns : own_turns_) {}

  /// Pushes blobs (some at once; digest checked by the registry), manifests by digest, evidence (referrers, legacy
  /// tags), and tags last, so that a killed push leaves every tag as it was. A blob that is there is not sent again;
  /// one that an earlier push gave another repository of this registry is mounted from there; a large one goes in
  /// pieces, and the next push goes on where a killed one stopped.
  ///
  /// The state database remembers which image was pushed here last ("pushed"). A registry that still has its index has
  /// its layers, so nobody asks for each of them; where it then refuses a manifest all the same, the push begins anew
  /// and asks.
  Result<Receipt> push(const index::SerialImage& image);

  /// What a tag (or a digest) names; nothing when the repository does not have it.
  Result<std::optional<Sha256>> named(const std::string& tag_or_digest);
  /// Lets tags name an index or manifest of the store that the repository has: no blob is asked for or sent. False,
  /// and nothing is changed, when the repository does not have it: push() brings it.
  Result<bool> tag(const Sha256& digest, const std::vector<std::string>& tags);

  /// Takes a tag away; what it named stays by digest. True: the repository does not have it any more. False: the
  /// registry does not let tags be taken away.
  Result<bool> untag(const std::string& tag);

  Result<std::string> blob(const Sha256& digest, std::uint64_t max_bytes);
  /// Manifest bytes and digest by tag or digest. kDenied when the bytes have another digest than asked.
  Result<std::pair<std::string, Sha256>> manifest(const std::string& tag_or_digest);
  /// Referrers API, else the fallback tag.
  Result<codec::Json> referrers(const Sha256& subject);
  /// Takes an image (all blobs, checked) into the store; returns the index or manifest digest. Blobs are streamed,
  /// and no longer than their descriptors say.
  Result<Sha256> pull(const std::string& tag_or_digest);

 private:
  struct Held;
  Result<Held> held();
  Result<Receipt> push_beside(const index::SerialImage& image, const Held& held);
  Result<> pull_blob(const codec::Json& descriptor);
  Result<Sha256> pull_beneath(const std::string& tag_or_digest, int depth, int& left);

  Env& env_;
  Reference base_;
  SharedToken token_;
  BlobTurns own_turns_;
  BlobTurns& turns_;
};

}  // namespace nacre::publish
