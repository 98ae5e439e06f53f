#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/gzip.h"
#include "net/http.h"
#include "os/file.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::index {

/// Whether sockets may be opened.
enum class Reach { kOnline, kOffline };

/// Whether `text` is an http or https address.
bool is_address(std::string_view text);
/// `place` for messages and keys of records: never with a password.
std::string safe_place(const std::string& place);

/// What was brought: its digest, and its bytes unless they lie in the store already.
struct Fetched {
  Sha256 digest;
  std::optional<std::string> bytes;
};

/// Brings files of repositories, from directories and over HTTP with the credentials of the environment
/// (net/credentials.h). Answers of web servers are kept with their ETag and asked for again; offline, what was kept
/// is the answer. Safe to use from several threads.
class Fetcher {
 public:
  static Result<Fetcher> make(Env& env, Reach reach);

  /// A file or an address. kInvalid when it is longer than `max_bytes`.
  Result<Fetched> fetch(const std::string& place, std::uint64_t max_bytes) const;
  Result<std::string> read(const std::string& place, std::uint64_t max_bytes) const;
  /// The same; nothing where there is none.
  Result<std::optional<std::string>> read_if_there(const std::string& place, std::uint64_t max_bytes) const;
  /// Bytes of what fetch() gave.
  Result<std::string> bytes_of(const Fetched& fetched, std::uint64_t max_bytes) const;

  /// Brings a large file into the store: downloads go on where they stopped. `take` reads the file once, hands every
  /// byte to its second argument when that is one, checks it, and gives its digest; what it refuses is fetched once
  /// again when it was resumed.
  using Take = std::function<Result<Sha256>(const os::Path& file, const codec::Sink& copy)>;
  Result<Sha256> bring(const std::string& place, std::uint64_t max_bytes, const Take& take) const;

  Reach reach() const { return reach_; }

 private:
  Fetcher(Env& env, Reach reach, std::shared_ptr<net::Http> http, double patience)
      : env_(&env), reach_(reach), http_(std::move(http)), patience_(patience) {}

  Env* env_;
  Reach reach_;
  std::shared_ptr<net::Http> http_;
  double patience_;  ///< Seconds: NACRE_HTTP_TIMEOUT.
};

}  // namespace nacre::index
