#include "net/ranges.h"

#include <gtest/gtest.h>

namespace nacre::net {
namespace {

constexpr auto kWhole = RangeKind::kWhole, kPart = RangeKind::kPart,
               kPast = RangeKind::kUnsatisfiable;

struct Row {
  std::string_view header;
  std::uint64_t total;
  ByteRange range;
};

TEST(Range, IsReadAgainstTheSize) {
  for (const Row& row : {
           Row{"bytes=0-", 10, {kPart, 0, 10}},
           Row{"bytes=0-0", 10, {kPart, 0, 1}},
           Row{"bytes=3-5", 10, {kPart, 3, 3}},
           Row{"bytes=3-999", 10, {kPart, 3, 7}},
           Row{"bytes=3-18446744073709551615", 10, {kPart, 3, 7}},
           Row{"bytes=9-", 10, {kPart, 9, 1}},
           Row{"bytes=-3", 10, {kPart, 7, 3}},
           Row{"bytes=-30", 10, {kPart, 0, 10}},
           Row{"bytes=10-", 10, {kPast, 0, 0}},
           Row{"bytes=0-", 0, {kPast, 0, 0}},
           Row{"bytes=-0", 10, {kPast, 0, 0}},
           Row{"bytes=-1", 0, {kPast, 0, 0}},
           Row{"", 10, {}},
           Row{"bytes=", 10, {}},
           Row{"bytes=-", 10, {}},
           Row{"bytes=5-3", 10, {}},
           Row{"bytes=0-1,4-5", 10, {}},
           Row{"bytes=x-1", 10, {}},
           Row{"bytes=1-x", 10, {}},
           Row{"bytes=99999999999999999999-", 10, {}},
           Row{"lines=0-1", 10, {}},
       })
    EXPECT_EQ(parse_range(row.header, row.total), row.range) << row.header;
}

TEST(Etag, IsFoundInAList) {
  EXPECT_TRUE(etag_matches("*", R"("a")"));
  EXPECT_TRUE(etag_matches(R"("x", W/"a","y")", R"("a")"));
  EXPECT_TRUE(etag_matches(R"("a")", R"(W/"a")"));
  EXPECT_TRUE(etag_matches(R"("x,y")", R"("x,y")"));
  EXPECT_FALSE(etag_matches(R"("x,y")", R"("y")"));
  EXPECT_FALSE(etag_matches("", R"("a")"));
  EXPECT_FALSE(etag_matches(R"("a)", R"("a")"));
}

TEST(IfRange, WantsTheStrongTag) {
  EXPECT_TRUE(range_applies("", R"("a")"));
  EXPECT_TRUE(range_applies(R"("a")", R"("a")"));
  EXPECT_FALSE(range_applies(R"("b")", R"("a")"));
  EXPECT_FALSE(range_applies(R"(W/"a")", R"(W/"a")"));
  EXPECT_FALSE(range_applies("Tue, 24 Nov 2026 05:03:00 GMT", R"("a")"));
}

}  // namespace
}  // namespace nacre::net
