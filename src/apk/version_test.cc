#include "apk/version.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace nacre::apk {
namespace {

char sign_of(std::weak_ordering order) { return order < 0 ? '<' : order > 0 ? '>' : '='; }

TEST(Versions, AreOrderedAsTheFieldHasThem) {
  const std::vector<std::string> rising = {"1.0_alpha1", "1.0_rc1", "1.0",  "1.0-r0",
                                           "1.0_p1",     "1.0_p10", "1.0a", "1.0.1"};
  for (std::size_t i = 0; i + 1 < rising.size(); ++i)
    EXPECT_EQ(sign_of(compare_versions(rising[i], rising[i + 1])), '<') << rising[i] << " " << rising[i + 1];
  EXPECT_TRUE(fuzzy_match("3.6_pre1", "3.6"));
  EXPECT_FALSE(fuzzy_match("3.8", "3.8.1"));
  EXPECT_EQ(full_version("1.2", 3), "1.2-r3");
}

/// Every comparison that apk-tools' own answers were recorded for.
TEST(Versions, AgreeWithApkTools) {
  const char* shared = std::getenv("NACRE_SHARED");
  const std::string folder = shared != nullptr ? shared : NACRE_SOURCE_DIR "/../shared";
  std::ifstream file(folder + "/oracle/apk-versions.tsv");
  if (!file) GTEST_SKIP() << "no recorded answers";
  int rows = 0;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = split_words(line);
    if (words.size() == 3) {
      const std::string& op = words[1];
      const bool negated = op.starts_with('!');
      const char last = op.back();
      bool holds = false;
      if (op.find('~') != std::string::npos) {
        holds = fuzzy_match(words[0], words[2]);
        if (op.starts_with('<')) holds |= compare_versions(words[0], words[2]) < 0;
        if (op.starts_with('>')) holds |= compare_versions(words[0], words[2]) > 0;
      } else {
        holds = sign_of(compare_versions(words[0], words[2])) == last;
      }
      EXPECT_NE(holds, negated) << line;
    } else if (words.size() == 1) {
      const bool invalid = words[0].starts_with('!');
      EXPECT_NE(is_valid_version(words[0].substr(invalid ? 1 : 0)), invalid) << line;
    } else {
      continue;
    }
    ++rows;
  }
  EXPECT_GT(rows, 400);
}

}  // namespace
}  // namespace nacre::apk
