#include "cli/delta_history.h"

#include <gtest/gtest.h>

namespace nacre::cli {
namespace {

DeltaRow row() {
  DeltaRow out;
  out.delta.package = "tool";
  out.delta.version = "1.0";
  out.delta.source_kind = "upstream";
  watch::AppliedPatch patch;
  patch.name = patch.file = "a.patch";
  patch.count = {1, 2, 3};
  patch.carried_since = 86400;
  out.delta.patches = {patch};
  out.delta.tree = watch::TreeDelta{.files = {{"x<y>", 'm', 2, 3, false}}, .until = "step 3", .source_files = 7};
  out.over = {"1 patches, at most 0"};
  return out;
}

DeltaPoint point(std::uint64_t serial, bool known, std::size_t patches) {
  DeltaPoint out;
  out.serial = serial;
  out.known = known;
  out.totals.patches = patches;
  return out;
}

TEST(DeltaReport, SaysWhatMakesUpADelta) {
  EXPECT_EQ(render_details(row(), 3 * 86400),
            "\ntool 1.0\n"
            "  patch     a.patch  +2 -3 in 1 hunks, not said, 2 days\n"
            "  tree      1 of 7 files before step 3\n"
            "            m x<y>  +2 -3\n");
  const std::string table = render_table({row()}, 0);
  EXPECT_NE(table.find("    over its budget: 1 patches, at most 0\n"
                       "1 definitions, 1 that change their source: 1 patches of 5 lines in 1 hunks, "),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("; 1 files and 5 lines changed by preparation (1 of 1 trees compared)\n"), std::string::npos);
}

TEST(DeltaReport, TotalsComeBackFromJson) {
  const watch::DeltaTotals totals = watch::sum({row().delta});
  const watch::DeltaTotals back = totals_from_json(to_json(totals));
  EXPECT_EQ(codec::to_json(to_json(back)), codec::to_json(to_json(totals)));
  EXPECT_EQ(back.tree_lines, 5u);
}

TEST(DeltaPage, DrawsStepsAndLeavesGaps) {
  const std::string page =
      delta_page({row()}, {point(1, true, 4), point(2, true, 2), point(3, false, 0), point(4, true, 0)}, 0);
  // 280 wide in four steps of 70; 94 high for four patches.
  EXPECT_NE(page.find("<path d=\"M34.0 8.0H104.0V55.0H174.0M244.0 102.0H314.0\""), std::string::npos) << page;
  EXPECT_NE(page.find("<title>serial 2: 2</title>"), std::string::npos);
  EXPECT_NE(page.find("3 of 4 serials have them"), std::string::npos);
  EXPECT_NE(page.find("over its budget: 1 patches, at most 0"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace nacre::cli
