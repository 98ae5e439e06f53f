#include "farm/ledger.h"

#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace nacre::farm {
namespace {

/// SQLite in a directory of the test; Postgres where NACRE_TEST_POSTGRES names one (tests/flow/62_farm_postgres.sh).
class LedgerTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* postgres = std::getenv("NACRE_TEST_POSTGRES");
    const bool is_postgres = std::string_view(GetParam()) == "postgres";
    if (is_postgres && postgres == nullptr) GTEST_SKIP() << "NACRE_TEST_POSTGRES names no database";
    dir_.emplace(os::TempDir::create(testing::TempDir(), "ledger-").take());
    url_ = is_postgres ? postgres : "sqlite:" + (dir_->path() / "farm.db").string();
    if (is_postgres) {
      auto database = store::Database::open(url_).take();
      for (const char* table : {"changes", "transitions", "counters", "notes"})
        ASSERT_TRUE(database->run("drop", fmt::format("DROP TABLE IF EXISTS {}", table)));
    }
    ledger_ = Ledger::open(url_, clock_).take();
  }

  Change release(const std::string& package, const std::string& to, Cause cause = Cause::kUpstream) {
    Change change;
    change.package = package;
    change.from = "1.0";
    change.to = to;
    change.cause = cause;
    return ledger_->add(change).take().value();
  }
  std::string states() {
    std::string out;
    for (const Change& change : ledger_->list(Ledger::Which::kAll).take())
      out += fmt::format("{} {} {} {}\n", change.package, change.to, name_of(change.stage), name_of(change.state));
    return out;
  }

  std::optional<os::TempDir> dir_;
  std::string url_;
  os::FakeClock clock_{1'800'000'000};
  std::unique_ptr<Ledger> ledger_;
};

TEST_P(LedgerTest, AChangeGoesThroughAllStagesOnce) {
  release("zlib", "1.1");
  for (const Stage stage : kStages) {
    if (stage == Stage::kSeen) continue;
    Change change = ledger_->claim("here:1:1").take().value();
    EXPECT_EQ(next_of(change.stage), stage);
    EXPECT_EQ(ledger_->claim("here:2:1").take(), std::nullopt) << "two workers have one change";
    if (stage == Stage::kProposed) change.branch = "farm/1-zlib-1.1";
    if (stage == Stage::kPublished) change.serial = 7;
    clock_.sleep(1.5);
    ASSERT_TRUE(ledger_->complete(change, stage, "went well", 1.5));
  }
  const Change done = ledger_->get(1).take();
  EXPECT_EQ(done.state, State::kDone);
  EXPECT_EQ(done.branch, "farm/1-zlib-1.1");
  EXPECT_EQ(done.serial, 7u);
  const std::vector<Transition> history = ledger_->history(1).take();
  EXPECT_EQ(history.size(), kStages.size());
  EXPECT_EQ(history.front().note, "1.0 -> 1.1");
  EXPECT_EQ(history.back().stage, Stage::kPromoted);
  EXPECT_DOUBLE_EQ(history.back().seconds, 1.5);
  EXPECT_EQ(ledger_->recent(1).take().front().stage, Stage::kPromoted);
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  EXPECT_EQ(ledger_->next_due().take(), std::nullopt);
}

TEST_P(LedgerTest, TheMostUrgentFirst) {
  release("slow", "1.1", Cause::kRebuild);
  release("news", "1.1", Cause::kUpstream);
  release("hole", "1.1", Cause::kSecurity);
  release("hand", "1.1", Cause::kHand);
  std::vector<std::string> order;
  while (const auto change = ledger_->claim("here:1:1").take()) order.push_back(change->package);
  EXPECT_THAT(order, testing::ElementsAre("hole", "hand", "news", "slow"));
}

TEST_P(LedgerTest, OneReleaseIsOneChangeAndANewerOneTakesItsPlace) {
  release("zlib", "1.1");
  Change again;
  again.package = "zlib";
  again.to = "1.1";
  EXPECT_EQ(ledger_->add(again).take(), std::nullopt);
  release("zlib", "1.2");
  EXPECT_EQ(states(), "zlib 1.1 seen superseded\nzlib 1.2 seen ready\n");
  const Change running = ledger_->claim("here:1:1").take().value();
  release("zlib", "1.3");  // what runs goes on
  EXPECT_EQ(states(), "zlib 1.1 seen superseded\nzlib 1.2 seen running\nzlib 1.3 seen ready\n");
  const Error broken = Error::make(ErrorKind::kInvalid, "does not compile");
  EXPECT_EQ(ledger_->fail(running, broken, "", 2).take(), State::kRed);
  Change red = again;
  red.to = "1.2";
  EXPECT_EQ(ledger_->add(red).take(), std::nullopt) << "what turned red is not tried again by itself";
}

TEST_P(LedgerTest, ReleasesThatComeFasterThanTheirCooldownAreTaken) {
  const auto waiting = [&](const std::string& to, std::int64_t days) {
    Change change;
    change.package = "zlib";
    change.to = to;
    change.not_before = clock_.now_seconds() + days * 86400;
    return ledger_->add(change).take().value();
  };
  waiting("1.1", 3);
  clock_.sleep(86400);
  waiting("1.2", 3);
  EXPECT_EQ(states(), "zlib 1.1 seen ready\nzlib 1.2 seen ready\n") << "the older one goes in its time";
  clock_.sleep(2.0 * 86400);
  const Change first = ledger_->claim("here:1:1").take().value();
  EXPECT_EQ(first.to, "1.1");
  ASSERT_TRUE(ledger_->fail(first, Error::make(ErrorKind::kInvalid, "does not compile"), "", 1));
  clock_.sleep(86400);
  EXPECT_EQ(ledger_->claim("here:1:1").take()->to, "1.2");
  EXPECT_EQ(states(), "zlib 1.1 seen superseded\nzlib 1.2 seen running\n") << "it begins: what is older gives way";
}

TEST_P(LedgerTest, AReleaseBecomesUrgentWhenAVulnerabilityBecomesKnown) {
  Change change;
  change.package = "zlib";
  change.to = "1.1";
  change.not_before = clock_.now_seconds() + 86400;
  ASSERT_TRUE(ledger_->add(change).take());
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  change.cause = Cause::kSecurity;
  change.not_before = 0;
  EXPECT_EQ(ledger_->add(change).take(), std::nullopt) << "it is the same change";
  const Change claimed = ledger_->claim("here:1:1").take().value();
  EXPECT_EQ(claimed.cause, Cause::kSecurity);
  EXPECT_EQ(claimed.priority, priority_of(Cause::kSecurity));
  EXPECT_EQ(ledger_->history(1).take().back().note, "a matter of security now");
}

TEST_P(LedgerTest, ACommitIsTakenOnceMoreWhenMainCameBackToIt) {
  Change change;
  change.package = "words";
  change.commit = "abc";
  change.cause = Cause::kHand;
  ASSERT_TRUE(ledger_->add(change).take());
  EXPECT_EQ(ledger_->add(change, Ledger::Again::kYes).take(), std::nullopt) << "it is under way";
  ASSERT_TRUE(ledger_->cancel(1, "ann", ""));
  EXPECT_EQ(ledger_->add(change).take(), std::nullopt);
  EXPECT_TRUE(ledger_->add(change, Ledger::Again::kYes).take());
}

TEST_P(LedgerTest, WhatIsPointlessGivesWayAndWhatRunsDoesNot) {
  release("zlib", "1.1");
  EXPECT_TRUE(ledger_->supersede(1, "the branch is gone").take());
  EXPECT_FALSE(ledger_->supersede(1, "again").take());
  EXPECT_EQ(ledger_->history(1).take().back().note, "superseded: the branch is gone");
  release("xz", "2");
  ASSERT_TRUE(ledger_->claim("here:1:1").take());
  EXPECT_FALSE(ledger_->supersede(2, "x").take());
  EXPECT_EQ(states(), "zlib 1.1 seen superseded\nxz 2 seen running\n");
}

TEST_P(LedgerTest, WhatIsBeingPublishedIsNeitherCancelledNorHeld) {
  release("zlib", "1.1");
  for (const Stage stage : {Stage::kProposed, Stage::kFetched, Stage::kBuilt, Stage::kTested, Stage::kGated})
    ASSERT_TRUE(ledger_->complete(ledger_->claim("here:1:1").take().value(), stage, "", 0));
  ASSERT_TRUE(ledger_->claim("here:1:1").take());
  EXPECT_EQ(ledger_->cancel(1, "ann", "").error().render(),
            "change 1 (zlib) is being published, and cannot be cancelled\n"
            "  hint: try again when this step is over; `nacre farm status` says what runs");
  EXPECT_EQ(ledger_->hold(1, "ann").error().kind(), ErrorKind::kConflict);
  clock_.sleep(200);  // its worker is gone
  EXPECT_TRUE(ledger_->cancel(1, "ann", ""));
}

TEST_P(LedgerTest, WhatAClockThatWasAheadSetBeginsNow) {
  clock_.sleep(3650.0 * 86400);
  Change change;
  change.package = "zlib";
  change.to = "1.1";
  change.not_before = clock_.now_seconds() + 3600;
  ASSERT_TRUE(ledger_->add(change).take());
  clock_.sleep(-3650.0 * 86400);
  EXPECT_EQ(ledger_->recover([](const std::string&) { return false; }).take(), 0);
  EXPECT_EQ(ledger_->next_due().take(), clock_.now_seconds() + 3600) << "its cooldown is as long as it was";
  clock_.sleep(1800);
  EXPECT_EQ(ledger_->recover([](const std::string&) { return false; }).take(), 0);
  clock_.sleep(1800);
  EXPECT_TRUE(ledger_->claim("here:1:1").take()) << "and does not begin anew each time";
}

TEST_P(LedgerTest, TriesAgainByTheKindOfTheError) {
  release("zlib", "1.1");
  const RetryPolicy policy;
  for (int attempt = 1; attempt <= policy.attempts; ++attempt) {
    const Change change = ledger_->claim("here:1:1").take().value();
    const Error error = Error::make(ErrorKind::kUnavailable, "no answer");
    const State state = ledger_->fail(change, error, "", 1).take();
    EXPECT_EQ(state, attempt < policy.attempts ? State::kReady : State::kQuarantined);
    EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt) << "not before its time";
    clock_.sleep(static_cast<double>(wait_after(policy, attempt, 1)));
  }
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  ASSERT_TRUE(ledger_->retry(1, "ann"));
  EXPECT_TRUE(ledger_->claim("here:1:1").take());
}

TEST_P(LedgerTest, WaitsGrowAndAreBounded) {
  const RetryPolicy policy;
  EXPECT_GE(wait_after(policy, 1, 1), policy.first_wait_seconds);
  EXPECT_LE(wait_after(policy, 1, 1), policy.first_wait_seconds * 5 / 4);
  EXPECT_GE(wait_after(policy, 3, 1), policy.first_wait_seconds * 4);
  EXPECT_LE(wait_after(policy, 1000, 1), policy.longest_wait_seconds * 5 / 4);
  EXPECT_NE(wait_after(policy, 5, 1), wait_after(policy, 5, 2));
}

TEST_P(LedgerTest, WhoLostTheLeaseIsRefused) {
  release("zlib", "1.1");
  const Change slow = ledger_->claim("here:1:1").take().value();
  clock_.sleep(60);
  ASSERT_TRUE(ledger_->heartbeat(slow));
  clock_.sleep(100);
  EXPECT_EQ(ledger_->claim("there:2:2").take(), std::nullopt) << "its heartbeat made the lease longer";
  clock_.sleep(60);
  const Change other = ledger_->claim("there:2:2").take().value();
  EXPECT_EQ(ledger_->heartbeat(slow).error().kind(), ErrorKind::kConflict);
  const Result<> late = ledger_->complete(slow, Stage::kProposed, "", 1);
  EXPECT_EQ(late.error().render(), "change 1 (zlib) is no longer this worker's: it is running by there:2:2");
  EXPECT_FALSE(ledger_->fail(slow, Error::make(ErrorKind::kInvalid, "x"), "", 1));
  EXPECT_FALSE(ledger_->put_back(slow, Stage::kSeen, State::kReady, ""));
  EXPECT_TRUE(ledger_->complete(other, Stage::kProposed, "", 1));
}

TEST_P(LedgerTest, WhatPeopleSay) {
  release("zlib", "1.1");
  ASSERT_TRUE(ledger_->hold(1, "ann"));
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  EXPECT_EQ(ledger_->hold(1, "ann").error().render(), "change 1 (zlib) is held, and cannot be held");
  ASSERT_TRUE(ledger_->release(1, "ann"));
  Change change = ledger_->claim("here:1:1").take().value();
  ASSERT_TRUE(ledger_->hold(1, "bob")) << "also what runs";
  EXPECT_EQ(ledger_->complete(change, Stage::kProposed, "", 0).error().kind(), ErrorKind::kConflict);
  ASSERT_TRUE(ledger_->release(1, "bob"));
  change = ledger_->claim("here:1:1").take().value();
  ASSERT_TRUE(ledger_->put_back(change, Stage::kGated, State::kWaiting, "waits for approval"));
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  ASSERT_TRUE(ledger_->approve(1, "ann"));
  change = ledger_->claim("here:1:1").take().value();
  EXPECT_EQ(change.approved_by, "ann");
  EXPECT_EQ(change.stage, Stage::kGated);
  ASSERT_TRUE(ledger_->complete(change, Stage::kPublished, "", 0));
  EXPECT_EQ(ledger_->cancel(1, "ann", "").error().kind(), ErrorKind::kConflict);
  release("xz", "2");
  ASSERT_TRUE(ledger_->cancel(2, "ann", "no"));
  EXPECT_EQ(ledger_->retry(2, "ann").error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(ledger_->approve(9, "ann").error().kind(), ErrorKind::kNotFound);
  std::vector<std::string> said;
  for (const Transition& transition : ledger_->history(1).take())
    said.push_back(transition.who + ": " + transition.note);
  EXPECT_THAT(said, testing::Contains("ann: approved"));
  EXPECT_THAT(said, testing::Contains("bob: released"));
}

TEST_P(LedgerTest, PauseStopsClaims) {
  release("zlib", "1.1");
  ASSERT_TRUE(ledger_->pause(true, "ann"));
  EXPECT_EQ(ledger_->claim("here:1:1").take(), std::nullopt);
  EXPECT_TRUE(ledger_->paused().take());
  ASSERT_TRUE(ledger_->pause(false, "ann"));
  EXPECT_TRUE(ledger_->claim("here:1:1").take());
}

TEST_P(LedgerTest, RecoversFromDeadWorkersAndClocksThatJump) {
  release("zlib", "1.1");
  release("xz", "2");
  ASSERT_TRUE(ledger_->claim("here:1:1").take());
  EXPECT_EQ(ledger_->recover([](const std::string& owner) { return owner == "here:9:9"; }).take(), 0);
  EXPECT_EQ(ledger_->recover([](const std::string& owner) { return owner == "here:1:1"; }).take(), 1);
  Change change = ledger_->claim("here:2:2").take().value();
  EXPECT_EQ(change.package, "zlib");
  EXPECT_EQ(ledger_->fail(change, Error::make(ErrorKind::kUnavailable, "x"), "", 0).take(), State::kReady);
  ASSERT_TRUE(ledger_->claim("here:2:2").take());
  clock_.sleep(-365.0 * 86400);  // both a lease and a wait are a year ahead now
  EXPECT_EQ(ledger_->claim("here:3:3").take(), std::nullopt);
  EXPECT_EQ(ledger_->recover([](const std::string&) { return false; }).take(), 1);
  EXPECT_TRUE(ledger_->claim("here:3:3").take());
  EXPECT_TRUE(ledger_->claim("here:3:3").take());
}

/// Whatever workers and people do in whatever order: stages never go back but by put_back, nothing has two owners, and
/// a lease that was lost changes nothing.
TEST_P(LedgerTest, AnyOrderKeepsTheRules) {
  std::mt19937 random(7);
  const auto one_of = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (int i = 0; i < 6; ++i) release(fmt::format("p{}", i), "1.1");
  std::vector<Change> held;
  std::map<std::int64_t, Stage> reached;
  for (int step = 0; step < 600; ++step) {
    const std::size_t what = one_of(10);
    if (what < 4 || held.empty()) {
      if (auto change = ledger_->claim(fmt::format("w:{}:0", one_of(3))).take()) held.push_back(*change);
    } else if (what < 8) {
      const std::size_t which = one_of(held.size());
      const Change change = held[which];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      const Change now = ledger_->get(change.id).take();
      const bool mine = now.state == State::kRunning && now.token == change.token;
      const bool unlucky = one_of(4) == 0;
      const bool said = unlucky ? ledger_->fail(change, Error::make(ErrorKind::kUnavailable, "x"), "", 0).has_value()
                                : ledger_->complete(change, next_of(change.stage), "", 0).has_value();
      ASSERT_EQ(said, mine);
      if (mine && !unlucky) reached[change.id] = next_of(change.stage);
    } else if (what == 8) {
      clock_.sleep(static_cast<double>(one_of(200)));
    } else {
      const std::int64_t id = 1 + static_cast<std::int64_t>(one_of(6));
      if (!ledger_->hold(id, "ann")) (void)ledger_->release(id, "ann");
    }
    for (const Change& change : ledger_->list(Ledger::Which::kAll).take()) {
      ASSERT_EQ(change.stage, reached[change.id]);
      ASSERT_EQ(change.state == State::kRunning, !change.owner.empty());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, LedgerTest, testing::Values("sqlite", "postgres"),
                         [](const auto& one) { return std::string(one.param); });

TEST(Change, NamesReadBack) {
  for (const Stage stage : kStages) EXPECT_EQ(parse_stage(name_of(stage)).take(), stage);
  for (const State state : kStates) EXPECT_EQ(parse_state(name_of(state)).take(), state);
  EXPECT_EQ(
      parse_state("redy").error().render(),
      "'redy' is no state of a change; there are ready, running, waiting, held, red, quarantined, done, cancelled, "
      "superseded\n  hint: did you mean 'ready'?");
}

}  // namespace
}  // namespace nacre::farm
