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

// ---- taking out

constexpr const char* kSteps = R"(pipeline:
  - uses: fetch

  # Two of them.
  - uses: patch
    with:
      patches: a.patch b.patch   # in order

  - uses: git-checkout
    with:
      repository: r
      cherry-picks: |
        1.x/abc: mends it
        # why
        def: mends that # remark

  # One on its lines.
  - uses: patch
    with:
      patches: |
        c.patch
        ../d.patch
  # Behind it.

  - runs: |
      make
)";

TEST(Edit, TakesAPatchOut) {
  const auto without = [](const std::string& text, std::string_view name) {
    const auto out = remove_patch(tree_of(text), name);
    return out ? *out : out.error().render();
  };
  const auto cut = [](std::string text, const std::string& part, const std::string& with = "") {
    EXPECT_NE(text.find(part), std::string::npos) << part;
    return text.replace(text.find(part), part.size(), with);
  };
  const std::string text = kSteps;
  EXPECT_EQ(without(text, "a.patch"), cut(text, "a.patch b.patch", "b.patch"));
  EXPECT_EQ(without(text, "b.patch"), cut(text, "a.patch b.patch", "a.patch"));
  EXPECT_EQ(without(text, "c.patch"), cut(text, "        c.patch\n"));
  const std::string one = without(text, "../d.patch");
  EXPECT_EQ(one, cut(text, "        ../d.patch\n"));
  EXPECT_EQ(without(one, "c.patch"),
            cut(one, "  - uses: patch\n    with:\n      patches: |\n        c.patch\n"));
  EXPECT_EQ(without(without(text, "a.patch"), "b.patch"),
            cut(text, "  - uses: patch\n    with:\n      patches: a.patch b.patch   # in order\n"));
  EXPECT_EQ(without("a:\n- pipeline:\n  - uses: patch\n    with: {patches: x}\n  - runs: y\n", "x"),
            "a:\n- pipeline:\n  - runs: y\n");
  const std::string one_step = "pipeline:\n  - uses: patch\n    with: {patches: x}\n";
  EXPECT_EQ(without(one_step + "  - uses: patch\n    with: {patches: 'x y'}\n", "x"),
            "pipeline:\n  - uses: patch\n    with: {patches: 'y'}\n");
  EXPECT_EQ(without(text, "d.patch"), "a.yaml: no step names the patch 'd.patch' in plain sight");
  EXPECT_EQ(without("pipeline:\n  - uses: patch\n    with: {patches: x}\n", "x"),
            "a.yaml:2:5: it is the only step of its pipeline\n  while taking out the step that applies 'x'");
  EXPECT_EQ(without("pipeline: [{uses: patch, with: {patches: x}}, {runs: y}]\n", "x"),
            "a.yaml:1:12: the step does not stand on lines of its own\n  while taking out the step that applies 'x'");
}

TEST(Edit, TakesAPickOut) {
  const auto without = [](const std::string& text, std::string_view commit) {
    const auto out = remove_pick(tree_of(text), commit);
    return out ? *out : out.error().render();
  };
  std::string text = kSteps, one = text;
  one.erase(one.find("        1.x/abc: mends it\n"), std::string("        1.x/abc: mends it\n").size());
  EXPECT_EQ(without(text, "abc"), one);
  std::string none = one;
  const std::size_t begin = none.find("      cherry-picks"), end = none.find("# remark\n") + 9;
  none.erase(begin, end - begin);
  EXPECT_EQ(without(one, "def"), none);
  EXPECT_EQ(without(text, "ab"), "a.yaml: no cherry-picks name ab in plain sight");
  EXPECT_EQ(without("pipeline:\n- uses: git-checkout\n  with: {cherry-picks: 'abc: why'}\n", "abc"),
            "a.yaml:3:10: 'cherry-picks' does not stand on lines of its own\n  while taking out the pick of abc");
}

}  // namespace
}  // namespace nacre::definition
