#include "farm/policy.h"

#include "farm/schedule.h"
#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

Result<Policy> read(const std::string& text) {
  const codec::YamlTree tree = TRY(codec::parse_yaml(text, "farm.yaml"));
  return read_policy(tree);
}

TEST(Policy, ReadsAllAndHasDefaults) {
  EXPECT_EQ(read("").take().watch.every_seconds, 3600);
  const Policy policy = read(R"(watch:
  packages:
    openssl: {every: 10m}
    nginx: {cooldown: 2d}
  every: 2h
  cooldown: 1w
merge:
  default: approve
  packages: {tzdata: automatic}
channels:
  stable: {soak: 90s}
registry: registry.example:5000/nacre
logs: {keep: 4w}
rebuild: {postpone: 30d}
gates: {anything: 1}
)")
                            .take();
  EXPECT_EQ(policy.watch_for("openssl").every_seconds, 600);
  EXPECT_EQ(policy.watch_for("openssl").cooldown_seconds, 7 * 86400) << "from the general rule";
  EXPECT_EQ(policy.watch_for("nginx").every_seconds, 7200);
  EXPECT_EQ(policy.watch_for("nginx").cooldown_seconds, 2 * 86400);
  EXPECT_EQ(policy.watch_for("zlib").every_seconds, 7200);
  EXPECT_EQ(policy.merge_for("tzdata"), Merge::kAutomatic);
  EXPECT_EQ(policy.merge_for("zlib"), Merge::kApprove);
  EXPECT_EQ(policy.stable_soak_seconds, 90);
  EXPECT_EQ(policy.keep_logs_seconds, 28 * 86400);
  EXPECT_EQ(policy.postpone_seconds, 30 * 86400);
  EXPECT_EQ(policy.registry, "registry.example:5000/nacre");
}

TEST(Policy, NamesFaultsByPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"wach: {}",
       "farm.yaml:1:1: unknown key 'wach' in farm.yaml; there are channels, gates, logs, merge, rebuild, registry, "
       "watch\n"
       "  hint: did you mean 'watch'?"},
      {"watch:\n  every: 5", "farm.yaml:2:10: expected a duration such as 90s, 30m, 1h, 3d or 2w, got '5'"},
      {"watch: {every: 99999w}", "farm.yaml:1:16: expected a duration such as 90s, 30m, 1h, 3d or 2w, got '99999w'"},
      {"watch: [1]", "farm.yaml:1:8: expected watch as keys and values"},
      {"merge:\n  packages:\n    glibc: aprove", "farm.yaml:3:12: expected automatic or approve, got 'aprove'"},
      {"watch:\n  packages:\n    x: {packages: {}}",
       "farm.yaml:3:9: unknown key 'packages' in watch; there are cooldown, every"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(read(text).error().render(), message);
}

class ScheduleTest : public testing::Test {
 protected:
  os::TempDir dir_ = os::TempDir::create(testing::TempDir(), "schedule-").take();
  std::unique_ptr<store::Database> database_ =
      store::Database::open("sqlite:" + (dir_.path() / "x.db").string()).take();
  os::FakeClock clock_{1'800'000'000};
  Schedule schedule_ = Schedule::open(*database_, clock_).take();
  std::vector<std::string> due() {
    std::vector<std::string> out;
    for (const Watched& each : schedule_.due(both_).take()) out.push_back(each.definition);
    return out;
  }
  WatchRule rule_;
  std::vector<Watched> both_ = {{"xz", rule_}, {"zlib", rule_}};
};

TEST_F(ScheduleTest, AsksEachInItsTime) {
  EXPECT_THAT(due(), testing::ElementsAre("xz", "zlib"));
  EXPECT_EQ(schedule_.next_due(both_).take(), 0);
  ASSERT_TRUE(schedule_.answered("xz", "5.8", "", rule_));
  EXPECT_THAT(due(), testing::ElementsAre("zlib"));
  ASSERT_TRUE(schedule_.answered("zlib", "1.3", "", rule_));
  EXPECT_TRUE(due().empty());
  const std::int64_t next = schedule_.next_due(both_).take() - clock_.now_seconds();
  EXPECT_GE(next, 3600);
  EXPECT_LE(next, 3600 + 360);
  both_[0].rule.every_seconds = 0;
  EXPECT_THAT(due(), testing::ElementsAre("xz")) << "a rule that changed holds at once";
  clock_.sleep(3600 + 360);
  EXPECT_EQ(schedule_.due(both_).take().size(), 2u);
  clock_.sleep(-400.0 * 86400);
  EXPECT_EQ(schedule_.due(both_).take().size(), 2u) << "a clock that was set back stops nobody";
}

TEST_F(ScheduleTest, WhoDoesNotAnswerIsAskedLessOften) {
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(schedule_.failed("xz", "no answer", rule_));
    waits.push_back(schedule_.next_due({{"xz", rule_}}).take() - clock_.now_seconds());
    clock_.sleep(static_cast<double>(waits.back()));
  }
  EXPECT_TRUE(std::is_sorted(waits.begin(), waits.end()));
  EXPECT_LE(waits.back(), 86400 + 8640);
  EXPECT_EQ(schedule_.all().take()[0].failures, 8);
  EXPECT_EQ(schedule_.answered("xz", "5.8", "", rule_).take().failures, 0);
}

TEST_F(ScheduleTest, RemembersSinceWhenTheNewestIsKnown) {
  const std::int64_t first = clock_.now_seconds();
  EXPECT_EQ(schedule_.answered("xz", "5.8", "", rule_).take().newest_seen, first);
  clock_.sleep(100);
  EXPECT_EQ(schedule_.answered("xz", "5.8", "", rule_).take().newest_seen, first);
  EXPECT_EQ(schedule_.answered("xz", "5.9", "", rule_).take().newest_seen, first + 100);
}

TEST(Cooldown, CountsFromTheReleaseOrFromItsFirstSight) {
  WatchRule rule;
  EXPECT_EQ(cooldown_until(rule, 1000, 1000, 1000), 0);
  rule.cooldown_seconds = 100;
  EXPECT_EQ(cooldown_until(rule, 1000, 1050, 1060), 1100);
  EXPECT_EQ(cooldown_until(rule, 0, 1050, 1060), 1150);
  EXPECT_EQ(cooldown_until(rule, 9999, 1050, 1060), 1150) << "a date in the future is no date";
  EXPECT_EQ(cooldown_until(rule, 900, 1050, 1060), 0);
}

TEST(Cooldown, TakesTheNewestReleaseThatIsOldEnough) {
  WatchRule rule;
  const auto pick = [&](std::vector<std::int64_t> published) {
    const Pick out = pick_release(rule, published, 1050, 1060);
    return fmt::format("{} {}", out.index, out.not_before);
  };
  EXPECT_EQ(pick({1050, 900}), "0 0") << "no cooldown";
  rule.cooldown_seconds = 100;
  EXPECT_EQ(pick({950, 900}), "0 0");
  EXPECT_EQ(pick({1050, 1000, 960, 900}), "2 0");
  EXPECT_EQ(pick({0, 900}), "1 0");
  EXPECT_EQ(pick({1050, 0, 1000}), "0 1150") << "of one without a date nobody knows how old it is";
  EXPECT_EQ(pick({0}), "0 1150");
}

}  // namespace
}  // namespace nacre::farm
