#include "advisory/version_order.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nacre::advisory {
namespace {

using Versions = std::vector<std::string>;

struct Row {
  VersionOrder order;
  Versions rising;  ///< Each less than all that follow.
};

class Orders : public testing::TestWithParam<Row> {};

TEST_P(Orders, PutVersionsInTheirEcosystemsOrder) {
  const auto& [order, rising] = GetParam();
  for (std::size_t i = 0; i < rising.size(); ++i)
    for (std::size_t j = 0; j < rising.size(); ++j) {
      const auto found = compare(order, rising[i], rising[j]);
      ASSERT_TRUE(found) << rising[i] << " and " << rising[j];
      EXPECT_EQ(*found, i <=> j) << rising[i] << " and " << rising[j];
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, Orders,
    testing::Values(
        // The order of semver.org, point 11.
        Row{VersionOrder::kSemver,
            {"0.0.1", "1.0.0-0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
             "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-0.20240102030405-0123456789ab", "1.0.1", "1.2.0", "1.10.0",
             "18446744073709551616.0.0"}},
        // The examples of PEP 440, "Summary of permitted suffixes and relative ordering".
        Row{VersionOrder::kPyPI,
            {"1.dev0",
             "1.0.dev456",
             "1.0a1",
             "1.0a2.dev456",
             "1.0a12.dev456",
             "1.0a12",
             "1.0b1.dev456",
             "1.0b2",
             "1.0b2.post345.dev456",
             "1.0b2.post345",
             "1.0rc1.dev456",
             "1.0rc1",
             "1.0",
             "1.0+abc.5",
             "1.0+abc.7",
             "1.0+5",
             "1.0.post456.dev34",
             "1.0.post456",
             "1.0.15",
             "1.1.dev1",
             "1!0.1"}},
        // Of Maven's own tests of ComparableVersion.
        Row{VersionOrder::kMaven, {"1-alpha2snapshot",
                                   "1-alpha2",
                                   "1-alpha-123",
                                   "1-beta-2",
                                   "1-beta123",
                                   "1-m2",
                                   "1-m11",
                                   "1-rc",
                                   "1-rc2",
                                   "1-rc123",
                                   "1-snapshot",
                                   "1",
                                   "1-sp",
                                   "1-sp2",
                                   "1-sp123",
                                   "1-abc",
                                   "1-def",
                                   "1-pom-1",
                                   "1-1-snapshot",
                                   "1-1",
                                   "1-2",
                                   "1-123"}},
        Row{VersionOrder::kMaven, {"2.0",    "2.0.a", "2-1",     "2.0.2", "2.0.123", "2.1.0", "2.1-a",  "2.1b",
                                   "2.1-c",  "2.1-1", "2.1.0.1", "2.2",   "2.123",   "11.a2", "11.a11", "11.b2",
                                   "11.b11", "11.m2", "11.m11",  "11",    "11.a",    "11b",   "11c",    "11m"}},
        Row{VersionOrder::kRubyGems,
            {"1.0.a", "1.0.b1", "1.0.b2", "1.0.rc1", "1.0", "1.0.1.pre", "1.0.1", "1.9", "1.10"}},
        Row{VersionOrder::kDebian,
            {"1.0~beta1~svn1245", "1.0~beta1", "1.0", "1.0-1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0a", "1.0+b",
             "1.0.1", "1:0.5"}},
        Row{VersionOrder::kApk, {"1.0_alpha1", "1.0_rc2", "1.0", "1.0-r1", "1.0-r10", "1.0_p1", "1.0.1", "1.10"}}));

TEST(Orders, SayWhatIsEqual) {
  struct Pair {
    VersionOrder order;
    const char *a, *b;
  };
  for (const Pair& row :
       {Pair{VersionOrder::kSemver, "v1.2.3", "1.2.3+incompatible"}, Pair{VersionOrder::kSemver, "1", "1.0.0"},
        Pair{VersionOrder::kPyPI, "1.0", "1.0.0"}, Pair{VersionOrder::kPyPI, "1.0-ALPHA.1", "v1.0a1"},
        Pair{VersionOrder::kPyPI, "1.0-1", "1.0.post1"}, Pair{VersionOrder::kMaven, "1", "1.0.0-ga"},
        Pair{VersionOrder::kMaven, "1a1", "1-alpha-1"}, Pair{VersionOrder::kMaven, "1.x", "1.0.0-x"},
        Pair{VersionOrder::kRubyGems, "1.0", "1.0.0"}, Pair{VersionOrder::kRubyGems, "1.0-2", "1.0.pre.2"},
        Pair{VersionOrder::kDebian, "0:1.0", "1.00"}}) {
    const auto found = compare(row.order, row.a, row.b);
    ASSERT_TRUE(found) << row.a << " and " << row.b;
    EXPECT_TRUE(*found == 0) << row.a << " and " << row.b;
  }
}

TEST(Orders, SayNothingOfWhatIsNoVersion) {
  EXPECT_FALSE(compare(VersionOrder::kUnknown, "1", "2"));
  for (const auto& [order, bad] :
       std::vector<std::pair<VersionOrder, std::string>>{{VersionOrder::kSemver, "(devel)"},
                                                         {VersionOrder::kSemver, ""},
                                                         {VersionOrder::kSemver, "1.2.3.4"},
                                                         {VersionOrder::kSemver, "1.0.0-a..b"},
                                                         {VersionOrder::kPyPI, "2004d-final"},
                                                         {VersionOrder::kPyPI, "1.0+"},
                                                         {VersionOrder::kRubyGems, "latest"},
                                                         {VersionOrder::kRubyGems, "1..2"},
                                                         {VersionOrder::kDebian, "x:1"},
                                                         {VersionOrder::kDebian, "1 2"},
                                                         {VersionOrder::kApk, "v1"}})
    EXPECT_FALSE(compare(order, bad, "1.0")) << bad;
}

TEST(Orders, AreKnownByEcosystem) {
  EXPECT_EQ(order_of_ecosystem("Debian:12"), VersionOrder::kDebian);
  EXPECT_EQ(order_of_ecosystem("Alpine:v3.20"), VersionOrder::kApk);
  EXPECT_EQ(order_of_ecosystem(kCratesEcosystem), VersionOrder::kSemver);
  EXPECT_EQ(order_of_ecosystem("Rocky Linux:9"), VersionOrder::kUnknown);
  EXPECT_EQ(normal_python_name("Zope._Interface"), "zope-interface");
}

}  // namespace
}  // namespace nacre::advisory
