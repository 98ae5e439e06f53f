#include "net/rate_limit.h"

#include <arpa/inet.h>

#include <algorithm>

namespace nacre::net {
namespace {
constexpr double kSweepSeconds = 1;  ///< A full map is looked through at most this often.
}

double RateLimit::left_at(const Bucket& bucket, double now) const {
  return std::min(burst_, bucket.left + (now - bucket.at) * per_second_);
}

void RateLimit::forget_idle(double now) {
  if (now - swept_at_ < kSweepSeconds) return;
  swept_at_ = now;
  std::erase_if(buckets_, [&](const auto& row) { return left_at(row.second, now) >= burst_; });
}

double RateLimit::take(const std::string& client, double now) {
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(client);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMaxClients) forget_idle(now);
    if (buckets_.size() >= kMaxClients) return 0;
    found = buckets_.emplace(client, Bucket{burst_, now}).first;
  }
  Bucket& bucket = found->second;
  bucket = {left_at(bucket, now), now};
  if (bucket.left < 1) return (1 - bucket.left) / per_second_;
  bucket.left -= 1;
  return 0;
}

std::size_t RateLimit::clients() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

std::string client_of(const std::string& address) {
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return address;
  std::fill(std::begin(parsed.s6_addr) + 8, std::end(parsed.s6_addr), std::uint8_t{0});
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &parsed, text, sizeof text) == nullptr ? address : std::string(text) + "/64";
}

}  // namespace nacre::net
