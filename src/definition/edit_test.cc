#include "definition/edit.h"

#include <gtest/gtest.h>

namespace nacre::definition {
namespace {

const std::string kOld(64, 'a'), kNew(64, 'b');

codec::YamlTree tree_of(const std::string& text) {
  auto tree = codec::parse_yaml(text, "a.yaml");
  EXPECT_TRUE(tree) << tree.error().render();
  return tree ? *std::move(tree) : codec::YamlTree{};
}

TEST(Edit, ChangesVersionAndEpochAndNothingElse) {
  const struct {
    const char *before, *after;
  } cases[] = {{"# top\n\npackage:\n    name:   a # é\n    version: \"1.9\"   # keep\n    epoch: "
                "3\n\nx: 'y'\n",
                "# top\n\npackage:\n    name:   a # é\n    version: \"1.10\"   # keep\n    epoch: "
                "0\n\nx: 'y'\n"},
               {"package: {epoch: 12, name: a, version: 1.9}",
                "package: {epoch: 0, name: a, version: 1.10}"},
               {"package:\r\n  version: '1.9'\r\n  epoch: 3 # bump\r\n",
                "package:\r\n  version: '1.10'\r\n  epoch: 0 # bump\r\n"},
               {"package:\n  version:\n    1.9\n  epoch: 3\n",
                "package:\n  version:\n    1.10\n  epoch: 0\n"}};
  for (const auto& c : cases) EXPECT_EQ(*bump_version(tree_of(c.before), "1.10", 0), c.after);
  EXPECT_EQ(*set_epoch(tree_of(cases[0].before), 4),
            "# top\n\npackage:\n    name:   a # é\n    version: \"1.9\"   # keep\n    epoch: "
            "4\n\nx: 'y'\n");
}

TEST(Edit, ChangesEachPlaceOfADigest) {
  const std::string before =
      "pipeline:\n  - uses: fetch # " + kOld + "\n    with: {expected-sha256: " + kOld +
      "}\nsubpackages:\n  - pipeline:\n      - with:\n          expected-sha256: '" + kOld +
      "' # same\n          other: " + kOld + "\n";
  const std::string after =
      "pipeline:\n  - uses: fetch # " + kOld + "\n    with: {expected-sha256: " + kNew +
      "}\nsubpackages:\n  - pipeline:\n      - with:\n          expected-sha256: '" + kNew +
      "' # same\n          other: " + kOld + "\n";
  EXPECT_EQ(*replace_digest(tree_of(before), kOld, kNew), after);
  EXPECT_EQ(*replace_commit(tree_of("x: {expected-commit: abc}\n"), "ABC", "def"),
            "x: {expected-commit: def}\n");
}

TEST(Edit, SaysWhatIsNotThere) {
  EXPECT_EQ(set_epoch(tree_of("package: {version: 1}\n"), 1).error().render(),
            "a.yaml: no 'package.epoch' to change");
  EXPECT_EQ(bump_version(tree_of("package: {version: [1], epoch: 0}\n"), "2", 0).error().render(),
            "a.yaml:1:20: 'package.version' is not a single value");
  EXPECT_EQ(replace_digest(tree_of("a: {expected-sha256: x}\n"), "y", "z").error().render(),
            "a.yaml: no 'expected-sha256' is y\n  hint: it may be made from a variable; change "
            "that by hand");
}

}  // namespace
}  // namespace nacre::definition
