#include "watch/budget.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "os/file.h"

namespace nacre::watch {
namespace {

constexpr std::int64_t kDay = 86400, kNow = 2000 * kDay;

Delta heavy() {
  Delta out;
  AppliedPatch old, fresh;
  old.name = "old.patch";
  old.count = {2, 10, 5};
  old.carried_since = kNow - 400 * kDay;
  fresh.name = "new.patch";
  fresh.count = {1, 1, 0};
  out.patches = {old, fresh};
  out.picks.resize(3);
  out.edits.resize(2);
  out.edits.back().of_output = true;
  out.bumps = {{"go/bump", {{"deps", "a"}, {"deps", "b"}}, {}}};
  out.switches.resize(2);
  out.switches[0].verdict = Switch::Verdict::kDiffers;
  out.dead_patches = {"x.patch"};
  out.repacked_sources = 1;
  out.tree = TreeDelta{.files = {{"a", 'm', 3, 1, false}, {"b", 'a', 7, 0, false}}, .until = "", .source_files = 9};
  return out;
}

TEST(Budget, NamesWhatIsOver) {
  const auto over = [](const Budget& budget) { return join(judge_delta(heavy(), budget, kNow), "; "); };
  EXPECT_EQ(over({}), "");
  Budget none;
  none.patches = none.hunks = none.patch_lines = none.patch_age_days = none.picks = none.edits = none.bump_entries =
      none.switches = none.dead_patches = none.repacked_sources = none.tree_files = none.tree_lines = 0;
  EXPECT_EQ(
      over(none),
      "2 patches, at most 0; 3 hunks, at most 0; 16 lines in patches, at most 0; 400 days that 'old.patch' is "
      "carried, at most 0; 3 cherry-picks, at most 0; 1 edits in place, at most 0; 2 dependencies bumped, at most "
      "0; 1 switches that differ from upstream's defaults, at most 0; 1 dead patches, at most 0; 1 repacked "
      "sources, at most 0; 2 files changed by preparation, at most 0; 11 lines changed by preparation, at most 0");
  Budget exact;
  exact.patches = 2;
  exact.patch_age_days = 400;
  exact.tree_lines = 11;
  EXPECT_EQ(over(exact), "");
}

TEST(Budget, OfAPackageStandsInTheDefaultsPlace) {
  const auto budgets = parse_budgets(
      "defaults: {patches: 1, picks: 0}\npackages:\n  a:\n    patches: 5\n    reason: it is old\n", "delta.yaml");
  ASSERT_TRUE(budgets) << budgets.error().render();
  EXPECT_EQ(budgets->of("a").patches, 5u);
  EXPECT_EQ(budgets->of("a").picks, 0u);
  EXPECT_EQ(budgets->of("a").reason, "it is old");
  EXPECT_EQ(budgets->of("b").patches, 1u);
  EXPECT_EQ(budgets->of("b").hunks, std::nullopt);
  EXPECT_TRUE(parse_budgets("", "delta.yaml"));
}

TEST(Budget, FaultsHavePlaces) {
  const auto fault = [](std::string_view text) {
    const auto budgets = parse_budgets(text, "d.yaml");
    return budgets ? std::string("read") : budgets.error().render();
  };
  EXPECT_EQ(fault("default: {}\n"), "d.yaml:1:1: unknown field 'default'\n  hint: did you mean 'defaults'?");
  EXPECT_EQ(fault("defaults: {patchs: 1}\n"), "d.yaml:1:12: unknown field 'patchs'\n  hint: did you mean 'patches'?");
  EXPECT_EQ(fault("defaults: {patches: few}\n"), "d.yaml:1:21: 'patches': expected a whole number, got 'few'");
  EXPECT_EQ(fault("defaults: {patches: -1}\n"), "d.yaml:1:21: 'patches': expected a whole number, got '-1'");
  EXPECT_EQ(fault("packages:\n  a: {patches: 1}\n"),
            "d.yaml:2:3: 'a' has limits of its own and no reason\n  hint: add `reason: …`");
  EXPECT_EQ(fault("[]\n"), "d.yaml:1:1: expected 'defaults' and 'packages'");
}

TEST(Budget, OfThisDistributionIsRead) {
  const auto text = os::read_file(os::Path(NACRE_SOURCE_DIR) / "os/delta.yaml");
  ASSERT_TRUE(text);
  const auto budgets = parse_budgets(*text, "os/delta.yaml");
  ASSERT_TRUE(budgets) << budgets.error().render();
  EXPECT_TRUE(budgets->defaults.patches);
}

}  // namespace
}  // namespace nacre::watch
