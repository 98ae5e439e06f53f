#include "cli/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace nacre::cli {
namespace {

plan::Plan diamond() {
  plan::Plan plan;
  for (const auto& [name, after] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"a", {}}, {"b", {"a"}}, {"c", {"a"}}, {"d", {"b", "c", "elsewhere"}}, {"e", {}}}) {
    plan::PlannedStep step;
    step.name = name;
    step.after = after;
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

TEST(Parallel, KeepsTheOrderThatThePlanAsksFor) {
  for (const unsigned jobs : {1u, 2u, 8u}) {
    std::mutex mutex;
    std::vector<std::string> begun, ended;
    std::atomic<int> running = 0, most = 0;
    const auto result = run_planned(diamond(), jobs, [&](const plan::PlannedStep& step, std::size_t) -> Result<> {
      most = std::max(most.load(), ++running);
      {
        const std::lock_guard lock(mutex);
        begun.push_back(step.name);
        for (const std::string& name : step.after)
          EXPECT_TRUE(name == "elsewhere" || std::find(ended.begin(), ended.end(), name) != ended.end())
              << name << " before " << step.name;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      --running;
      const std::lock_guard lock(mutex);
      ended.push_back(step.name);
      return {};
    });
    ASSERT_TRUE(result);
    EXPECT_EQ(ended.size(), 5u);
    EXPECT_LE(most, static_cast<int>(jobs));
    EXPECT_EQ(most > 1, jobs > 1);
    if (jobs == 1) {
      EXPECT_THAT(begun, testing::ElementsAre("a", "b", "c", "d", "e"));
    }
  }
}

TEST(Parallel, BeginsNothingAfterAFailure) {
  std::mutex mutex;
  std::vector<std::string> begun;
  const auto result = run_planned(diamond(), 2, [&](const plan::PlannedStep& step, std::size_t) -> Result<> {
    {
      const std::lock_guard lock(mutex);
      begun.push_back(step.name);
    }
    if (step.name == "a") return Error::make(ErrorKind::kInvalid, "no {}", step.name);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().render(), "no a");
  EXPECT_THAT(begun, testing::Not(testing::Contains("b")));
}

TEST(Parallel, SeesWhatAStepComesAfter) {
  const auto seen = seen_by_each(diamond());
  EXPECT_THAT(seen.at("a"), testing::IsEmpty());
  EXPECT_THAT(seen.at("b"), testing::ElementsAre("a"));
  EXPECT_THAT(seen.at("d"), testing::ElementsAre("a", "b", "c", "elsewhere"));
  EXPECT_THAT(seen.at("e"), testing::IsEmpty());
}

}  // namespace
}  // namespace nacre::cli
