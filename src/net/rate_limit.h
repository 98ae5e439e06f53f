#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace nacre::net {

/// How often each client may ask: a bucket for each that holds `burst` requests and fills again at `per_second`.
/// Thread-safe. Remembers kMaxClients at most: beyond that, whoever's bucket is full again is forgotten, and if all
/// are busy, a new client is let in unseen, so that many addresses cannot use up the memory.
class RateLimit {
 public:
  static constexpr std::size_t kMaxClients = 65'536;

  RateLimit(double per_second, unsigned burst) : per_second_(per_second), burst_(burst < 1 ? 1 : burst) {}

  /// Takes one request of `client` at `now` (seconds on a clock that never goes back). 0: it may be answered; else the
  /// seconds after which the next one may.
  double take(const std::string& client, double now);
  std::size_t clients() const;

 private:
  struct Bucket {
    double left = 0, at = 0;
  };
  double left_at(const Bucket& bucket, double now) const;
  void forget_idle(double now);

  const double per_second_, burst_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
  double swept_at_ = 0;
};

/// The part of an address that one client has for itself: an IPv4 address, the first half of an IPv6 one ("/64").
std::string client_of(const std::string& address);

}  // namespace nacre::net
