#include "package/dead_branches.h"

#include <gtest/gtest.h>

#include "package/header_items.h"
#include "package/use_source.h"

namespace nacre::package {
namespace {

TEST(DeadBranches, KnowsWhatNoCompilerForThisSystemReads) {
  struct Row {
    const char* condition;
    bool dead, dead_else;
  };
  const Row rows[] = {
      {"if 0", true, false},
      {"if 1", false, true},
      {"if 0L", false, false},
      {"ifdef _WIN32", true, false},
      {"ifndef _WIN32", false, true},
      {"ifdef WIN32", false, false},
      {"ifdef __linux__", false, false},
      {"if defined(_WIN32) || defined(__CYGWIN__)", true, false},
      {"if defined(_WIN32) || defined(A)", false, false},
      {"if defined _WIN32 && defined(A)", true, false},
      {"if !defined(_MSC_VER)", false, true},
      {"if !defined(_MSC_VER) && A", false, false},
      {"if !(defined(_MSC_VER) && A > 3)", false, true},
      {"if _MSC_VER", true, false},
      {"if _MSC_VER >= 1400", true, false},
      {"if _MSC_VER < 1400", false, true},
      {"if defined(_MSC_VER) && _MSC_VER >= 1400 && F(1, (2))", true, false},
      {"if 1400 <= _MSC_VER", true, false},
      {"if F(_WIN32)", false, false},
      {"if _WIN32(1)", false, false},
      {"if A ? defined(_WIN32) : 1", false, false},
      {"if defined(_WIN32) ? 1 : 1", false, false},
      {"if defined(_WIN32) + 1", false, false},
      {"if (defined(_WIN32))", true, false},
      {"if ((defined(_WIN32)", false, false},
      {"if defined(_WIN32) \\\n || \\\n defined(__APPLE__)", true, false},
      {"if defined(__GNUC__) && !defined(__APPLE__)", false, false},
      {"if 010 == 8", false, false},
      {"if", false, false},
      {"ifdef", false, false},
  };
  for (const Row& row : rows) {
    DeadBranches branches;
    const std::string_view text = row.condition;
    const std::size_t word = std::min(text.find(' '), text.size());
    branches.directive(text.substr(0, word), text.substr(word));
    EXPECT_EQ(branches.dead(), row.dead) << text;
    branches.directive("else", "");
    EXPECT_EQ(branches.dead(), row.dead_else) << text << " else";
    branches.directive("endif", "");
    EXPECT_FALSE(branches.dead()) << text;
  }
}

TEST(DeadBranches, FollowsBranchesWithinBranches) {
  DeadBranches branches;
  branches.directive("endif", "");  // nothing is open
  branches.directive("ifdef", " _WIN32");
  EXPECT_TRUE(branches.dead());
  EXPECT_FALSE(branches.dead_above());
  branches.directive("if", " 1");
  EXPECT_TRUE(branches.dead());
  EXPECT_TRUE(branches.dead_above());
  branches.directive("else", "");
  EXPECT_TRUE(branches.dead());
  branches.directive("endif", "");
  EXPECT_TRUE(branches.dead());
  branches.directive("elif", " defined(A)");
  EXPECT_FALSE(branches.dead());
  branches.directive("elif", " 1");
  EXPECT_FALSE(branches.dead());
  branches.directive("elif", " defined(B)");
  EXPECT_TRUE(branches.dead()) << "behind #elif 1";
  branches.directive("else", "");
  EXPECT_TRUE(branches.dead());
  branches.directive("endif", "");
  EXPECT_FALSE(branches.dead());
}

TEST(DeadBranches, AreNoPartOfHeaders) {
  const auto differ = [](const char* one, const char* other, Branches branches = Branches::kOfThisSystem) {
    const HeaderItems a = cut_header(one, branches), b = cut_header(other, branches);
    if (a.items.size() != b.items.size()) return true;
    for (std::size_t i = 0; i < a.items.size(); ++i)
      if (a.items[i].digest != b.items[i].digest) return true;
    return false;
  };
  EXPECT_FALSE(differ("int f(void);\n", "#ifdef _WIN32\n#include <w.h>\nint g(\n#endif\nint f(void);\n"));
  EXPECT_FALSE(differ("#ifdef _WIN32\n#if A\nint a;\n#endif\n#else\nint f(void);\n#endif\n",
                      "#ifdef _WIN32\n#if A\nlong a;\n#else\n#endif\n#else\nint f(void);\n#endif\n"));
  EXPECT_TRUE(differ("#ifdef _WIN32\nint f(void);\n#endif\n", "#ifdef _WIN32\nint f(long);\n#endif\n", Branches::kAll));
  EXPECT_TRUE(differ("#ifdef WIN32\nint f(void);\n#endif\n", "#ifdef WIN32\nint f(long);\n#endif\n"));
  EXPECT_TRUE(differ("#if 0\n#else\nint f(void);\n#endif\n", "#if 0\n#else\nint f(long);\n#endif\n"));
  EXPECT_TRUE(cut_header("#ifdef _WIN32\nnamespace x {\n#endif\nint f(void);\n").understood);
}

TEST(DeadBranches, AreNoPartOfSources) {
  const char* text =
      "#ifndef A\n#define A\n#ifdef _WIN32\n#include <windows.h>\nint there;\n#if B\nint deep;\n#endif\n#else\n"
      "#include <unistd.h>\nint here;\n#endif\n#include <last.h>\n#endif\n";
  const Source source = read_source("a.c", text, Branches::kOfThisSystem);
  ASSERT_EQ(source.includes.size(), 2u);
  EXPECT_EQ(source.includes[0].path, "unistd.h");
  EXPECT_FALSE(source.includes[0].always);
  EXPECT_EQ(source.includes[1].path, "last.h");
  EXPECT_TRUE(source.includes[1].always);
  EXPECT_EQ(source.code.find("there"), std::string::npos);
  EXPECT_EQ(source.code.find("deep"), std::string::npos);
  EXPECT_NE(source.code.find("here"), std::string::npos);
  EXPECT_EQ(read_source("a.c", text).includes.size(), 3u);
  EXPECT_EQ(read_source("a.txt", text, Branches::kOfThisSystem).includes.size(), 3u) << "what is a comment there?";
}

TEST(DeadBranches, KnowsCompilersForOtherSystems) {
  for (const char* name : {"x86_64-w64-mingw32-gcc", "winegcc", "emcc", "aarch64-linux-android30-clang", "zig",
                           "usr/x86_64-w64-mingw32/include/z.h", "x86_64-apple-darwin22-clang"})
    EXPECT_TRUE(serves_other_systems(name)) << name;
  for (const char* name : {"gcc", "x86_64-linux-gnu-gcc", "usr/include/z.h", "aarch64-linux-gnu-g++", "clang"})
    EXPECT_FALSE(serves_other_systems(name)) << name;
}

}  // namespace
}  // namespace nacre::package
