#include "farm/streams.h"

#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

Result<std::vector<Stream>> streams_in(const std::string& text) {
  const auto tree = codec::parse_yaml(text, "streams.yaml");
  EXPECT_TRUE(tree) << tree.error().render();
  return read_streams(*tree);
}
Day day(std::string_view text) { return *parse_day(text); }

constexpr std::string_view kText = R"(streams:
  - definitions: nodejs-18*
    end: 2025-04-30
    grace: 30d
    note: take nodejs-22
  - definitions: postgresql-1?
    end: 2026-11-12
    waived: {who: anna, reason: one customer moves in spring, until: 2027-04-01}
)";

TEST(Streams, SupportByDay) {
  const auto streams = streams_in(std::string(kText));
  ASSERT_TRUE(streams) << streams.error().render();
  const Stream* node = stream_of(*streams, "nodejs-18-lts");
  const Stream* postgres = stream_of(*streams, "postgresql-12");
  ASSERT_TRUE(node != nullptr && postgres != nullptr);
  EXPECT_EQ(stream_of(*streams, "nodejs-20"), nullptr);
  EXPECT_EQ(stream_of(*streams, "postgresql-123"), nullptr);
  const std::tuple<const Stream*, const char*, Support> rows[] = {
      {node, "2025-04-30", Support::kSupported},     {node, "2025-05-01", Support::kEnded},
      {node, "2025-05-30", Support::kEnded},         {node, "2025-05-31", Support::kGone},
      {postgres, "2026-11-12", Support::kSupported}, {postgres, "2027-02-11", Support::kEnded},
      {postgres, "2027-04-01", Support::kEnded},     {postgres, "2027-04-02", Support::kGone},
  };
  for (const auto& [stream, today, wanted] : rows) EXPECT_EQ(support_at(*stream, day(today)), wanted) << today;
  EXPECT_EQ(reason_of(*node), "upstream mends it no longer since 2025-04-30, take nodejs-22");
  EXPECT_EQ(
      reason_of(*postgres),
      "upstream mends it no longer since 2026-11-12 (kept by anna until 2027-04-01: one customer moves in spring)");
}

TEST(Streams, Faults) {
  const std::pair<const char*, const char*> rows[] = {
      {"stream: []\n",
       "streams.yaml:1:1: unknown key 'stream' in streams.yaml; there are streams\n  hint: did you mean 'streams'?"},
      {"streams: x\n", "streams.yaml:1:10: expected a list of streams"},
      {"streams:\n  - end: 2025-01-01\n", "streams.yaml:2:5: 'definitions' is missing"},
      {"streams:\n  - definitions: a\n    end: soon\n",
       "streams.yaml:3:10: expected a day as 2026-11-28, found 'soon'"},
      {"streams:\n  - definitions: a\n    end: 2025-01-01\n    grace: 3\n",
       "streams.yaml:4:12: expected days such as 90d, at most 3650d, got '3'"},
      {"streams:\n  - definitions: a\n    end: 2025-01-01\n    waived: {who: x, until: 2026-01-01}\n",
       "streams.yaml:4:13: 'reason' is missing"},
  };
  for (const auto& [text, wanted] : rows) {
    const auto streams = streams_in(text);
    ASSERT_FALSE(streams) << text;
    EXPECT_EQ(streams.error().render(), wanted);
  }
  EXPECT_TRUE(streams_in("")->empty());
}

TEST(Streams, Patterns) {
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"a", "a", true},         {"a", "ab", false},   {"a*", "a", true},    {"a*", "abc", true},
      {"*", "", true},          {"?", "", false},     {"a?c", "abc", true}, {"a*c*e", "abcde", true},
      {"a*c*e", "abcd", false}, {"**b", "aab", true}, {"", "", true},       {"", "a", false},
  };
  for (const auto& [pattern, name, wanted] : rows)
    EXPECT_EQ(fits_pattern(pattern, name), wanted) << pattern << " " << name;
}

}  // namespace
}  // namespace nacre::farm
