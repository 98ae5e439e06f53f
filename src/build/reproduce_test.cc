#include "build/reproduce.h"

#include <gtest/gtest.h>

namespace nacre::build {
namespace {

using os::Path;

TEST(CompareTrees, NamesEachDifference) {
  const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const Path a = dir.path() / "a", b = dir.path() / "b";
  const std::string large(300'000, 'x');
  for (const Path& root : {a, b}) {
    ASSERT_TRUE(os::make_dirs(root / "same"));
    ASSERT_TRUE(os::write_file(root / "same/file", large));
    ASSERT_TRUE(os::write_file(root / "size", root == a ? "1" : "22"));
    ASSERT_TRUE(os::write_file(root / "mode", "", root == a ? 0644 : 0755));
    ASSERT_TRUE(os::write_file(root / "late", large + (root == a ? "1" : "2") + "rest"));
    ASSERT_TRUE(os::write_file(root / "linked", "1"));
    std::filesystem::create_symlink(root == a ? "x" : "y", root / "link");
  }
  ASSERT_TRUE(os::write_file(a / "kind", ""));
  ASSERT_TRUE(os::make_dirs(b / "kind"));
  ASSERT_TRUE(os::write_file(a / "gone", ""));
  ASSERT_TRUE(os::write_file(b / "new", ""));
  std::filesystem::create_hard_link(a / "linked", a / "linked2");
  ASSERT_TRUE(os::write_file(b / "linked2", "1"));
  std::filesystem::last_write_time(a / "same/file",
                                   std::filesystem::file_time_type::min() + std::chrono::hours(1));

  const auto found = compare_trees(a, b);
  ASSERT_TRUE(found) << found.error().render();
  EXPECT_EQ(*found, (std::vector<std::string>{
                        "gone: only in the first",
                        "kind: a file and a directory",
                        "late: byte 300000 of 300005 differs",
                        "link: leads to 'x' and to 'y'",
                        "linked2: one file with 'linked' and with 'linked2'",
                        "mode: mode 0644 and 0755",
                        "new: only in the second",
                        "size: 1 and 2 bytes",
                    }));
  EXPECT_EQ(*compare_trees(a, a), std::vector<std::string>());
}

}  // namespace
}  // namespace nacre::build
