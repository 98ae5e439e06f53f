#include "store/state.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace nacre::store {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct StateTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  os::Path file = folder.path() / "state.db";

  std::unique_ptr<State> open() {
    auto state = State::open(file);
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

TEST_F(StateTest, KeepsRecordsOverReopening) {
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

TEST_F(StateTest, ListsByPrefixBytewise) {
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

TEST_F(StateTest, AnErrorRollsEverythingBack) {
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

TEST_F(StateTest, RefusesATransactionInATransaction) {
  auto state = open();
  const Result<> outcome = state->transaction(
      [&] { return state->transaction([]() -> Result<> { return {}; }); });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().render(), "a transaction began inside another one");
  EXPECT_TRUE(state->put("k", "a", "still works"));
}

TEST_F(StateTest, ACrashInATransactionLeavesTheOldState) {
  ASSERT_TRUE(open()->put("k", "a", "old"));
  const int code = in_child([&] {
    auto state = State::open(file).take();
    (void)state->transaction([&]() -> Result<> {
      TRY(state->put("k", "a", "new"));
      ::_exit(42);
    });
    return 1;
  });
  EXPECT_EQ(code, 42);
  EXPECT_EQ(open()->get("k", "a").take(), "old");
}

TEST_F(StateTest, ManyProcessesAndThreadsCountWithoutLosingOne) {
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
    auto state = State::open(file);  // all at once: the file does not exist yet
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

TEST_F(StateTest, SaysWhatIsWrongWithTheFile) {
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

}  // namespace
}  // namespace nacre::store
