#include "plan/keys.h"

#include <gtest/gtest.h>

namespace nacre::plan {
namespace {

/// Who follows what, by our policy: who holds what changed always does.
TEST(Keys, DecideByWhatIsTaken) {
  constexpr KeyChange kSame{}, kCode{true}, kAbi{true, true};
  const std::tuple<EdgeKind, KeyChange, bool> rows[] = {
      {EdgeKind::kEmbed, kSame, false}, {EdgeKind::kEmbed, kCode, true},    {EdgeKind::kEmbed, kAbi, true},
      {EdgeKind::kData, kSame, false},  {EdgeKind::kData, kCode, true},     {EdgeKind::kLink, kSame, false},
      {EdgeKind::kLink, kCode, false},  {EdgeKind::kLink, kAbi, true},      {EdgeKind::kTool, kAbi, false},
      {EdgeKind::kTest, kAbi, false},   {EdgeKind::kRuntime, kAbi, false},
  };
  EXPECT_FALSE(follows(KeyPolicy::kBreaks, {0, 1, EdgeKind::kLink, 0, true}, {true, true, true, false}));
  EXPECT_TRUE(follows(KeyPolicy::kBreaks, {0, 1, EdgeKind::kLink, 0, true}, {true, true, true, true}));
  EXPECT_FALSE(follows(KeyPolicy::kUsed, {0, 1, EdgeKind::kLink, 0, true}, {true, true, false, true}));
  EXPECT_TRUE(follows(KeyPolicy::kUsed, {0, 1, EdgeKind::kLink, 0, true}, {true, true, true, false}));
  EXPECT_FALSE(follows(KeyPolicy::kPostponed, {0, 1, EdgeKind::kLink, 0, true}, {true, true, true, true, false}));
  EXPECT_TRUE(follows(KeyPolicy::kPostponed, {0, 1, EdgeKind::kLink, 0, true}, {true, true, true, false, true}));
  EXPECT_TRUE(follows(KeyPolicy::kPostponed, {0, 1, EdgeKind::kEmbed, 0, true}, kCode));
  EXPECT_TRUE(follows(KeyPolicy::kUsed, {0, 1, EdgeKind::kEmbed, 0, true}, kCode));
  EXPECT_TRUE(follows(KeyPolicy::kBreaks, {0, 1, EdgeKind::kEmbed, 0, true}, kCode));
  for (const auto& [kind, change, again] : rows) {
    const Edge edge{0, 1, kind, 0, true};
    EXPECT_EQ(follows(KeyPolicy::kAbi, edge, change), again) << name_of(kind) << change.content << change.abi;
    if (again) { EXPECT_TRUE(follows(KeyPolicy::kContent, edge, change)) << "never more than by content"; }
  }
}

TEST(Keys, SayWhyNot) {
  EXPECT_EQ(cut_off_reason("zlib", EdgeKind::kLink, {true, false}),
            "the ABI of zlib is the same, and it is linked with");
  EXPECT_EQ(cut_off_reason("make", EdgeKind::kTool, {true, true}),
            "make is a tool: its users follow with their next change");
  EXPECT_EQ(cut_off_reason("go", EdgeKind::kEmbed, {false, false}), "go came out with the same content");
}

}  // namespace
}  // namespace nacre::plan
