#include <chrono>

#include "engine/local_executor.h"
#include "engine/test_server.h"
#include "store/store.h"

namespace nacre::engine {
namespace {

/// This machine's executor, and actions of a shell.
struct Local {
  os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(folder.path() / "home");
  os::SystemProcesses processes;
  LocalCas cas{*store};
  LocalExecutor executor{*store, processes, 2};

  Job job(const std::string& script, Lookup lookup = Lookup::kCached, Properties platform = {}) {
    std::vector<Blob> blobs;
    InputTree input;
    EXPECT_TRUE(input.add(TreePath::literal("in/word"), blob_of("hello\n")));
    EXPECT_TRUE(input.add(TreePath::literal("run.sh"), blob_of("#!/bin/sh\n" + script), InputTree::Mode::kExecutable));
    const Command command{{"./run.sh"}, {{"PATH", "/usr/bin:/bin"}}, {"out/a", "out/b"}, platform};
    blobs.push_back(blob_of(to_wire(command)));
    const Digest command_digest = blobs.back().digest;
    const Action action{command_digest, input.finish(blobs), timeout_class(60), false, platform};
    blobs.push_back(blob_of(to_wire(action)));
    return {blobs.back().digest, lookup, 0, [this, blobs]() -> Result<> {
              TRY(cas.upload(blobs));
              return {};
            }};
  }
  Result<Outcome> run(Job job, Listener listener = {}) {
    return executor.wait(executor.submit(std::move(job), std::move(listener)), {});
  }
};

TEST(LocalExecutor, RunsAnActionOnACopyOfItsInputs) {
  Local local;
  std::vector<std::string> lines;
  Listener listener;
  listener.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  const std::string script = "cat in/word; tr a-z A-Z < in/word > out/a; chmod +x out/a; env | grep -c NACRE_HOME";
  ::setenv("NACRE_HOME", "/secret", 1);
  const auto outcome = local.run(local.job(script + "; exit 3"), listener);
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_EQ(outcome->result.exit_code, 3);
  EXPECT_EQ(outcome->result.out, "hello\n0\n");
  EXPECT_THAT(lines, testing::ElementsAre("hello", "0"));
  ASSERT_EQ(outcome->result.files.size(), 1u);
  EXPECT_EQ(outcome->result.files[0].path, "out/a");
  EXPECT_TRUE(outcome->result.files[0].executable);
  EXPECT_EQ(*local.cas.get(outcome->result.files[0].digest, 100), "HELLO\n");
  EXPECT_TRUE(std::filesystem::is_empty(local.store->work_dir()));
}

/// Each runs a copy that was made a moment before, while others are started.
TEST(LocalExecutor, RunsManyAtOnce) {
  Local local;
  LocalExecutor executor(*local.store, local.processes, 8);
  std::vector<Executor::Id> ids;
  for (int i = 0; i < 80; ++i) ids.push_back(executor.submit(local.job(fmt::format("echo {} > out/a", i)), {}));
  for (const Executor::Id id : ids) {
    const auto outcome = executor.wait(id, {});
    ASSERT_TRUE(outcome) << message_of(outcome);
    EXPECT_EQ(outcome->result.exit_code, 0);
    EXPECT_NE(outcome->result.find("out/a"), nullptr);
  }
}

TEST(LocalExecutor, KeepsWhatSucceeded) {
  Local local;
  const std::string script = "date +%N > out/a";
  const auto first = local.run(local.job(script)), second = local.run(local.job(script));
  ASSERT_TRUE(first && second) << message_of(first) << message_of(second);
  EXPECT_FALSE(first->cached);
  EXPECT_TRUE(second->cached);
  EXPECT_EQ(first->result.files[0].digest, second->result.files[0].digest);
  EXPECT_FALSE(local.run(local.job(script, Lookup::kRun))->cached);
  // Nothing is answered from a result whose outputs are gone.
  const auto third = local.run(local.job(script));
  ASSERT_TRUE(third->cached);
  std::filesystem::remove(local.store->blob_path(third->result.files[0].digest.hash));
  EXPECT_FALSE(local.run(local.job(script))->cached);
  EXPECT_FALSE(local.run(local.job("exit 1"))->cached);
  EXPECT_FALSE(local.run(local.job("exit 1"))->cached);
}

TEST(LocalExecutor, EndsWhenItIsCancelled) {
  Local local;
  const auto begin = std::chrono::steady_clock::now();
  const Executor::Id one = local.executor.submit(local.job("sleep 60"), {});
  std::stop_source stop;
  const Executor::Id two = local.executor.submit(local.job("sleep 61"), {});
  const Executor::Id waiting = local.executor.submit(local.job("sleep 62"), {});
  local.executor.cancel(one);
  stop.request_stop();
  EXPECT_THAT(message_of(local.executor.wait(waiting, stop.get_token())), testing::StartsWith("interrupted"));
  EXPECT_THAT(message_of(local.executor.wait(one, {})), testing::HasSubstr("interrupted"));
  EXPECT_THAT(message_of(local.executor.wait(two, stop.get_token())), testing::HasSubstr("interrupted"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(message_of(local.executor.wait(two, {})), "no job 2 to wait for");
}

TEST(LocalExecutor, RefusesWhatItCannotGive) {
  Local local;
  EXPECT_EQ(message_of(local.run(local.job("true", Lookup::kRun, {{"OSFamily", "plan9"}}))),
            "the action asks for OSFamily=plan9, and this machine is not that");
  EXPECT_TRUE(local.run(local.job("true", Lookup::kRun, LocalExecutor::platform())));
  EXPECT_EQ(message_of(local.run(local.job("mkdir out/b"))), "the output 'out/b' is no regular file");
  EXPECT_EQ(message_of(local.run(local.job("ln -s /etc/passwd out/b"))), "the output 'out/b' is no regular file");
  Job gone = local.job("true");
  gone.upload = nullptr;
  gone.action = digest_of("nothing");
  EXPECT_THAT(message_of(local.run(gone)), testing::HasSubstr("while reading the action"));
}

TEST(Timeouts, AreOneOfAFew) {
  const std::pair<double, std::int64_t> cases[] = {{0, 12}, {1, 1}, {3600, 1}, {3601, 4}, {40'000, 12}, {50'000, 48}};
  for (const auto& [seconds, hours] : cases) EXPECT_EQ(timeout_class(seconds), hours * 3600) << seconds;
}

}  // namespace
}  // namespace nacre::engine
