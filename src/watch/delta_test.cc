#include "watch/delta.h"

#include <gtest/gtest.h>

#include "base/events.h"
#include "base/text.h"
#include "build/git_testing.h"
#include "definition/load.h"
#include "net/http.h"
#include "os/clock.h"
#include "store/store.h"
#include "watch/defaults.h"
#include "watch/delta_steps.h"

namespace nacre::watch {
namespace {

constexpr const char* kDigest = "7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d";
constexpr const char* kPatch = "Forwarded: no\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\n";

class DeltaTest : public testing::Test {
 protected:
  /// A definition of this pipeline, with the pipelines of the distribution.
  definition::Definition read(const std::string& pipeline, const std::string& more = "") {
    const std::string text =
        "package:\n  name: tool\n  version: 1.0\n  epoch: 0\n  description: A tool\n  copyright:\n    - license: MIT\n"
        "pipeline:\n  - uses: fetch\n    with:\n      uri: https://h/x.tar.gz\n      expected-sha256: " +
        std::string(kDigest) + "\n" + pipeline + more;
    auto tree = std::make_shared<const codec::YamlTree>(*codec::parse_yaml(text, "tool.yaml"));
    auto definition = definition::read_definition(tree, pipelines, {});
    EXPECT_TRUE(definition) << definition.error().render();
    return *std::move(definition);
  }
  void side_file(const std::string& name, const std::string& text) {
    ASSERT_TRUE(os::make_dirs((side / name).parent_path()));
    ASSERT_TRUE(os::write_file(side / name, text));
  }
  Delta measured(const definition::Definition& definition, const Ages& ages = {}) {
    auto delta = measure_definition(definition, side, lock, ages);
    EXPECT_TRUE(delta) << delta.error().render();
    return *std::move(delta);
  }

  definition::PipelineFolders pipelines{{os::Path(NACRE_SOURCE_DIR) / "os/pipelines"}};
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  os::Path side = dir.path() / "packages/tool";
  std::vector<build::LockedSource> lock;
};

TEST_F(DeltaTest, CountsWhatADefinitionChanges) {
  for (const char* name : {"a.patch", "b.patch", "listed.patch", "dead.patch", "sub/in.diff", "named.patch"})
    side_file(name, kPatch);
  side_file("series", "listed.patch -p0\n# dead.patch\n");
  side_file("install.sh", "cp named.patch /x\n");
  const definition::Definition definition = read(R"(  - uses: patch
    with:
      patches: a.patch upstream.patch
  - working-directory: src
    pipeline:
      - uses: patch
        with:
          patches: |
            ../b.patch
  - uses: patch
    with:
      series: series
  - runs: |
      patch -p1 < sub/in.diff
      sed -i 's/a/b/' Makefile
      cat > new.c <<EOF
      sed -i no
      EOF
      sed -i 's/x/y/' ${{targets.destdir}}/usr/lib/x.pc
  - uses: go/bump
    with:
      deps: |
        a.org/b@v1.2
        a.org/c@v1.3
      replaces: x=y@v1
  - uses: autoconf/configure
    with:
      opts: --disable-nls --with-x=no
subpackages:
  - range: names
    name: tool-${{range.key}}
    pipeline:
      - runs: sed -i s/a/b/ f
data:
  - name: names
    items: {one: "1", two: "2"}
)");
  const Delta delta = measured(definition, {{"tool/a.patch", 1700000000}});
  std::string text;
  for (const AppliedPatch& patch : delta.patches)
    text += fmt::format("{}={}:{}+{}-{}@{} ", patch.name, patch.file, patch.count.hunks, patch.count.added,
                        patch.count.removed, patch.carried_since);
  EXPECT_EQ(text,
            "a.patch=a.patch:1+2-1@1700000000 upstream.patch=:0+0-0@0 ../b.patch=b.patch:1+2-1@0 "
            "listed.patch=listed.patch:1+2-1@0 sub/in.diff=sub/in.diff:1+2-1@0 ");
  EXPECT_EQ(delta.patches[0].header.status(), "not forwarded");
  EXPECT_EQ(join(delta.dead_patches, " "), "");
  text.clear();
  for (const Edit& edit : delta.edits)
    text += fmt::format("{}({}){} ", name_of(edit.kind), edit.files, edit.of_output ? "!" : "");
  EXPECT_EQ(text,
            "patch(sub/in.diff) sed(Makefile) here-document(new.c) sed(/home/build/melange-out/tool/usr/lib/x.pc)! "
            "sed(f)! ");
  EXPECT_EQ(delta.bump_entries(), 3u);
  EXPECT_EQ(delta.switches.size(), 2u);
  EXPECT_TRUE(delta.has_any());
  const DeltaTotals totals = sum({delta, Delta{}});
  EXPECT_EQ(fmt::format("{} {} {} {} {} {}", totals.definitions, totals.with_any, totals.patches, totals.hunks,
                        totals.source_edits, totals.bump_entries),
            "2 1 5 4 3 3");
}

TEST_F(DeltaTest, FindsDeadPatchesAndRepackedSources) {
  side_file("dead.patch", kPatch);
  side_file("README", "what dead.pat does\n");
  lock = {{.sha256 = *parse_sha256(kDigest), .repacked = true}};
  const Delta delta = measured(read("  - runs: make\n"));
  EXPECT_EQ(join(delta.dead_patches, " "), "dead.patch");
  EXPECT_EQ(delta.source_kind, "repacked");
  EXPECT_EQ(delta.repacked_sources, 1u);
  EXPECT_TRUE(delta.edits.empty());
}

TEST_F(DeltaTest, KnowsPicks) {
  const Delta delta = measured(read(R"(  - uses: git-checkout
    with:
      repository: https://h/r
      tag: v1
      expected-commit: 1111111111111111111111111111111111111111
      cherry-picks: |
        1.x/abc: mends it # a remark
        # nothing
        def: and that
)"));
  std::string text;
  for (const Pick& pick : delta.picks) text += pick.branch + "/" + pick.commit + "(" + pick.why + ") ";
  EXPECT_EQ(text, "1.x/abc(mends it) /def(and that) ");
}

TEST(DeltaSteps, KnowEdits) {
  const struct {
    const char *command, *expected;
  } rows[] = {
      {"sed -i s/a/b/ f g", "sed(f g)"},
      {"sed -Ei.bak 's/a/b/' f", "sed(f)"},
      {"sed -n p f", "-"},
      {"sed --in-place -e s/a/b/ -e s/c/d/ f", "sed(f)"},
      {"sed -e s/i/j/ f", "-"},
      {"find . -name '*.c' -exec sed -i s/a/b/ {} +", "sed()"},
      {"grep -l x | xargs sed -i s/a/b/", "-"},
      {"perl -pi -e 's/a/b/' f", "perl(f)"},
      {"perl -e 'print 1' f", "-"},
      {"awk -i inplace '{print}' f", "awk(f)"},
      {"patch -p1 < x.patch", "patch(x.patch)"},
      {"git apply x.patch", "patch()"},
      {"cat > f <<E\nE\n", "here-document(f)"},
      {"cat <<E\nE\n", "-"},
      {"tee -a f <<E\nE\n", "here-document(f)"},
      {"make", "-"},
  };
  for (const auto& row : rows) {
    const auto edit = edit_of(definition::script_commands(row.command).front());
    EXPECT_EQ(edit ? fmt::format("{}({})", name_of(edit->kind), edit->files) : "-", row.expected) << row.command;
  }
}

TEST(DeltaSteps, KnowPaths) {
  EXPECT_EQ(workspace_path("src", "../x"), "x");
  EXPECT_EQ(workspace_path("", "/home/build/a/./b"), "a/b");
  EXPECT_EQ(workspace_path("", "../x"), "");
  EXPECT_EQ(workspace_path("", "/etc/x"), "");
  EXPECT_EQ(without_dots("../../x"), "x");
  EXPECT_TRUE(is_output("/home/build/melange-out/x"));
  EXPECT_TRUE(is_output("/etc/passwd"));
  EXPECT_FALSE(is_output("/home/build/x y"));
}

TEST(Defaults, AreReadFromTheSource) {
  Defaults defaults;
  add_defaults("configure", R"(
Optional Features:
  --disable-FEATURE       do not include FEATURE (same as --enable-FEATURE=no)
  --disable-nls           do not use Native Language Support
  --enable-shared[=PKGS]  build shared libraries [default=yes]
  --enable-big            make it big
  --enable-maybe          make it
                          so (default: auto)
  --enable-silent-rules   less verbose build output (undo: "make V=1")
  --disable-silent-rules  verbose build output (undo: "make V=0")
Optional Packages:
  --with-x                use the X Window System
  --without-gdbm          build without gdbm
  --with-ssl=DIR          enable TLS
)",
               defaults);
  add_defaults("CMakeLists.txt",
               "option(WITH_A \"a (b) c\" ON)\n  option(WITH_B \"b\")\nset(LEVEL \"2\" CACHE STRING \"level\")\n"
               "cmake_dependent_option(WITH_C \"c\" ON \"WITH_A\" OFF)\noption(WITH_D \"d\" ${X})\n",
               defaults);
  add_defaults(
      "meson_options.txt",
      "option('tests', type : 'boolean', value : false, description : 'x (y')\noption('nls', type: 'feature')\n"
      "option('kind', type : 'combo', choices : ['a', 'b'])\n",
      defaults);
  std::vector<Switch> switches;
  add_switches(
      Switch::Tool::kAutoconf,
      definition::shell_words("--disable-nls --enable-shared --enable-big --disable-maybe --enable-silent-rules "
                              "--with-x --without-gdbm --with-ssl --prefix=/usr --bindir=/b CC=gcc --enable-nls"),
      {}, switches);
  add_switches(Switch::Tool::kCMake,
               definition::shell_words("-DWITH_A=ON -DWITH_B:BOOL=ON -DLEVEL=3 -D WITH_C=OFF -DWITH_D=1 -G x "
                                       "-DCMAKE_INSTALL_PREFIX=/usr"),
               {}, switches);
  add_switches(Switch::Tool::kMeson,
               definition::shell_words("setup -Dtests=false -Dnls=enabled -Dkind=b --buildtype=release -Dlibdir=lib"),
               {}, switches);
  judge_switches(switches, defaults);
  std::string text;
  for (const Switch& one : switches)
    text += fmt::format("{} {}{}\n", one.text, name_of(one.verdict), one.fallback.empty() ? "" : " " + one.fallback);
  EXPECT_EQ(text, R"(--disable-nls differs yes
--enable-shared default yes
--enable-big differs no
--disable-maybe differs auto
--enable-silent-rules stated
--with-x stated
--without-gdbm differs yes
--with-ssl differs no
--prefix=/usr place
--bindir=/b place
--enable-nls default yes
-DWITH_A=ON default yes
-DWITH_B:BOOL=ON differs no
-DLEVEL=3 differs 2
-DWITH_C=OFF differs yes
-DWITH_D=1 stated
-DCMAKE_INSTALL_PREFIX=/usr place
-Dtests=false default no
-Dnls=enabled differs auto
-Dkind=b differs a
--buildtype=release differs debug
-Dlibdir=lib place
)");
}

TEST(Ages, ComeFromGit) {
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const auto store = *store::Store::open(dir.path() / "home");
  os::SystemProcesses processes;
  os::FakeClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  const os::Path repo = dir.path() / "repo", packages = repo / "packages";
  ASSERT_TRUE(os::make_dirs(packages / "tool"));
  build::git_in(repo, {"init", "-q"});
  EXPECT_TRUE(ages_in_git(packages, env).empty());
  build::commit_file(repo, "packages/tool/a.patch", kPatch);
  build::commit_file(repo, "packages/tool/b.txt", "no patch");
  build::git_in(repo, {"mv", "packages/tool/a.patch", "packages/tool/c.patch"});
  build::git_in(repo, {"commit", "-q", "-m", "move"});
  const Ages ages = ages_in_git(packages, env);
  ASSERT_EQ(ages.size(), 1u);
  EXPECT_EQ(ages.begin()->first, "tool/c.patch");
  EXPECT_EQ(ages.begin()->second, 1700000000);
  EXPECT_TRUE(ages_in_git(dir.path() / "home", env).empty());
}

TEST(Delta, TellsHowFarBehind) {
  Delta delta;
  delta.version = "1.3.1";
  add_observation(delta, {FeedKind::kGitHub, {{"1.5", "", 300}, {"1.4", "", 200}, {"1.3.1", "", 100}}, {}});
  EXPECT_EQ(fmt::format("{} {} {}", delta.newest, delta.releases_behind, delta.first_newer), "1.5 2 200");
  Delta current;
  current.version = "1.5";
  add_observation(current, {FeedKind::kGitHub, {{"1.5", "", 300}}, {}});
  EXPECT_EQ(fmt::format("{} {} {}", current.newest, current.releases_behind, current.first_newer), "1.5 0 0");
}

}  // namespace
}  // namespace nacre::watch
