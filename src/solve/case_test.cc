#include "os/file.h"
#include "solve/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace nacre::solve {
namespace {

std::string refusal(std::string_view text) {
  const auto given = read_case(text, "x.test");
  return given ? "none" : given.error().render();
}

TEST(Case, IsReadLineByLine) {
  const auto given =
      read_case("@ARGS add a\n@WORLD b c\n@REPO one.repo\n@REPO @edge two.repo\n@EXPECT\nOK\n\nmore\n", "x");
  ASSERT_TRUE(given);
  EXPECT_EQ(given->arguments, (std::vector<std::string>{"add", "a"}));
  EXPECT_EQ(given->world, (std::vector<std::string>{"b", "c"}));
  ASSERT_EQ(given->repositories.size(), 2u);
  EXPECT_EQ(given->repositories[1].tag, "@edge");
  EXPECT_EQ(given->expected, "OK\n\nmore\n");
  EXPECT_EQ(refusal("@EXPECT\n"), "x.test: a case needs @ARGS: what apk is asked");
  EXPECT_TRUE(refusal("@ARGS add a\n@FOO\n").starts_with("x.test:2:1: '@FOO' is no line of a case"));
}

TEST(Case, DifferenceNamesTheLines) {
  EXPECT_EQ(difference("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(difference("a\nb\nc\n", "a\nc\nd\n"), "  a\n- b\n  c\n+ d\n");
}

TEST(Case, OurOwnAreAnsweredToTheLetter) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(NACRE_SOURCE_DIR "/tests/solver/apk"))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 12u);
  for (const auto& file : files) {
    const auto text = os::read_file(file);
    ASSERT_TRUE(text);
    const auto given = read_case(*text, file.filename().string());
    ASSERT_TRUE(given) << given.error().render();
    const auto answered =
        run_case(*given, [&](const std::string& name) { return os::read_file(file.parent_path() / name); });
    ASSERT_TRUE(answered) << answered.error().render();
    EXPECT_EQ(difference(given->expected, answered->output), "") << file;
  }
}

}  // namespace
}  // namespace nacre::solve
