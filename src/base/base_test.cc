#include <gtest/gtest.h>

#include <vector>

#include "base/arch.h"
#include "base/edition.h"
#include "base/encoding.h"
#include "base/events.h"
#include "base/number.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/tree_path.h"

namespace nacre {
namespace {

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

TEST(Encoding, HexAndBase64GoBothWays) {
  for (const std::string& bytes :
       {std::string(), std::string("f"), std::string("fo"), std::string("foo"), std::string("\0\xff\x10 ", 4)}) {
    EXPECT_EQ(*from_hex(to_hex(bytes)), bytes);
    EXPECT_EQ(*from_base64(to_base64(bytes)), bytes);
  }
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(error_of(from_hex("abc")), "hexadecimal text has an odd length, 3");
  EXPECT_EQ(error_of(from_base64("Zm=8")), "'Zm=8' is not base64");
}

TEST(Sha256Value, ReadsBothForms) {
  const std::string hex(64, 'a');
  EXPECT_EQ(parse_sha256(hex)->hex(), hex);
  EXPECT_EQ(parse_sha256("sha256:" + hex)->oci(), "sha256:" + hex);
  EXPECT_EQ(error_of(parse_sha256("ab")), "expected a SHA-256 of 64 hexadecimal digits, got 'ab'");
}

struct PathRow {
  const char* text;
  const char* result;  ///< Normal form, or the error.
};

class TreePathParse : public testing::TestWithParam<PathRow> {};

TEST_P(TreePathParse, NormalisesOrRefuses) {
  const auto path = TreePath::parse(GetParam().text);
  EXPECT_EQ(path ? path->str() : path.error().render(), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(, TreePathParse,
                         testing::Values(PathRow{"./usr/bin/", "usr/bin"}, PathRow{"/etc", "etc"}, PathRow{".", ""},
                                         PathRow{"", ""}, PathRow{"a/../b", "path 'a/../b' has the component '..'"},
                                         PathRow{"..", "path '..' has the component '..'"},
                                         PathRow{"a//b", "path 'a//b' has the component ''"},
                                         PathRow{"a/./b", "path 'a/./b' has the component '.'"}));

TEST(TreePathParts, ParentNameAndUnder) {
  const TreePath path = TreePath::literal("usr/lib/libz.so");
  EXPECT_EQ(path.parent().str(), "usr/lib");
  EXPECT_EQ(path.name(), "libz.so");
  EXPECT_TRUE(path.is_under(TreePath::literal("usr")));
  EXPECT_FALSE(path.is_under(TreePath::literal("us")));
  EXPECT_TRUE(path.is_under(TreePath()));
}

TEST(Text, NearestNameNeedsToBeNear) {
  const std::vector<std::string> known = {"environment", "pipeline", "test"};
  EXPECT_EQ(nearest_hint("enviroment", known), "did you mean 'environment'?");
  EXPECT_EQ(nearest_hint("pipelien", known), "did you mean 'pipeline'?");
  EXPECT_EQ(nearest_hint("zzz", known), "");
}

TEST(Text, QuotesForTheShell) { EXPECT_EQ(shell_quote("it's"), "'it'\\''s'"); }

TEST(Text, MovesNoTerminal) {
  EXPECT_EQ(for_terminal("a\033[31mb\r\n\tc\x7f"), "a [31mb \n\tc ");
  EXPECT_EQ(for_terminal("\xC2\x9B" "2J ü — \xC2\xA0"), "  2J ü — \xC2\xA0");
}

TEST(Text, DurationsHaveTwoUnitsAtMost) {
  const std::pair<double, const char*> cases[] = {{0.085, "85 ms"},     {1.24, "1.2 s"},      {185, "3 min 05 s"},
                                                  {3600, "1 h 00 min"}, {7500, "2 h 05 min"}, {86399, "23 h 59 min"},
                                                  {259200, "3 d 00 h"}, {90000, "1 d 01 h"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(human_duration(seconds), text);
}

TEST(Names, OfArchitecturesAndEditions) {
  EXPECT_EQ(find_arch("arm64")->apk, "aarch64");
  EXPECT_EQ(error_of(find_arch("sparc")),
            "unknown architecture 'sparc'\n  hint: known: x86_64 (amd64), aarch64 (arm64), host");
  EXPECT_EQ(*parse_edition("production"), Edition::kProduction);
}

class Recorder final : public Events {
 public:
  void emit(const Event& event) override { seen.push_back(event); }
  std::vector<Event> seen;
};

TEST(Task, LeftWithoutFinishHasFailed) {
  Recorder events;
  { Task task(events, "build zlib"); }
  ASSERT_EQ(events.seen.size(), 2u);
  EXPECT_TRUE(events.seen.back().failed);
}

TEST(WholeNumber, IsAllOfTheText) {
  EXPECT_EQ(whole_number<unsigned>("0"), 0u);
  EXPECT_EQ(whole_number<std::uint64_t>("18446744073709551615"), 18446744073709551615u);
  EXPECT_EQ(whole_number<int>("-7"), -7);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "4294967296"})
    EXPECT_EQ(whole_number<unsigned>(text), std::nullopt) << text;
}

}  // namespace
}  // namespace nacre
