// Builds that really run, in the Linux sandbox, with the host's own /usr as the build root.
#include "build/build.h"
#include "build/prepared.h"
#include "build/reproduce.h"

#include "base/events.h"
#include "codec/digest.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::build {
namespace {

using definition::Step;
using os::Path;
using testing::HasSubstr;

/// The Linux sandbox with the host's /usr, read-only, in every root.
class HostUsr final : public sandbox::Sandbox {
 public:
  Result<os::Exit> run(const sandbox::SandboxCommand& command, std::stop_token stop) override {
    sandbox::SandboxCommand own = command;
    own.binds.insert(own.binds.begin(), {"/usr", TreePath::literal("usr"), false});
    return linux_.run(own, stop);
  }

 private:
  sandbox::LinuxSandbox linux_;
};

class SandboxedBuild : public testing::Test {
 protected:
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::FakeProcesses processes;
  os::SystemClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  HostUsr sandbox;
  definition::Definition definition;
  BuildRequest request;

  void SetUp() override {
    // Steps want pipefail, so the shell is bash, as in every build root of ours.
    const Path tree = dir.path() / "tree";
    for (const char* folder : {"bin", "usr", "etc"}) ASSERT_TRUE(os::make_dirs(tree / folder));
    std::filesystem::create_symlink("/usr/bin/bash", tree / "bin/sh");
    for (const char* folder : {"lib", "lib64", "sbin"})
      std::filesystem::create_directory_symlink(fmt::format("usr/{}", folder), tree / folder);
    ASSERT_TRUE(os::write_file(tree / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"));
    request.root = {{"host", "1", "stage0", codec::sha256("host"), tree}};
    request.definition = &definition;
    request.work = dir.path() / "work";
    request.source_date_epoch = 1'700'000'000;
    definition.name = "hello";
    definition.version = "1.0";
    sandbox::SandboxCommand probe;
    probe.root = {{tree}, dir.path() / "probe"};
    probe.argv = {"/bin/sh", "-c", "set -o pipefail"};
    const auto exit = sandbox.run(probe, {});
    if (!exit) GTEST_SKIP() << "this machine makes no sandbox: " << exit.error().render();
    if (!exit->ok()) GTEST_SKIP() << "this machine has no bash in /usr: " << exit->err;
  }

  void add_step(std::vector<Step>& steps, std::string runs) {
    Step step;
    step.runs = std::move(runs);
    step.place = {"hello.yaml", 1, 1};
    steps.push_back(std::move(step));
  }
};

TEST_F(SandboxedBuild, MakesTheSameTreeTwice) {
  const Sha256 source = *store->put_bytes("hello, source\n");
  request.sources = {
      {"https://example.org/hello", source, 14, "store", false, "sha256:" + source.hex()}};
  const std::string cached = "/var/cache/melange/sha256:" + source.hex();
  add_step(definition.pipeline, "cp " + cached +
                                    " hello.txt\n"
                                    "! echo x 2> /dev/null > " +
                                    cached +
                                    "\n"
                                    "echo kept > /tmp/note\ntouch /usr-was-here");
  add_step(definition.pipeline,
           "test \"$(cat /tmp/note)\" = kept && test -e /usr-was-here\n"
           "test \"$HOME\" = /home/build && test \"$PWD\" = /home/build\n"
           "test \"$(id -u)\" = 0\ngrep -q ^build:x:1000: /etc/passwd\n"
           "test \"$(grep -c : /proc/net/dev)\" = 1  # loopback alone");
  add_step(definition.pipeline,
           "d=melange-out/hello/usr/share/hello\nmkdir -p $d\ncp hello.txt $d/\n"
           "echo $SOURCE_DATE_EPOCH > $d/epoch\ninstall -o build -m 0750 hello.txt $d/owned");
  definition.subpackages.emplace_back().name = "hello-doc";
  add_step(definition.subpackages[0].pipeline,
           "mkdir -p melange-out/hello-doc/usr/share/doc\n"
           "mv melange-out/hello/usr/share/hello/epoch melange-out/hello-doc/usr/share/doc/");
  const auto first = run_build(request, sandbox, env);
  ASSERT_TRUE(first) << first.error().render();
  EXPECT_EQ(*os::read_file(first->output / "hello-doc/usr/share/doc/epoch"), "1700000000\n");
  EXPECT_FALSE(os::exists("/usr-was-here"));
  EXPECT_FALSE(os::exists(dir.path() / "tree/usr-was-here"));
  EXPECT_EQ(*store->read(source), "hello, source\n");

  BuildRequest again = request;
  again.work = dir.path() / "again";
  const auto second = run_build(again, sandbox, env);
  ASSERT_TRUE(second) << second.error().render();
  EXPECT_EQ(second->action_key, first->action_key);
  EXPECT_EQ(*compare_trees(first->output, second->output), std::vector<std::string>());
}

TEST_F(SandboxedBuild, TellsWhichSourcesItRead) {
  ASSERT_TRUE(os::make_dirs(dir.path() / "beside"));
  request.source_dir = dir.path() / "beside";
  for (const char* name : {"used.c", "unused.c", "run.sh"})
    ASSERT_TRUE(os::write_file(request.source_dir / name, "true\n"));
  const Sha256 source = *store->put_bytes("a source\n");
  request.sources = {{"https://example.org/a", source, 9, "store", false, "sha256:" + source.hex()}};
  Step fetch;  // What the pipeline does: it reads nothing of what it brings.
  fetch.uses = "fetch";
  add_step(fetch.pipeline, "cp /var/cache/melange/sha256:" + source.hex() + " brought.c\ncp brought.c brought-too.c");
  definition.pipeline.push_back(fetch);
  add_step(definition.pipeline, "sh run.sh\ncat used.c brought-too.c > made.c\nls -l unused.c");
  const auto built = run_build(request, sandbox, env);
  ASSERT_TRUE(built) << built.error().render();
  if (!built->read_mark) GTEST_SKIP() << "access times are not kept here";
  const auto was_read = [&](const char* name) { return os::was_read(built->workspace / name, *built->read_mark); };
  for (const char* name : {"used.c", "run.sh", "brought-too.c", "made.c"}) EXPECT_TRUE(was_read(name)) << name;
  for (const char* name : {"unused.c", "brought.c"}) EXPECT_FALSE(was_read(name)) << name;

  BuildRequest later = request;
  later.work = dir.path() / "again";
  definition.pipeline.insert(definition.pipeline.begin(), Step());
  definition.pipeline.front().runs = "cat unused.c";
  const auto after = run_build(later, sandbox, env);
  ASSERT_TRUE(after) << after.error().render();
  ASSERT_TRUE(after->read_mark);
  EXPECT_TRUE(os::was_read(after->workspace / "unused.c", *after->read_mark)) << "a step before the source read it";
}

TEST_F(SandboxedBuild, FindsABuildThatIsNotReproducible) {
  add_step(definition.pipeline, "cat /proc/sys/kernel/random/uuid > melange-out/hello/id");
  const auto first = run_build(request, sandbox, env);
  ASSERT_TRUE(first) << first.error().render();
  request.work = dir.path() / "again";
  const auto second = run_build(request, sandbox, env);
  const auto found = compare_trees(first->output, second->output);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_THAT(found->front(), testing::MatchesRegex("hello/id: byte [0-9]+ of 37 differs"));
}

TEST_F(SandboxedBuild, ReportsTheStepThatFailed) {
  add_step(definition.pipeline, "echo before\nfalse | cat\necho after");
  const auto built = run_build(request, sandbox, env);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().render(),
            "hello.yaml:1:1: step 'echo before' of 'hello' stopped: exit code 1\n    before\n"
            "  hint: `nacre shell --failed hello` opens a shell where it stopped");
}

TEST_F(SandboxedBuild, RunsATestAsTheUserThatItNames) {
  add_step(definition.test.pipeline, "test \"$(id -u)\" = 1000 && touch mine && test -O mine");
  definition.test.environment.run_as = "build";
  TestRequest test{
      &definition, "hello", &definition.test, host_arch(), request.root, {}, request.work, 0, {}};
  const auto passed = run_test(test, sandbox, env);
  EXPECT_TRUE(passed) << passed.error().render();
}

/// What the steps of the last build printed, and how many of them an earlier build ran.
TEST_F(SandboxedBuild, RunsOnlyWhatAnEditChanged) {
  request.step_cache = dir.path() / "steps";
  const auto build = [&](const std::string& third) {
    definition.pipeline.clear();
    add_step(definition.pipeline, "echo one > a; ln a b; ln -s a l; mkfifo f; chmod 4755 a; date +%N > stamp");
    add_step(definition.pipeline, "echo two >> b; mkdir -p /opt; cp stamp /opt/x; rm /etc/passwd; echo t > /tmp/t");
    add_step(definition.pipeline, third);
    add_step(definition.pipeline, "mkdir -p melange-out/hello/usr; cp -a a b l f melange-out/hello/usr/");
    auto built = run_build(request, sandbox, env);
    EXPECT_TRUE(built) << built.error().render();
    return built;
  };
  const auto kept = [](const BuiltTree& built) {
    return std::count_if(built.steps.begin(), built.steps.end(), [](const StepRecord& step) { return step.kept; });
  };
  const std::string look =
      "cat a stamp; cmp stamp /opt/x; test ! -e /etc/passwd; cat /tmp/t; stat -c '%n %h %a %F %s' a b l f";
  const auto first = build(look + "; echo drei");
  ASSERT_TRUE(first);
  EXPECT_EQ(kept(*first), 0);
  const std::string before = *store->read(first->log);
  const auto second = build(look + "; echo three");
  ASSERT_TRUE(second);
  EXPECT_EQ(kept(*second), 2);
  ASSERT_EQ(second->steps.size(), 4u);
  // The same view, the random stamp of the first build among it.
  const std::string after = *store->read(second->log);
  const std::string seen = before.substr(before.find("one\ntwo\n"), before.find("drei") - before.find("one\ntwo\n"));
  EXPECT_THAT(after, HasSubstr(seen + "three\n"));
  EXPECT_THAT(after, HasSubstr("the state after the 2 steps above was kept"));
  EXPECT_EQ(std::filesystem::hard_link_count(second->output / "hello/usr/a"), 2u);

  request.first_step = 2;
  const auto third = build(look + "; echo three");
  ASSERT_TRUE(third);
  EXPECT_EQ(kept(*third), 1);
  request.first_step = 0;
  definition.environment.variables = {{"NEW", "1"}};  // an input of all steps
  const auto fourth = build(look + "; echo three");
  ASSERT_TRUE(fourth);
  EXPECT_EQ(kept(*fourth), 0);

  // A state that lost a file is no state.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(request.step_cache))
    if (entry.path().filename() == "0") std::filesystem::remove(entry.path());
  const auto fifth = build(look + "; echo four");
  ASSERT_TRUE(fifth);
  EXPECT_EQ(kept(*fifth), 0);
}

TEST_F(SandboxedBuild, FindsStepsByNumberAndName) {
  add_step(definition.pipeline, "echo one");
  definition.pipeline[0].name = "Unpack";
  add_step(definition.pipeline, "echo two");
  EXPECT_EQ(*find_step(definition, "2"), 2u);
  EXPECT_EQ(*find_step(definition, "Unpack"), 1u);
  EXPECT_EQ(*find_step(definition, "hello: echo two"), 2u);
  for (const char* text : {"0", "3", "pack", ""})
    EXPECT_EQ(find_step(definition, text).error().kind(), ErrorKind::kNotFound) << text;
}

TEST_F(SandboxedBuild, TakesTheSourceBeforeAndAfterPreparation) {
  ASSERT_TRUE(os::make_dirs(dir.path() / "side"));
  ASSERT_TRUE(os::write_file(dir.path() / "side/our.patch", "a patch"));
  ASSERT_TRUE(os::write_file(dir.path() / "side/ours.c", "ours"));
  request.source_dir = dir.path() / "side";
  const auto add = [&](const std::string& uses, const std::string& runs) {
    add_step(definition.pipeline, runs);
    definition.pipeline.back().uses = uses;
  };
  add("fetch", "mkdir -p src .git; for f in same edited gone; do echo $f > src/$f; done; echo x > .git/HEAD");
  add("patch", "echo more >> src/edited; rm src/gone");
  // Brought by another source, over what is there: upstream's.
  add("git-checkout", "echo theirs > src/theirs; echo other > src/same");
  add("", "cp ours.c src/new; sed -i s/theirs/ours/ src/theirs");
  add("autoconf/make", "echo built > src/built");
  const auto trees = prepare_trees(request, sandbox, env);
  ASSERT_TRUE(trees) << trees.error().render();
  EXPECT_EQ(trees->until, "step 5 (line 1) uses autoconf/make");
  const auto shown = [](const Path& folder) {
    std::string out;
    const std::vector<os::TreeEntry> entries = *os::walk_tree(folder);
    for (const os::TreeEntry& entry : entries)
      if (entry.type == os::FileType::kRegular)
        out += entry.path.str() + "=" + *os::read_beneath(folder, entry.path);
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
  };
  EXPECT_EQ(shown(trees->pristine), "src/edited=edited src/gone=gone src/same=other src/theirs=theirs ");
  EXPECT_EQ(shown(trees->prepared), "src/edited=edited more src/new=ourssrc/same=other src/theirs=ours ");
}

TEST_F(SandboxedBuild, KnowsWhatStepsDo) {
  const auto role = [&](const std::string& uses, const std::string& runs) {
    Step step;
    step.uses = uses;
    step.runs = runs;
    return static_cast<int>(role_of(step));
  };
  EXPECT_EQ(role("fetch", ""), 0);
  EXPECT_EQ(role("go/bump", ""), 1);
  EXPECT_EQ(role("go/build", ""), 2);
  EXPECT_EQ(role("", "for f in a b; do sed -i s/a/b/ $f; done"), 1);
  EXPECT_EQ(role("", "if [ -f x ]; then mv x y; fi > log"), 1);
  EXPECT_EQ(role("", "sed -i s/a/b/ x && ./configure"), 2);
  EXPECT_EQ(role("", "cp a melange-out/x/"), 2);
  Step nested;
  nested.pipeline.resize(2);
  nested.pipeline[0].uses = "fetch";
  nested.pipeline[1].uses = "git-checkout";
  EXPECT_EQ(role_of(nested), StepRole::kSource);
  nested.pipeline[1].uses = "patch";
  EXPECT_EQ(role_of(nested), StepRole::kPrepare);
}

}  // namespace
}  // namespace nacre::build
