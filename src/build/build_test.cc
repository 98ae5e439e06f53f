#include "build/build.h"

#include "base/events.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace nacre::build {
namespace {

using definition::Definition;
using definition::Step;
using os::Path;
using testing::HasSubstr;

class Listener final : public Events {
 public:
  std::vector<std::string> lines;
  void emit(const Event& event) override {
    if (event.kind == EventKind::kOutput) lines.push_back(event.name + "| " + event.detail);
  }
};

Step run(std::string runs, std::string name = {}) {
  Step step;
  step.name = std::move(name);
  step.runs = std::move(runs);
  step.place = {"os/packages/hello.yaml", 12, 5};
  return step;
}

class BuildTest : public testing::Test {
 protected:
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::FakeProcesses processes;
  os::FakeClock clock;
  net::RecordedHttp http;
  Listener events;
  std::stop_source stop;
  Env env{processes, clock, http, *store, events, stop.get_token()};
  sandbox::FakeSandbox sandbox;
  Definition definition;
  BuildRequest request;

  void SetUp() override {
    definition.file = "os/packages/hello.yaml";
    definition.name = "hello";
    definition.version = "1.0";
    definition.subpackages.emplace_back().name = "hello-doc";
    request.definition = &definition;
    request.work = dir.path() / "work";
    request.source_date_epoch = 1234;
    add_tree("base",
             {{"etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"}, {"etc/group", "root:x:0:\n"}});
  }

  void add_tree(const std::string& name, const std::map<std::string, std::string>& files) {
    const Path tree = dir.path() / "trees" / name;
    ASSERT_TRUE(os::make_dirs(tree));
    for (const auto& [path, text] : files) {
      ASSERT_TRUE(os::make_dirs((tree / path).parent_path()));
      ASSERT_TRUE(os::write_file(tree / path, text));
    }
    request.root.push_back({name, "1", "stage0", codec::sha256(name), tree});
  }
  /// "DIR $ what runs" of each command that the sandbox was asked for.
  std::vector<std::string> scripts() const {
    std::vector<std::string> out;
    for (const auto& command : sandbox.asked) out.push_back(command.argv.back());
    return out;
  }
  static std::string variable(const sandbox::SandboxCommand& command, const std::string& name) {
    for (const std::string& entry : command.env)
      if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    return "(unset)";
  }
};

TEST_F(BuildTest, RunsEnabledStepsInOrderEachWithItsEnvironment) {
  definition.environment.variables = {{"A", "1"}, {"PATH", "/elsewhere"}};
  Step parent;
  parent.uses = "autoconf/make";
  parent.environment = {{"B", "2"}};
  parent.working_directory = "src";
  parent.pipeline = {run("make"), run("never"), run("make check", "Check")};
  parent.pipeline[1].enabled = false;
  parent.pipeline[2].environment = {{"A", "3"}};
  parent.pipeline[2].working_directory = "/abs dir";
  parent.required_steps = 2;
  definition.pipeline = {run("one", "First"), parent};
  definition.subpackages[0].pipeline = {run("doc")};
  sandbox.answer = [](const sandbox::SandboxCommand& command) -> Result<os::Exit> {
    if (command.on_line) command.on_line("hi from " + command.argv[0]);
    return os::Exit{};
  };
  const auto built = run_build(request, sandbox, env);
  ASSERT_TRUE(built) << built.error().render();
  const auto script = [](std::string folder, std::string text) {
    return "set -eo pipefail\n[ -d " + folder + " ] || mkdir -p " + folder + "\ncd " + folder +
           "\n" + text + "exit 0\n";
  };
  EXPECT_EQ(scripts(),
            (std::vector<std::string>{
                script("'/home/build'", "one\n"), script("'/home/build/src'", ""),
                script("'/home/build/src'", "make\n"), script("'/abs dir'", "make check\n"),
                script("'/home/build'", "doc\n")}));
  EXPECT_EQ(variable(sandbox.asked[0], "A"), "1");
  EXPECT_EQ(variable(sandbox.asked[0], "B"), "(unset)");
  EXPECT_EQ(variable(sandbox.asked[2], "B"), "2");
  EXPECT_EQ(variable(sandbox.asked[3], "A"), "3");
  EXPECT_EQ(variable(sandbox.asked[4], "B"), "(unset)");
  EXPECT_EQ(variable(sandbox.asked[0], "SOURCE_DATE_EPOCH"), "1234");
  EXPECT_EQ(variable(sandbox.asked[0], "HOME"), "/home/build");
  EXPECT_EQ(variable(sandbox.asked[0], "PATH"),
            "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin");
  EXPECT_FALSE(sandbox.asked[0].network);
  EXPECT_EQ(sandbox.asked[0].uid, 0u);

  EXPECT_EQ(built->packages, (std::vector<std::string>{"hello", "hello-doc"}));
  EXPECT_TRUE(os::exists(built->output / "hello-doc"));
  ASSERT_EQ(built->steps.size(), 5u);
  EXPECT_EQ(built->steps[2].name, "hello: autoconf/make");
  EXPECT_EQ(built->steps[3].name, "hello: autoconf/make: Check");
  EXPECT_EQ(
      *store->read(built->log),
      "== network: none\n== 2023-11-14T22:13:20Z hello: First\nhi from /bin/sh\n== done in 0 ms\n"
      "== 2023-11-14T22:13:20Z hello: autoconf/make\nhi from /bin/sh\n== done in 0 ms\n"
      "== 2023-11-14T22:13:20Z hello: autoconf/make\nhi from /bin/sh\n== done in 0 ms\n"
      "== 2023-11-14T22:13:20Z hello: autoconf/make: Check\nhi from /bin/sh\n== done in 0 ms\n"
      "== 2023-11-14T22:13:20Z hello-doc: doc\nhi from /bin/sh\n== done in 0 ms\n");
  EXPECT_EQ(events.lines.front(), "First| hi from /bin/sh");
}

TEST_F(BuildTest, PreparesWorkspaceSourcesAccountsAndLimits) {
  const Path side = dir.path() / "side";
  ASSERT_TRUE(os::make_dirs(side / "sub"));
  ASSERT_TRUE(os::make_dirs(side / "skip"));
  ASSERT_TRUE(os::write_file(side / "sub/fix.patch", "p", 0755));
  ASSERT_TRUE(os::write_file(side / "skip/a", "x"));
  ASSERT_TRUE(os::write_file(side / "b.orig", "x"));
  ASSERT_TRUE(os::write_file(side / ".melangeignore", "# comment\n*.orig\nskip/\n"));
  std::filesystem::create_symlink("/etc/passwd", side / "link");
  request.source_dir = side;
  const Sha256 blob = *store->put_bytes("source");
  request.sources = {{"https://x/a.tar", blob, 6, "upstream", false, "sha256:" + blob.hex()}};
  definition.environment.users = {{"redis", 999, 998, "", ""}};
  definition.environment.groups = {{"redis", 998, {"redis", "build"}}};
  definition.resources = {"2", "512Mi", "", ""};
  definition.capabilities_add = {"CAP_NET_ADMIN"};
  definition.pipeline = {run("true")};
  request.limits.memory_bytes = 1u << 30;
  ASSERT_TRUE(os::make_dirs(request.work / "workspace"));
  ASSERT_TRUE(os::write_file(request.work / "workspace/left-over", ""));

  const auto built = run_build(request, sandbox, env);
  ASSERT_TRUE(built) << built.error().render();
  std::vector<std::string> files;
  const auto entries = os::walk_tree(built->workspace);
  for (const os::TreeEntry& entry : *entries)
    files.push_back(fmt::format("{} {:o}", entry.path.str(), entry.mode));
  EXPECT_EQ(files, (std::vector<std::string>{".melangeignore 644", "melange-out 755",
                                             "melange-out/hello 755", "melange-out/hello-doc 755",
                                             "sub 755", "sub/fix.patch 755"}));
  const sandbox::SandboxCommand& command = sandbox.asked[0];
  std::vector<std::string> binds;
  for (const auto& bind : command.binds)
    binds.push_back(fmt::format("{} {} {}", bind.inside.str(), bind.host.string(),
                                bind.writable ? "rw" : "ro"));
  const std::string work = request.work.string();
  EXPECT_EQ(binds, (std::vector<std::string>{"tmp " + work + "/tmp rw",
                                             "home/build " + work + "/workspace rw",
                                             "var/cache/melange/sha256:" + blob.hex() + " " +
                                                 store->blob_path(blob).string() + " ro"}));
  EXPECT_EQ(*os::read_file(command.root.upper / "etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\nredis:x:999:998:redis:/home/redis:/bin/sh\n"
            "build:x:1000:1000:build:/home/build:/bin/sh\n");
  EXPECT_EQ(*os::read_file(command.root.upper / "etc/group"),
            "root:x:0:\nredis:x:998:redis,build\nbuild:x:1000:build\n");
  EXPECT_EQ(command.limits.memory_bytes, 512u << 20);
  EXPECT_EQ(command.limits.cpus, 2.0);
  EXPECT_EQ(variable(command, "OMP_NUM_THREADS"), "2");
  EXPECT_EQ(command.keep_capabilities, (std::vector<std::string>{"CAP_NET_ADMIN"}));
}

TEST_F(BuildTest, RunsLdconfigFirstWhereTheRootHasIt) {
  add_tree("glibc", {{"usr/bin/ldconfig", ""}});
  definition.pipeline = {run("true")};
  ASSERT_TRUE(run_build(request, sandbox, env));
  ASSERT_EQ(sandbox.asked.size(), 2u);
  EXPECT_EQ(sandbox.asked[0].argv, (std::vector<std::string>{"ldconfig"}));
}

TEST_F(BuildTest, StopsAtAFailureAndLeadsBackThere) {
  definition.pipeline = {run("true"), run("make", "Compile"), run("never")};
  sandbox.answer = [&](const sandbox::SandboxCommand& command) -> Result<os::Exit> {
    if (command.argv.back().find("make\n") == std::string::npos) return os::Exit{};
    for (int i = 1; i <= 25; ++i) command.on_line(fmt::format("line {}\x1b[2J", i));
    return os::Exit{2, 0, false, "", ""};
  };
  const auto built = run_build(request, sandbox, env);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind(), ErrorKind::kInvalid);
  std::string expected =
      "os/packages/hello.yaml:12:5: step 'Compile' of 'hello' stopped: exit code 2";
  for (int i = 6; i <= 25; ++i) expected += fmt::format("\n    line {} [2J", i);
  EXPECT_EQ(built.error().render(),
            expected + "\n  hint: `nacre shell --failed hello` opens a shell where it stopped");
  EXPECT_EQ(sandbox.asked.size(), 2u);

  EXPECT_EQ(*failed_builds(env), (std::vector<std::string>{"hello"}));
  sandbox.answer = nullptr;
  ASSERT_TRUE(reopen_failed("hello", sandbox, env));
  const sandbox::SandboxCommand &shell = sandbox.asked.back(), &failed = sandbox.asked[1];
  EXPECT_TRUE(shell.interactive);
  EXPECT_EQ(shell.root.lower, failed.root.lower);
  EXPECT_EQ(shell.root.upper, failed.root.upper);
  EXPECT_EQ(shell.binds.size(), failed.binds.size());
  EXPECT_EQ(variable(shell, "NACRE_STEP"), "Compile");
  EXPECT_EQ(variable(shell, "SOURCE_DATE_EPOCH"), "1234");
  EXPECT_THAT(shell.argv[2], HasSubstr("cd '/home/build' 2>"));
  EXPECT_EQ(*os::read_file(request.work / "tmp/.nacre-failed-step"), failed.argv[2]);

  const auto other = reopen_failed("other", sandbox, env);
  EXPECT_EQ(other.error().render(),
            "nothing failed under the name 'other'\n"
            "  hint: `nacre shell --failed` without a name lists what did");
  ASSERT_TRUE(run_build(request, sandbox, env));
  EXPECT_EQ(failed_builds(env)->size(), 0u) << "a build that passes clears the record";
}

TEST_F(BuildTest, TellsMachineTroubleFromFaultsOfTheDefinition) {
  definition.pipeline = {run("dd", "Write")};
  sandbox.answer = [](const sandbox::SandboxCommand& command) -> Result<os::Exit> {
    command.on_line("dd: No space left on device");
    return os::Exit{1, 0, false, "", ""};
  };
  auto built = run_build(request, sandbox, env);
  EXPECT_EQ(built.error().kind(), ErrorKind::kUnavailable);
  EXPECT_THAT(built.error().render(),
              HasSubstr("step 'Write' of 'hello' stopped: exit code 1, no space left\n"));
  stop.request_stop();
  built = run_build(request, sandbox, env);
  EXPECT_EQ(built.error().render(), "interrupted");
  EXPECT_EQ(built.error().kind(), ErrorKind::kUnavailable);
}

TEST_F(BuildTest, CountsRequiredStepsAndKeepsOutputs) {
  Step either;
  either.name = "Either";
  either.required_steps = 1;
  either.place = {"os/packages/hello.yaml", 3, 3};
  either.pipeline = {run("a"), run("b")};
  definition.pipeline = {either};
  EXPECT_EQ(
      run_build(request, sandbox, env).error().render(),
      "os/packages/hello.yaml:3:3: step 'Either' asserts 1 steps, and 2 ran\n"
      "  hint: none of its conditions, or more than one, is true for this version or architecture");
  definition.pipeline = {run("rm -r melange-out/hello")};
  sandbox.answer = [](const sandbox::SandboxCommand& command) -> Result<os::Exit> {
    std::filesystem::remove_all(command.binds[1].host / "melange-out/hello");
    return os::Exit{};
  };
  EXPECT_EQ(run_build(request, sandbox, env).error().render(),
            "a step removed the output directory of 'hello'\n"
            "  hint: steps write below ${{targets.destdir}} and ${{targets.subpkgdir}}, and leave "
            "these in place");
}

TEST_F(BuildTest, RunsLongScriptsFromAFile) {
  definition.pipeline = {run("# " + std::string(150'000, 'x') + "\ntrue")};
  ASSERT_TRUE(run_build(request, sandbox, env));
  EXPECT_EQ(sandbox.asked[0].argv, (std::vector<std::string>{"/bin/sh", "/tmp/.nacre-step"}));
  EXPECT_GT(os::read_file(request.work / "tmp/.nacre-step")->size(), 150'000u);
}

TEST_F(BuildTest, RunsATestInItsOwnEnvironment) {
  definition.environment.variables = {{"A", "1"}, {"B", "1"}};
  definition.test.environment.variables = {{"B", "2"}};
  definition.test.environment.run_as = "build";
  definition.test.pipeline = {run("hello --version", "Version")};
  TestRequest test;
  test.definition = &definition;
  test.package = "hello-doc";
  test.test = &definition.test;
  test.root = request.root;
  test.work = request.work;
  ASSERT_TRUE(run_test(test, sandbox, env));
  EXPECT_EQ(variable(sandbox.asked[0], "A") + variable(sandbox.asked[0], "B"), "12");
  EXPECT_EQ(sandbox.asked[0].uid, 1000u);
  sandbox.answer = [](const sandbox::SandboxCommand&) -> Result<os::Exit> {
    return os::Exit{1, 0, false, "", ""};
  };
  EXPECT_EQ(run_test(test, sandbox, env).error().render(),
            "os/packages/hello.yaml:12:5: step 'Version' of 'hello-doc' stopped: exit code 1; it "
            "printed nothing\n"
            "  hint: `nacre shell --failed 'test hello-doc'` opens a shell where it stopped");
  EXPECT_EQ(*failed_builds(env), (std::vector<std::string>{"test hello-doc"}));
}

TEST_F(BuildTest, TestsFindADatabaseOfPackages) {
  add_tree("tool", {{"usr/bin/tool", ""}, {"usr/bin/a", ""}, {"usr/share/x/y", ""}, {"top", ""}});
  request.root[1].record = "P:tool\nV:1\n\n";
  TestRequest test;
  test.definition = &definition;
  test.package = "hello";
  test.test = &definition.test;
  test.root = request.root;
  test.work = request.work;
  ASSERT_TRUE(run_test(test, sandbox, env));
  const Path database = request.work / "upper/usr/lib/apk/db/installed";
  EXPECT_EQ(*os::read_file(database),
            "P:tool\nV:1\nF:\nR:top\nF:usr\nF:usr/bin\nR:a\nR:tool\nF:usr/share\nF:usr/share/x\n"
            "R:y\n\n");
  test.root[1].record.clear();
  ASSERT_TRUE(run_test(test, sandbox, env));
  EXPECT_FALSE(os::exists(database));
}

TEST_F(BuildTest, KeysNameWhatCanChangeTheOutput) {
  const Path side = dir.path() / "side";
  ASSERT_TRUE(os::make_dirs(side));
  ASSERT_TRUE(os::write_file(side / "a", "1"));
  request.source_dir = side;
  definition.pipeline = {run("make", "Build")};
  const Sha256 key = *action_key(request);
  const auto differs = [&](auto&& change) {
    const BuildRequest kept = request;
    const Definition kept_definition = definition;
    change();
    const bool other = *action_key(request) != key;
    request = kept;
    definition = kept_definition;
    return other;
  };
  EXPECT_TRUE(differs([&] { definition.pipeline[0].runs = "make -s"; }));
  EXPECT_TRUE(differs([&] { request.root[0].content = codec::sha256("other"); }));
  EXPECT_TRUE(differs([&] { request.source_date_epoch = 1; }));
  EXPECT_TRUE(differs([&] { request.arch = *find_arch("aarch64"); }));
  EXPECT_TRUE(differs([&] {
    request.sources = {{"u", codec::sha256("s"), 1, "store", false, "sha256:1"}};
  }));
  EXPECT_FALSE(differs([&] { request.root[0].tree = "/elsewhere"; }));
  EXPECT_FALSE(differs([&] { request.work = "/elsewhere"; }));
  EXPECT_FALSE(differs([&] { request.jobs = 7; }));
  EXPECT_FALSE(differs([&] { definition.test.pipeline = {run("x")}; }));
  EXPECT_FALSE(differs([&] { definition.pipeline[0].name = "Compile"; }));
  ASSERT_TRUE(os::write_file(side / "a", "2"));
  EXPECT_NE(*action_key(request), key);
  ASSERT_TRUE(os::write_file(side / "a", "1", 0755));
  EXPECT_NE(*action_key(request), key);

  TestRequest test{
      &definition, "hello", &definition.test, request.arch, request.root, {}, request.work, 0, {}};
  const Sha256 before = *test_key(test);
  definition.test.pipeline = {run("x")};
  EXPECT_NE(*test_key(test), before);
}

}  // namespace
}  // namespace nacre::build
