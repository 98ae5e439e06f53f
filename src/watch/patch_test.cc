#include "watch/patch_text.h"

#include <gtest/gtest.h>

#include "base/text.h"

#include <map>

namespace nacre::watch {
namespace {

constexpr const char* kMends = R"(From: A Person <a@example.org>
Subject: mend the sum
Forwarded: https://example.org/proj/pull/7
Bug: CVE-2026-1234 and CVE-2026-1234 again
---
 sum.c | 2 +-

diff --git a/src/sum.c b/src/sum.c
index 1..2 100644
--- a/src/sum.c	2026-01-01
+++ b/src/sum.c	2026-01-02
@@ -2,4 +2,5 @@ int sum(int a, int b)
 {
-  return a - b;
+  // both
+  return a + b;
 }
 // end
@@ -10,1 +11,1 @@
-old
+new
--
2.39
)";

const std::string kOld = "int sum(int a, int b)\n{\n  return a - b;\n}\n// end\n6\n7\n8\n9\nold\n11\n";
const std::string kNew = "int sum(int a, int b)\n{\n  // both\n  return a + b;\n}\n// end\n6\n7\n8\n9\nnew\n11\n";

Patch read(std::string_view text, std::string_view name = "x.patch") {
  auto patch = parse_patch(text, name);
  EXPECT_TRUE(patch) << patch.error().render();
  return patch ? *std::move(patch) : Patch{};
}

/// What an application leaves, or why it does not fit.
std::string applied(const Patch& patch, Direction direction, std::map<std::string, std::string> files,
                    ApplyOptions options = {}) {
  const FileReader reader = [&](const std::string& path) -> Result<std::optional<std::string>> {
    const auto found = files.find(path);
    return found == files.end() ? std::optional<std::string>() : std::optional(found->second);
  };
  const auto out = try_patch(patch, 1, direction, reader, options);
  if (!out) return out.error().render();
  std::string text;
  for (const ChangedFile& file : *out) text += file.path + (file.content ? ":" + *file.content : " removed");
  return text;
}

TEST(Patch, IsReadWithItsHeader) {
  const Patch patch = read(kMends, "0001-CVE-2026-9999.patch");
  EXPECT_EQ(patch.header.author, "A Person <a@example.org>");
  EXPECT_EQ(patch.header.status(), "forwarded");
  EXPECT_EQ(join(patch.header.vulnerabilities, " "), "CVE-2026-9999 CVE-2026-1234");
  ASSERT_EQ(patch.files.size(), 1u);
  EXPECT_EQ(patch.files[0].old_path, "a/src/sum.c");
  EXPECT_EQ(patch.hunks(), 2u);
  EXPECT_EQ(patch.added(), 3u);
  EXPECT_EQ(patch.removed(), 2u);
  const PatchCount count = count_patch(kMends);
  EXPECT_EQ(count.hunks, 2u);
  EXPECT_EQ(count.added, 3u);
  EXPECT_EQ(count.removed, 3u);  // with the line before the signature
}

TEST(Patch, SaysWhereUpstreamStands) {
  const struct {
    const char *header, *status;
  } rows[] = {
      {"", "not said"},
      {"Forwarded: no\n", "not forwarded"},
      {"Forwarded: not-needed\n", "not needed"},
      {"# Forwarded: https://h/1\n", "forwarded"},
      {"Upstream-Status: Backport\n", "from upstream"},
      {"Upstream-Status: Pending\n", "not forwarded"},
      {"Origin: upstream, https://h/commit/1\n", "from upstream"},
      {"Applied-Upstream: 1.4\nForwarded: yes\n", "applied in 1.4"},
      {"see https://h/p/commit/abc.\n", "mentions upstream"},
      {"see https://h/p\n", "not said"},
  };
  const std::string body = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
  for (const auto& row : rows) EXPECT_EQ(read(row.header + body).header.status(), row.status) << row.header;
  EXPECT_TRUE(read(body).header.is_bare());
}

TEST(Patch, AppliesForthAndBack) {
  const Patch patch = read(kMends);
  EXPECT_EQ(applied(patch, Direction::kForward, {{"src/sum.c", kOld}}), "src/sum.c:" + kNew);
  EXPECT_EQ(applied(patch, Direction::kReverse, {{"src/sum.c", kNew}}), "src/sum.c:" + kOld);
  EXPECT_EQ(applied(patch, Direction::kForward, {{"src/sum.c", "// moved\n" + kOld}}), "src/sum.c:// moved\n" + kNew);
  EXPECT_EQ(applied(patch, Direction::kReverse, {{"src/sum.c", kOld}}), "hunk 1 of 'src/sum.c' does not fit");
  // One of two hunks is not all.
  EXPECT_EQ(applied(patch, Direction::kReverse, {{"src/sum.c", replace_all(kNew, "new", "newer")}}),
            "hunk 2 of 'src/sum.c' does not fit");
  EXPECT_EQ(applied(patch, Direction::kForward, {}), "there is no 'src/sum.c'");
}

TEST(Patch, IsStrictAboutContextAndPlace) {
  const Patch patch = read("--- a/x\n+++ b/x\n@@ -2,3 +2,3 @@\n a\n-b\n+B\n c\n");
  const std::string there = "0\na\nb\nc\n", twice = "1\n2\na\nb\nc\na\nb\nc\n", context = "0\na\nb\nC\n";
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", there}}), "x:0\na\nB\nc\n");
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", twice}}), "hunk 1 of 'x' does not fit");
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", context}}), "hunk 1 of 'x' does not fit");
  // As patch does it, in building: near, and with context left out.
  const ApplyOptions loose{.fuzz = 2, .anywhere = true};
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", twice}}, loose), "x:1\n2\na\nB\nc\na\nb\nc\n");
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", context}}, loose), "x:0\na\nB\nC\n");
  EXPECT_EQ(applied(patch, Direction::kForward, {{"x", "0\na\nz\nc\n"}}, loose), "hunk 1 of 'x' does not fit");
}

TEST(Patch, MakesAndRemovesFiles) {
  const Patch makes = read("--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 @@\n+1\n+2\n");
  EXPECT_EQ(applied(makes, Direction::kForward, {}), "n:1\n2\n");
  EXPECT_EQ(applied(makes, Direction::kForward, {{"n", ""}}), "'n' is there already");
  EXPECT_EQ(applied(makes, Direction::kReverse, {{"n", "1\n2\n"}}), "n removed");
  EXPECT_EQ(applied(makes, Direction::kReverse, {{"n", "1\n2\n3\n"}}), "'n' has other content");
  EXPECT_EQ(applied(makes, Direction::kReverse, {}), "there is no 'n'");
  const Patch no_end = read("--- a/n\n+++ b/n\n@@ -1 +1 @@\n-1\n\\ No newline at end of file\n+2\n");
  EXPECT_EQ(applied(no_end, Direction::kForward, {{"n", "1"}}), "n:2\n");
  EXPECT_EQ(applied(no_end, Direction::kForward, {{"n", "1\n"}}), "hunk 1 of 'n' does not fit");
}

TEST(Patch, ReturnsThatAMailAddedDoNotCount) {
  const Patch mailed = read("--- a/x\r\n+++ b/x\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n");
  EXPECT_EQ(applied(mailed, Direction::kForward, {{"x", "a\nb\n"}}), "x:a\nc\n");
  const Patch dos = read("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n");
  EXPECT_EQ(applied(dos, Direction::kForward, {{"x", "a\nb\n"}}), "hunk 1 of 'x' does not fit");
  EXPECT_EQ(applied(dos, Direction::kForward, {{"x", "a\r\nb\r\n"}}), "x:a\r\nc\r\n");
}

TEST(Patch, FaultsHavePlaces) {
  const auto fault = [](std::string_view text) {
    const auto patch = parse_patch(text, "x.patch");
    return patch ? std::string("read") : patch.error().render();
  };
  const std::string head = "--- a/x\n+++ b/x\n";
  EXPECT_EQ(fault(head + "@@ -1,2 +1 @@\n-a\n"), "x.patch:3: a hunk that ends too early");
  EXPECT_EQ(fault(head + "@@ -1 +1 @@\n?a\n"), "x.patch:4: a line that no hunk has");
  EXPECT_EQ(fault(head + "@@ -x +1 @@\n"), "x.patch:3: a hunk whose head cannot be read");
  EXPECT_EQ(fault(head + "@@ -0,0 +1,1 @@\n-a\n-b\n+c\n"), "x.patch:3: a hunk of another length than it says");
  EXPECT_EQ(fault("no diff at all\n"), "read");
  EXPECT_EQ(applied(read("words\n"), Direction::kForward, {}), "it changes nothing that can be read");
  EXPECT_EQ(applied(read("diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 1\nx\n"), Direction::kForward, {}),
            "it changes the bytes of a file");
}

TEST(Patch, PathsStayInside) {
  EXPECT_EQ(stripped_path("a/src/x.c", 1), "src/x.c");
  EXPECT_EQ(stripped_path("x.c", 1), "x.c");
  EXPECT_EQ(stripped_path("a/b/x.c", 0), "a/b/x.c");
  EXPECT_EQ(stripped_path("/dev/null", 1), std::nullopt);
  EXPECT_EQ(stripped_path("a/../../x", 1), std::nullopt);
}

}  // namespace
}  // namespace nacre::watch
