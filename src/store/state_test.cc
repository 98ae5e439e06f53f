#include "store/state.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace nacre::store {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// SQLite in a directory of the test; Postgres where NACRE_TEST_POSTGRES names one (tests/flow/62_farm_postgres.sh).
struct StateTest : testing::TestWithParam<const char*> {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  os::Path file = folder.path() / "state.db";
  std::string shared;

  void SetUp() override {
    if (std::string_view(GetParam()) == "sqlite") return;
    const char* postgres = std::getenv("NACRE_TEST_POSTGRES");
    if (postgres == nullptr) GTEST_SKIP() << "NACRE_TEST_POSTGRES names no database";
    shared = postgres;
    ASSERT_TRUE(Database::open(shared).take()->run("drop", "DROP TABLE IF EXISTS records"));
  }

  std::unique_ptr<State> open() {
    auto state = State::open(file, shared);
    EXPECT_TRUE(state) << state.error().render();
    return std::move(state).take();
  }
};

/// Runs `work` in a child process; its exit status. Children must open the database themselves.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_P(StateTest, KeepsRecordsOverReopening) {
  {
    auto state = open();
    ASSERT_TRUE(state->put("head", "community", "{\"number\":1}"));
    ASSERT_TRUE(state->put("head", "community", "{\"number\":2}"));
    ASSERT_TRUE(state->put("head", "stage0", ""));
    ASSERT_TRUE(state->put("note", std::string("a\0b", 3), std::string("x\0y", 3)));
  }
  auto state = open();
  EXPECT_EQ(state->get("head", "community").take(), "{\"number\":2}");
  EXPECT_EQ(state->get("head", "stage0").take(), "");
  EXPECT_EQ(state->get("note", std::string("a\0b", 3)).take(), std::string("x\0y", 3));
  EXPECT_EQ(state->get("head", "production").take(), std::nullopt);
  EXPECT_EQ(state->get("heap", "community").take(), std::nullopt);
  ASSERT_TRUE(state->erase("head", "community"));
  ASSERT_TRUE(state->erase("head", "community"));
  EXPECT_EQ(state->get("head", "community").take(), std::nullopt);
}

TEST_P(StateTest, ListsByPrefixBytewise) {
  auto state = open();
  for (const char* key : {"b", "a/2", "a/10", "a", "A", "a\xff", "a0", "%", "a/%"})
    ASSERT_TRUE(state->put("k", key, key));
  ASSERT_TRUE(state->put("l", "a/3", "other kind"));
  EXPECT_EQ(state->list("k", "a/").take(),
            (Pairs{{"a/%", "a/%"}, {"a/10", "a/10"}, {"a/2", "a/2"}}));
  EXPECT_EQ(state->list("k", "a\xff").take(), (Pairs{{"a\xff", "a\xff"}}));
  EXPECT_EQ(state->list("k").take().size(), 9u);
  EXPECT_EQ(state->list("k").take().front().first, "%");
  EXPECT_EQ(state->list("nothing").take(), Pairs{});
}

TEST_P(StateTest, AnErrorRollsEverythingBack) {
  auto state = open();
  ASSERT_TRUE(state->put("k", "a", "old"));
  const Result<> outcome = state->transaction([&]() -> Result<> {
    TRY(state->put("k", "a", "new"));
    TRY(state->put("k", "b", "new"));
    EXPECT_EQ(state->get("k", "a").take(), "new");  // seen inside
    return Error::make(ErrorKind::kConflict, "changed our mind");
  });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().render(), "changed our mind");
  EXPECT_EQ(state->list("k").take(), (Pairs{{"a", "old"}}));
  ASSERT_TRUE(state->transaction([&] { return state->put("k", "a", "newer"); }));
  EXPECT_EQ(state->get("k", "a").take(), "newer");
}

TEST_P(StateTest, RefusesATransactionInATransaction) {
  auto state = open();
  const Result<> outcome = state->transaction(
      [&] { return state->transaction([]() -> Result<> { return {}; }); });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().render(), "a transaction began inside another one");
  EXPECT_TRUE(state->put("k", "a", "still works"));
}

TEST_P(StateTest, ACrashInATransactionLeavesTheOldState) {
  ASSERT_TRUE(open()->put("k", "a", "old"));
  const int code = in_child([&] {
    auto state = State::open(file, shared).take();
    (void)state->transaction([&]() -> Result<> {
      TRY(state->put("k", "a", "new"));
      ::_exit(42);
    });
    return 1;
  });
  EXPECT_EQ(code, 42);
  EXPECT_EQ(open()->get("k", "a").take(), "old");
}

TEST_P(StateTest, ManyProcessesAndThreadsCountWithoutLosingOne) {
  constexpr int kProcesses = 4, kThreads = 3, kRounds = 10;
  const auto count_up = [](State& state) {
    return state.transaction([&]() -> Result<> {
      const std::optional<std::string> now = TRY(state.get("count", "n"));
      return state.put("count", "n", std::to_string(now ? std::stoi(*now) + 1 : 1));
    });
  };
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    auto state = State::open(file, shared);  // all at once: neither file nor table exists yet
    if (!state) {
      std::fprintf(stderr, "%s\n", state.error().render().c_str());
      ::_exit(1);
    }
    std::atomic<int> failures = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&] {
        for (int round = 0; round < kRounds; ++round)
          if (!count_up(**state)) ++failures;
      });
    threads.clear();
    ::_exit(failures == 0 ? 0 : 2);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(open()->get("count", "n").take(), std::to_string(kProcesses * kThreads * kRounds));
}

TEST(StateFile, SaysWhatIsWrongWithIt) {
  const os::TempDir folder = os::TempDir::create("/tmp").take();
  const os::Path file = folder.path() / "state.db";
  std::ofstream(file) << std::string(4096, 'x');
  auto state = State::open(file);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(state.error().render(),
            "cannot open the state: '" + file.string() +
                "' is not a sound SQLite database (file is not a database)\n"
                "  hint: restore it from a copy; blobs and trees beside it are not affected");
  auto nowhere = State::open(folder.path() / "no" / "state.db");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind(), ErrorKind::kDenied);
}

TEST_P(StateTest, KeepsAnyBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  auto state = open();
  ASSERT_TRUE(state->put("note", all, all + all));
  EXPECT_EQ(state->get("note", all).take(), all + all);
  EXPECT_EQ(state->list("note", all.substr(0, 3)).take(), (Pairs{{all, all + all}}));
  EXPECT_EQ(state->list("note", "\xff").take(), Pairs{});
}

TEST_P(StateTest, WhoClaimsFirstHasIt) {
  auto one = open(), two = open();
  EXPECT_EQ(one->claim("owner", "id", "one").take(), "one");
  EXPECT_EQ(two->claim("owner", "id", "two").take(), "one");
  EXPECT_EQ(one->claim("owner", "id", "three").take(), "one");
}

TEST_P(StateTest, AWriteWaitsForATransactionThatExcludesIt) {
  auto mine = open(), other = open();
  ASSERT_TRUE(mine->put("count", "n", "0"));
  std::atomic<bool> began = false;
  std::thread writer;
  ASSERT_TRUE(mine->transaction([&]() -> Result<> {
    const std::string before = TRY(mine->get("count", "n")).value();
    writer = std::thread([&] {
      began = true;
      EXPECT_TRUE(other->put("count", "n", "written after"));
    });
    while (!began) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(mine->get("count", "n").take(), before);
    return mine->put("count", "n", "written first");
  }));
  writer.join();
  EXPECT_EQ(mine->get("count", "n").take(), "written after");
}

TEST_P(StateTest, WhatIsDeferredIsSeenAndThenWritten) {
  auto state = open(), other = open();
  ASSERT_TRUE(state->put("image", "a", "old"));
  {
    State::Deferred deferred(*state);
    ASSERT_TRUE(state->put("image", "a", "new"));
    ASSERT_TRUE(state->put("layer", "b", "local"));
    EXPECT_EQ(state->get("image", "a").take(), "new");
    EXPECT_EQ(other->get("image", "a").take(), "old");
    ASSERT_TRUE(deferred.finish());
  }
  EXPECT_EQ(other->get("image", "a").take(), "new");
  EXPECT_EQ(other->get("layer", "b").take(), "local");
}

TEST_P(StateTest, WhatSpeaksOfOneMachineStaysThere) {
  const os::TempDir elsewhere = os::TempDir::create("/tmp").take();
  auto here = open();
  auto there = State::open(elsewhere.path() / "state.db", shared).take();
  for (const char* kind : {"head", "failed"}) ASSERT_TRUE(here->put(kind, "k", "value"));
  EXPECT_EQ(here->get("failed", "k").take(), "value");
  EXPECT_EQ(there->get("failed", "k").take(), std::nullopt);
  EXPECT_EQ(there->get("head", "k").take(), here->is_shared() ? std::optional<std::string>("value") : std::nullopt);
}

TEST_P(StateTest, NothingIsSharedBeforeWhatItNamesIs) {
  auto state = open();
  if (!state->is_shared()) GTEST_SKIP() << "this state is nobody else's";
  int asked = 0;
  bool ready = false;
  state->before_sharing([&]() -> Result<> {
    ++asked;
    return ready ? Result<>{} : Error::make(ErrorKind::kUnavailable, "the bucket is away");
  });
  EXPECT_EQ(state->put("head", "k", "1").error().render(), "the bucket is away");
  EXPECT_FALSE(state->transaction([&] { return state->put("head", "k", "1"); }));
  {
    State::Deferred deferred(*state);
    ASSERT_TRUE(state->put("head", "k", "1"));
    EXPECT_FALSE(deferred.finish());
    ASSERT_TRUE(state->put("layer", "k", "1"));
  }
  EXPECT_EQ(state->get("layer", "k").take(), "1");
  EXPECT_EQ(state->get("head", "k").take(), std::nullopt) << "half visible";
  ready = true;
  ASSERT_TRUE(state->put("head", "k", "2"));
  EXPECT_EQ(state->get("head", "k").take(), "2");
  EXPECT_GE(asked, 4);
}

INSTANTIATE_TEST_SUITE_P(Both, StateTest, testing::Values("sqlite", "postgres"),
                         [](const auto& one) { return std::string(one.param); });

TEST(StateText, KeepsOrderAndPrefixes) {
  const std::string samples[] = {"",     std::string(1, '\0'), "\x01", "\x01\x01", "\x02", "a", "a\x7f", "a\x80",
                                 "a\xbf", "a\xc0",             "a\xff", "b",        "é"};
  for (const std::string& a : samples) {
    EXPECT_EQ(from_database_text(to_database_text(a)), a);
    EXPECT_EQ(to_database_text(a).find('\0'), std::string::npos);
    for (const std::string& b : samples) {
      EXPECT_EQ(a < b, to_database_text(a) < to_database_text(b)) << a << " and " << b;
      EXPECT_EQ(b.starts_with(a), to_database_text(b).starts_with(to_database_text(a)));
    }
  }
  EXPECT_EQ(to_database_text("{\"number\":1}"), "{\"number\":1}");
}

TEST(StateAddress, OnlyPostgresIsShared) {
  const os::TempDir folder = os::TempDir::create("/tmp").take();
  const auto wrong = State::open(folder.path() / "state.db", "mysql://root:secret@host/x");
  EXPECT_EQ(wrong.error().render(),
            "expected the address of a shared state as postgres://…, got 'mysql'\n"
            "  hint: set NACRE_STATE to a Postgres URL, or leave it unset: the state is then a file in NACRE_HOME");
  for (const char* url : {"postgres://me:se/cret@127.0.0.1:1/x", "postgres://me:secret@127.0.0.1:1/x?nonsense=1",
                          "postgres://me:secret%zz@127.0.0.1/x", "postgres://me:s3cret:99999@127.0.0.1:99999/x"}) {
    const auto fault = State::open(folder.path() / "state.db", url);
    ASSERT_FALSE(fault);
    for (const char* secret : {"secret", "s3cret", "cret"})
      EXPECT_EQ(fault.error().render().find(secret), std::string::npos) << fault.error().render();
  }
}

}  // namespace
}  // namespace nacre::store
