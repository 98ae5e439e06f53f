#include "image/reasons.h"

#include <gtest/gtest.h>

#include "image/base.h"

namespace nacre::image {
namespace {

std::vector<PackageContents> installed(std::string_view text) {
  auto packages = parse_database(text, "installed");
  EXPECT_TRUE(packages) << packages.error().render();
  return packages ? *std::move(packages) : std::vector<PackageContents>{};
}

constexpr std::string_view kInstalled =
    "P:web\nV:2-r0\nA:x\nD:so:libz.so.1 tool>=1\n\n"
    "P:zlib\nV:1.3-r0\nA:x\np:so:libz.so.1=1.3 cmd:minigzip\n\n"
    "P:tool\nV:1-r0\nA:x\n\n"
    "P:tool-doc\nV:1-r0\nA:x\ni:tool=1-r0 docs\n\n"
    "P:docs\nV:1-r0\nA:x\n\n"
    "P:stray\nV:1-r0\nA:x\ni:tool absent\n\n";

std::string told(const Reasons& reasons, const std::string& name) {
  const auto chain = reasons.chain(name);
  if (!chain) return chain.error().render();
  std::string out;
  for (const Step& step : *chain) out += render(step) + "\n";
  return out;
}

TEST(Reasons, AChainGoesFromAWordOverProvides) {
  const Reasons reasons(installed(kInstalled), {{"web", {"web.yaml", 5, 7}}, {"docs", {}}});
  EXPECT_EQ(told(reasons, "zlib"),
            "'web' is asked for (web.yaml:5): that is web=2-r0\n"
            "web=2-r0 needs 'so:libz.so.1': zlib=1.3-r0 provides it as 'so:libz.so.1=1.3'\n");
  EXPECT_EQ(told(reasons, "web"), "'web' is asked for (web.yaml:5): that is web=2-r0\n");
}

TEST(Reasons, WhatComesByItselfNamesItsCondition) {
  const Reasons reasons(installed(kInstalled), {{"web", {}}, {"docs", {}}});
  EXPECT_EQ(told(reasons, "tool-doc"),
            "'docs' is asked for: that is docs=1-r0\n"
            "tool-doc=1-r0 comes by itself where 'docs' is (install_if), and docs=1-r0 is there\n");
  EXPECT_EQ(reasons.links_to("tool-doc").size(), 2u) << "both conditions are links";
  EXPECT_EQ(told(reasons, "stray"), "") << "a condition that is not met brings nothing";
}

TEST(Reasons, WithoutWordsWhatNothingNeedsWasAskedFor) {
  const Reasons reasons(installed(kInstalled), {});
  EXPECT_EQ(told(reasons, "tool"),
            "'web' is asked for: that is web=2-r0\nweb=2-r0 needs 'tool>=1': that is tool=1-r0\n");
}

TEST(Reasons, AnAbsentNameGetsTheNearestOne) {
  const Reasons reasons(installed(kInstalled), {});
  EXPECT_NE(told(reasons, "zlob").find("zlib"), std::string::npos) << told(reasons, "zlob");
  EXPECT_NE(told(reasons, "cmd:minigzip").find("zlib=1.3-r0 provides it"), std::string::npos);
}

TEST(Reasons, ACircleEnds) {
  const Reasons reasons(installed("P:a\nV:1\nA:x\nD:b\n\nP:b\nV:1\nA:x\nD:a\n\n"), {{"a", {}}});
  EXPECT_EQ(reasons.chain("b")->size(), 2u);
  EXPECT_TRUE(Reasons(installed("P:a\nV:1\nA:x\nD:b\n\nP:b\nV:1\nA:x\nD:a\n\n"), {}).chain("a")->empty());
}

}  // namespace
}  // namespace nacre::image
