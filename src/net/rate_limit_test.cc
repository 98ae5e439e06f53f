#include "net/rate_limit.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace nacre::net {
namespace {

TEST(RateLimit, LetsABurstInAndThenOneAtATime) {
  RateLimit limit(2, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take("a", 10), 0) << i;
  EXPECT_DOUBLE_EQ(limit.take("a", 10), 0.5);
  EXPECT_EQ(limit.take("b", 10), 0) << "another client has a bucket of its own";
  EXPECT_DOUBLE_EQ(limit.take("a", 10.25), 0.25);
  EXPECT_EQ(limit.take("a", 10.5), 0);
  EXPECT_GT(limit.take("a", 10.5), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take("a", 100), 0) << "full again, and no fuller";
  EXPECT_GT(limit.take("a", 100), 0);
}

TEST(RateLimit, RemembersABoundedNumberOfClients) {
  RateLimit limit(1, 2);
  for (std::size_t i = 0; i < RateLimit::kMaxClients + 10; ++i) EXPECT_EQ(limit.take(fmt::format("{}", i), 1), 0);
  EXPECT_EQ(limit.clients(), RateLimit::kMaxClients);
  EXPECT_EQ(limit.take("late", 1000), 0);
  EXPECT_EQ(limit.clients(), 1u) << "the others have full buckets: nothing to remember";
}

TEST(ClientOf, IsWhatOneClientHasForItself) {
  EXPECT_EQ(client_of("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(client_of("2001:db8:1:2:3:4:5:6"), client_of("2001:db8:1:2::9"));
  EXPECT_NE(client_of("2001:db8:1:2::9"), client_of("2001:db8:1:3::9"));
}

}  // namespace
}  // namespace nacre::net
