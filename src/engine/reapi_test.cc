#include "engine/reapi.h"

#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>

#include "engine/local_executor.h"
#include "engine/test_server.h"

namespace nacre::engine {
namespace {

using net::GrpcCode;
using net::GrpcStatus;

std::string any(std::string_view type, const std::string& value) {
  return WireWriter()
      .text(1, "type.googleapis.com/build.bazel.remote.execution.v2." + std::string(type))
      .text(2, value)
      .take();
}

std::string going(std::string_view name, Stage stage, std::string_view log = {}) {
  const std::string metadata = WireWriter().number(1, static_cast<std::uint64_t>(stage)).text(3, log).take();
  return WireWriter().text(1, name).message(2, any("ExecuteOperationMetadata", metadata)).take();
}

struct Ended {
  ActionResult result{};
  bool cached = false;
  RpcStatus status{};
};

std::string ended(std::string_view name, const Ended& how) {
  WireWriter response;
  response.message(1, to_wire(how.result)).flag(2, how.cached);
  if (how.status.code != 0)
    response.message(
        3, WireWriter().number(1, static_cast<std::uint64_t>(how.status.code)).text(2, how.status.message).take());
  return WireWriter().text(1, name).flag(3, true).message(5, any("ExecuteResponse", response.take())).take();
}

/// An executor of a server that answers each call of Execute or WaitExecution with the next of a list.
struct Remote {
  using Answer = std::function<Result<GrpcStatus>(const TestServer::Emit&)>;
  TestServer server;
  std::vector<Answer> answers;
  std::vector<std::string> notes;
  ReapiExecutor executor{server, "", hasty()};

  explicit Remote(std::vector<Answer> list) : answers(std::move(list)) {
    for (const char* name : {"Execute", "WaitExecution"})
      server.methods[name] = [this](const auto&, const auto& emit) -> Result<GrpcStatus> {
        if (answers.empty()) return GrpcStatus{GrpcCode::kUnavailable, "no more"};
        const Answer answer = answers.front();
        answers.erase(answers.begin());
        return answer(emit);
      };
  }
  Result<Outcome> run(Job job = {}) {
    Listener listener;
    listener.on_note = [this](std::string_view note) { notes.emplace_back(note); };
    return executor.wait(executor.submit(std::move(job), listener), {});
  }
};

Remote::Answer says(std::vector<std::string> messages, GrpcStatus status = {}) {
  return [messages = std::move(messages), status](const TestServer::Emit& emit) -> Result<GrpcStatus> {
    for (const std::string& message : messages) TRY(emit(message));
    return status;
  };
}

const ActionResult kGood{.exit_code = 0, .out = "good"}, kBad{.exit_code = 1, .out = "bad"};

TEST(ReapiExecutor, ComesBackToAStreamThatEnds) {
  const GrpcStatus broken{GrpcCode::kUnavailable, "broken"};
  Remote remote({says({going("op", Stage::kQueued)}, broken), says({going("op", Stage::kExecuting)}, broken),
                 says({going("op", Stage::kExecuting)}), says({going("op", Stage::kExecuting)}, broken),
                 says({going("op", Stage::kExecuting)}, broken), says({ended("op", {kGood})})});
  const auto outcome = remote.run();
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_EQ(outcome->result.out, "good");
  EXPECT_EQ(outcome->tries, 1);
  EXPECT_THAT(remote.server.calls, testing::ElementsAre("Execute", "WaitExecution", "WaitExecution", "WaitExecution",
                                                        "WaitExecution", "WaitExecution"));
  EXPECT_EQ(remote.notes.front(), "the stream of the action ended (UNAVAILABLE: broken): waiting for it again");
}

TEST(ReapiExecutor, RunsAgainWhatTheServerForgot) {
  Remote remote({says({going("op", Stage::kQueued)}, {GrpcCode::kUnavailable, "restarting"}),
                 says({}, {GrpcCode::kNotFound, "no such operation"}), says({ended("op2", {kGood})})});
  const auto outcome = remote.run();
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_EQ(outcome->tries, 2);
  EXPECT_THAT(remote.server.calls, testing::ElementsAre("Execute", "WaitExecution", "Execute"));
}

TEST(ReapiExecutor, TakesNoKeptFailure) {
  Remote remote({says({ended("op", {kBad, true})}), says({ended("op", {kBad, false})})});
  const auto outcome = remote.run();
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_FALSE(outcome->cached);
  EXPECT_EQ(outcome->result.exit_code, 1);
  Remote kept({says({ended("op", {kGood, true})})});
  EXPECT_TRUE(kept.run()->cached);
}

TEST(ReapiExecutor, SendsLostInputsAgain) {
  Remote remote({says({}, {GrpcCode::kFailedPrecondition, "missing"}), says({ended("op", {{}, false, {9, "missing"}})}),
                 says({ended("op", {kGood})})});
  int uploads = 0;
  Job job;
  job.upload = [&]() -> Result<> {
    ++uploads;
    return {};
  };
  const auto outcome = remote.run(job);
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_EQ(uploads, 3);
}

TEST(ReapiExecutor, SaysWhatWentWrong) {
  struct Case {
    std::vector<Remote::Answer> answers;
    std::string message;
  };
  const auto fails = [](int code, const char* text) { return says({ended("op", {{}, false, {code, text}})}); };
  const GrpcStatus down{GrpcCode::kUnavailable, "down"};
  const Case cases[] = {
      {{fails(4, "")}, "the engine stopped the action: its time was over"},
      {{fails(3, "bad command")}, "the server says INVALID_ARGUMENT: bad command\n  while running an action"},
      {{fails(8, "full"), fails(8, "full"), fails(8, "full"), fails(8, "full")},
       "the server says RESOURCE_EXHAUSTED: full\n  while running an action"},
      {{says({}, down), says({}, down), says({}, down), says({}, down)}, "the server says UNAVAILABLE: down"},
      {{says({}, {GrpcCode::kPermissionDenied, "who are you"})}, "the server says PERMISSION_DENIED: who are you"},
      {{says({"\xff"})}, "no protobuf message: it stops inside a number\n  while reading the state of an action"},
      {{says({going("op", Stage::kQueued).substr(0, 20)})},
       "no protobuf message: it stops inside a field\n  while reading the state of an action"},
      {{says({WireWriter().text(1, "op").flag(3, true).take()})},
       "an operation ended with neither a result nor an error\n  while reading the state of an action"},
      {{says({WireWriter().text(1, "op").flag(3, true).message(5, any("Action", "")).take()})},
       "an operation ended with something else than a result\n  while reading the state of an action"},
      {{says({WireWriter().text(1, std::string(5000, 'n')).take()})},
       "the name of an operation has 5000 bytes, at most 4096 were expected\n  while reading the state of an action"},
      {{fails(3, "a\033[2Jb\nc")}, "the server says INVALID_ARGUMENT: a [2Jb c\n  while running an action"},
      // No number of ours: nothing that went well (65536 has no bit of the low ones), and perhaps the machinery's.
      {{fails(65536, "odd"), fails(17, "odd"), fails(-1, "odd"), fails(99, "odd")},
       "the server says UNKNOWN: odd\n  while running an action"},
      {{says({std::string((64u << 20) + 1, 'x')})},
       "a message of the answer has 67108865 bytes, at most 67108864 were expected"},
      {{[](const TestServer::Emit& emit) -> Result<GrpcStatus> {
         const std::string state =
             going("op", Stage::kExecuting) + WireWriter().text(999, std::string(1u << 20, 'x')).take();
         while (true) TRY(emit(state));
       }},
       "the answer is longer than it may be"},
  };
  for (const Case& item : cases) EXPECT_EQ(message_of(Remote(item.answers).run()), item.message);
}

/// Neither is a reason to go on for ever.
TEST(ReapiExecutor, EndsWhenTheServerLeadsItInCircles) {
  Remote remote({});
  for (const char* name : {"Execute", "WaitExecution"})
    remote.server.methods[name] = [](const auto&, const auto& emit) -> Result<GrpcStatus> {
      TRY(emit(going("op", Stage::kExecuting)));
      return GrpcStatus{};
    };
  EXPECT_EQ(message_of(remote.run()), "the engine ends the stream of the action again and again (without a result)");
  EXPECT_LT(remote.server.calls.size(), 40u);
  remote.server.methods["WaitExecution"] = [](const auto&, const auto&) -> Result<GrpcStatus> {
    return GrpcStatus{GrpcCode::kNotFound, "which?"};
  };
  EXPECT_EQ(message_of(remote.run()), "the engine forgot the action 5 times");
}

/// Answers a call of Execute with an action that has a log, and ends it when `go` says so.
struct WithLog {
  Remote remote{{}};
  std::mutex mutex;
  std::vector<std::string> lines;

  explicit WithLog(const std::function<void()>& go) {
    remote.server.methods["Execute"] = [go](const auto&, const auto& emit) -> Result<GrpcStatus> {
      TRY(emit(going("op", Stage::kExecuting, "logs/1")));
      TRY(emit(going("op", Stage::kExecuting, "logs/1")));
      go();
      TRY(emit(ended("op", {kGood})));
      return GrpcStatus{};
    };
  }
  Result<Outcome> run() {
    Listener listener;
    listener.on_line = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      lines.emplace_back(line);
    };
    listener.on_note = [this](std::string_view note) {
      const std::lock_guard lock(mutex);
      remote.notes.emplace_back(note);
    };
    return remote.executor.wait(remote.executor.submit({}, listener), {});
  }
};

TEST(ReapiExecutor, ShowsTheLogWhileTheActionRuns) {
  std::promise<void> seen;
  WithLog log([&] { seen.get_future().wait(); });
  std::vector<std::string> asked;
  log.remote.server.methods["Read"] = [&](const std::vector<std::string>& sent,
                                          const auto& emit) -> Result<GrpcStatus> {
    asked.push_back(sent.at(0));
    if (asked.size() == 1) {  // cut in the middle of a line
      TRY(emit(WireWriter().text(10, "one\ntw").take()));
      return GrpcStatus{GrpcCode::kUnavailable, "broken"};
    }
    TRY(emit(WireWriter().text(10, "o\n\033[2J" + std::string(5000, 'x') + "\nthe rest").take()));
    seen.set_value();
    return GrpcStatus{};
  };
  const auto outcome = log.run();
  ASSERT_TRUE(outcome) << message_of(outcome);
  EXPECT_THAT(log.lines, testing::ElementsAre("one", "two", " [2J" + std::string(4092, 'x'), "the rest"));
  EXPECT_THAT(asked, testing::ElementsAre(WireWriter().text(1, "logs/1").take(),
                                          WireWriter().text(1, "logs/1").number(2, 6).take()));
}

TEST(ReapiExecutor, LeavesALogThatItCannotHave) {
  WithLog log([] {});
  log.remote.server.methods["Read"] = [](const auto&, const auto&) -> Result<GrpcStatus> {
    return GrpcStatus{GrpcCode::kNotFound, "no such log"};
  };
  ASSERT_TRUE(log.run());
  EXPECT_THAT(log.remote.notes,
              testing::ElementsAre("the log cannot be followed (the server says NOT_FOUND: no such log)"));
  EXPECT_THAT(log.lines, testing::IsEmpty());
  // Nor does one without end keep the result back, or fill the memory.
  WithLog endless([] {});
  endless.remote.server.methods["Read"] = [](const auto&, const auto& emit) -> Result<GrpcStatus> {
    while (true) TRY(emit(WireWriter().text(10, std::string(1u << 20, 'x')).take()));
  };
  ASSERT_TRUE(endless.run());
  EXPECT_THAT(endless.lines, testing::ElementsAre(std::string(4096, 'x')));
  EXPECT_THAT(endless.remote.notes,
              testing::ElementsAre("the log cannot be followed (the answer is longer than it may be)"));
}

TEST(ReapiExecutor, CancelsWhatNobodyWaitsFor) {
  std::stop_source stop;
  Remote remote({[&](const auto& emit) -> Result<GrpcStatus> {
    TRY(emit(going("op/7", Stage::kExecuting)));
    stop.request_stop();
    while (!remote.server.stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Error::make(ErrorKind::kUnavailable, "interrupted");
  }});
  std::string cancelled;
  remote.server.methods["CancelOperation"] = [&](const std::vector<std::string>& sent, const auto& emit) {
    cancelled = sent.at(0);
    (void)emit("");
    return Result<GrpcStatus>(GrpcStatus{});
  };
  const Executor::Id id = remote.executor.submit({}, {});
  EXPECT_EQ(message_of(remote.executor.wait(id, stop.get_token())), "interrupted");
  EXPECT_EQ(cancelled, WireWriter().text(1, "op/7").take());
}

/// Against an engine that runs, when one is named: tests/flow/96_engine.sh does.
class RealEngine : public testing::Test {
 protected:
  void SetUp() override {
    const auto setting = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string(value == nullptr ? "" : value);
    };
    const std::string address = setting("NACRE_TEST_ENGINE");
    if (address.empty()) GTEST_SKIP() << "NACRE_TEST_ENGINE names no engine";
    auto opened = net::open_channel({address, setting("NACRE_ENGINE_CA"), setting("NACRE_ENGINE_TOKEN")}, "nacre-test");
    ASSERT_TRUE(opened) << message_of(opened);
    channel_ = *std::move(opened);
    cas_.emplace(*channel_, "", std::stop_token(), Patience{.tries = 2, .silence_seconds = 2});
    executor_.emplace(*channel_, "", Patience{.tries = 2, .silence_seconds = 2});
  }
  Job job(const std::vector<std::string>& words, Lookup lookup = Lookup::kRun) {
    std::vector<Blob> blobs;
    InputTree input;
    Blob busybox{{}, "", "/bin/busybox"};  // the static one: there may be no library
    const std::string bytes = *os::read_file(busybox.file);
    busybox.digest = digest_of(bytes);
    EXPECT_TRUE(input.add(TreePath::literal("busybox"), busybox, InputTree::Mode::kExecutable));
    std::vector<std::string> argv = {"./busybox"};
    argv.insert(argv.end(), words.begin(), words.end());
    const Command command{argv, {}, {"out"}, LocalExecutor::platform()};
    blobs.push_back(blob_of(to_wire(command)));
    const Digest command_digest = blobs.back().digest;
    const Action action{command_digest, input.finish(blobs), 3600, false, LocalExecutor::platform()};
    blobs.push_back(blob_of(to_wire(action)));
    return {blobs.back().digest, lookup, 0, [this, blobs]() -> Result<> {
              TRY(cas_->upload(blobs));
              return {};
            }};
  }
  std::unique_ptr<net::GrpcChannel> channel_;
  std::optional<ReapiCas> cas_;
  std::optional<ReapiExecutor> executor_;
};

TEST_F(RealEngine, StoresAndGivesBack) {
  const auto can = executor_->capabilities({});
  ASSERT_TRUE(can) << message_of(can);
  EXPECT_TRUE(can->sha256 && can->executes);
  cas_->limit_batches(can->max_batch_bytes);
  std::string large(9u << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  large += std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  std::vector<Blob> blobs = {blob_of(large)};
  for (int i = 0; i < 100; ++i) blobs.push_back(blob_of(fmt::format("{} {}", large.substr(large.size() - 100), i)));
  const auto sent = cas_->upload(blobs);
  ASSERT_TRUE(sent) << message_of(sent);
  EXPECT_GT(*sent, large.size());
  EXPECT_EQ(*cas_->upload(blobs), 0u);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(message_of(cas_->upload(std::span(blobs).first(3))), "no error") << i;
  const auto back = cas_->get(digest_of(large), 16u << 20);
  ASSERT_TRUE(back) << message_of(back);
  EXPECT_EQ(*back, large);
  EXPECT_THAT(message_of(cas_->get(digest_of("never stored"), 100)), testing::HasSubstr("NOT_FOUND"));
}

TEST_F(RealEngine, RunsActions) {
  std::vector<Stage> stages;
  Listener listener;
  listener.on_stage = [&](Stage stage) { stages.push_back(stage); };
  const auto good = executor_->wait(executor_->submit(job({"sh", "-c", "echo hi; echo done > out"}), listener), {});
  ASSERT_TRUE(good) << message_of(good);
  EXPECT_EQ(good->result.exit_code, 0) << good->result.out << good->result.err;
  ASSERT_NE(good->result.find("out"), nullptr);
  EXPECT_EQ(*cas_->get(good->result.find("out")->digest, 100), "done\n");
  EXPECT_FALSE(stages.empty());
  const auto again =
      executor_->wait(executor_->submit(job({"sh", "-c", "echo hi; echo done > out"}, Lookup::kCached), {}), {});
  ASSERT_TRUE(again) << message_of(again);
  EXPECT_TRUE(again->cached);
  const auto bad = executor_->wait(executor_->submit(job({"sh", "-c", "exit 7"}, Lookup::kCached), {}), {});
  ASSERT_TRUE(bad) << message_of(bad);
  EXPECT_EQ(bad->result.exit_code, 7);
}

/// Longer than the client listens to silence: the stream is left and taken up again.
TEST_F(RealEngine, WaitsForLongActions) {
  std::vector<std::string> notes;
  Listener listener;
  listener.on_note = [&](std::string_view note) { notes.emplace_back(note); };
  const auto done =
      executor_->wait(executor_->submit(job({"sh", "-c", "./busybox sleep 5; echo done > out"}), listener), {});
  ASSERT_TRUE(done) << message_of(done) << testing::PrintToString(notes);
  EXPECT_NE(done->result.find("out"), nullptr);
  EXPECT_EQ(done->tries, 1) << testing::PrintToString(notes);
}

TEST_F(RealEngine, CancelsActions) {
  const auto begin = std::chrono::steady_clock::now();
  std::stop_source stop;
  const Executor::Id id = executor_->submit(job({"sh", "-c", "./busybox sleep 100"}), {});
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    stop.request_stop();
  });
  EXPECT_THAT(message_of(executor_->wait(id, stop.get_token())), testing::HasSubstr("interrupted"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace nacre::engine
