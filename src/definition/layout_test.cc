#include "definition/layout.h"

#include "os/file.h"

#include <gtest/gtest.h>

namespace nacre::definition {
namespace {

std::string laid(const std::string& text) {
  const auto tree = codec::parse_yaml(text, "a.yaml");
  EXPECT_TRUE(tree) << tree.error().render();
  const auto out = lay_out(*tree);
  EXPECT_TRUE(out);
  return *out;
}

TEST(Layout, ChangesBlanksAlone) {
  const struct {
    const char *given, *laid;
  } cases[] = {
      {"package:\n    name: a   \n    version: '1'\nenvironment:\n    contents:\n"
       "        packages:\n        - b\n        - c\n",
       "package:\n  name: a\n  version: '1'\n\nenvironment:\n  contents:\n    packages:\n      - b\n      - c\n"},
      {"\n\n# top\na: 1\n\n\n\n# of b\nb:\n-   x: 1\n    y: |\n"
       "        one\n          two  \n\n        three\n    # of z\n    z: 2\n",
       "# top\na: 1\n\n# of b\nb:\n  - x: 1\n    y: |\n"
       "        one\n          two  \n\n        three\n    # of z\n    z: 2\n"},
      {"a: {b: 1,\n  c: 2}\nd: \"x\n  y\"\n", "a: {b: 1,\n  c: 2}\n\nd: \"x\n  y\"\n"},
      {"a:\n- - 1\n  - 2\n-\n  b: 1\n", "a:\n- - 1\n  - 2\n-\n  b: 1\n"},
      {"a: 1", "a: 1\n"}};
  for (const auto& c : cases) EXPECT_EQ(laid(c.given), c.laid);
}

TEST(Layout, OurDefinitionsStandSo) {
  const os::Path root = os::Path(NACRE_SOURCE_DIR) / "os";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string text = *os::read_file(entry.path());
    const std::string once = laid(text);
    EXPECT_EQ(laid(once), once) << entry.path();
  }
}

}  // namespace
}  // namespace nacre::definition
