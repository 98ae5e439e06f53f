#include "farm/run.h"

#include "base/events.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

/// Steps that go well but where a test says otherwise.
class FakeSteps final : public Steps {
 public:
  explicit FakeSteps(Ledger& ledger) : ledger_(ledger) {}
  Result<int> look(std::stop_token) override {
    ++looks;
    if (looks == 1) {
      Change change;
      change.package = "zlib";
      change.to = "1.1";
      (void)ledger_.add(change);
    }
    if (on_look) on_look();
    if (!look_fault.empty()) return Error::make(ErrorKind::kInvalid, "{}", look_fault);
    return looks == 1 ? 1 : 0;
  }
  Result<std::int64_t> next_look() override { return INT64_MAX; }
  Result<StepOutcome> advance(Change& change, Stage stage, std::stop_token) override {
    if (stage == failing && left-- > 0) return Error::make(ErrorKind::kUnavailable, "no answer");
    if (stage == Stage::kPublished) change.serial = 1;
    return StepOutcome{StepOutcome::Way::kOn, {}, "well"};
  }
  Result<> settle(const Change&) override { return {}; }

  std::string look_fault;
  std::function<void()> on_look;
  Stage failing = Stage::kSeen;
  int left = 0, looks = 0;

 private:
  Ledger& ledger_;
};

class RunTest : public testing::Test {
 protected:
  os::TempDir dir_ = os::TempDir::create(testing::TempDir(), "run-").take();
  os::SystemProcesses processes_;
  os::FakeClock clock_{1'800'000'000};
  net::RecordedHttp http_;
  NoEvents events_;
  std::unique_ptr<store::Store> store_ = store::Store::open(dir_.path() / "home").take();
  std::stop_source stop_;
  Env env_{processes_, clock_, http_, *store_, events_, stop_.get_token()};
  std::unique_ptr<Ledger> ledger_ = Ledger::open("sqlite:" + (dir_.path() / "farm.db").string(), clock_).take();
  FakeSteps steps_{*ledger_};
};

TEST_F(RunTest, DoesAllThatIsDueThenEnds) {
  const RunReport report = run(*ledger_, steps_, {}, env_).take();
  EXPECT_EQ(report.done, 1);
  EXPECT_FALSE(report.look);
  EXPECT_EQ(ledger_->get(1).take().state, State::kDone);
}

TEST_F(RunTest, WhatCannotBeLookedAtStopsNothingElse) {
  steps_.look_fault = "packages/broken.yaml:1:1: no definition";
  const RunReport report = run(*ledger_, steps_, {}, env_).take();
  EXPECT_EQ(report.done, 1) << "the change that was found goes on";
  ASSERT_TRUE(report.look);
  EXPECT_EQ(report.look->render(), "packages/broken.yaml:1:1: no definition");
  EXPECT_EQ(report.look->kind(), ErrorKind::kInvalid);
}

TEST_F(RunTest, AServiceOutlivesAClockThatIsSetBack) {
  steps_.failing = Stage::kFetched;
  steps_.left = 1;
  RunOptions options;
  options.until = RunOptions::Until::kStopped;
  steps_.on_look = [&] {
    if (steps_.looks == 2) clock_.sleep(-365.0 * 86400);  // the change waits for a time that is a year ahead now
    if (steps_.looks > 50 || ledger_->get(1).take().state == State::kDone) stop_.request_stop();
  };
  const RunReport report = run(*ledger_, steps_, options, env_).take();
  EXPECT_EQ(report.done, 1);
  EXPECT_LE(steps_.looks, 50);
}

}  // namespace
}  // namespace nacre::farm
