#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "os/file.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace nacre::store {

/// A place of others that keeps blobs under their digests, and a few short texts beside them: all that Artifacts needs.
///
/// Errors: kUnavailable for one that does not answer, kDenied for one that refuses, kNotFound when it is not there;
/// each names the place. Thread-safe.
class Depot {
 public:
  virtual ~Depot() = default;

  /// As the user writes it: "s3://BUCKET/PREFIX", "oci://HOST/REPOSITORY".
  virtual std::string name() const = 0;

  /// Size of the blob there; nothing when it is not.
  virtual Result<std::optional<std::uint64_t>> size(const Sha256& digest) = 0;
  /// The place compares what it got with the digest, and says so when it is something else.
  virtual Result<> put(const Sha256& digest, const os::Path& file) = 0;
  /// Into a new file, unchecked. False when it is not there.
  virtual Result<bool> get(const Sha256& digest, const os::Path& file) = 0;
  virtual Result<> remove(const Sha256& digest) = 0;

  struct Blob {
    Sha256 digest;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< Seconds since 1970.
  };
  /// All blobs, in any order.
  virtual Result<> for_each(const std::function<Result<>(const Blob&)>& see) = 0;

  /// A short text beside the blobs.
  virtual Result<std::optional<std::string>> read_text(const std::string& name) = 0;
  virtual Result<> write_text(const std::string& name, const std::string& text) = 0;
};

}  // namespace nacre::store
