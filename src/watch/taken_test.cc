#include "watch/taken.h"

#include <gtest/gtest.h>

#include "base/events.h"
#include "base/text.h"
#include "build/git_testing.h"
#include "codec/tar.h"
#include "definition/load.h"
#include "net/http.h"
#include "os/clock.h"
#include "store/store.h"

namespace nacre::watch {
namespace {

constexpr const char* kDigest = "7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d";

class TakenTest : public testing::Test {
 protected:
  definition::Definition read(const std::string& steps) {
    const std::string text =
        "package:\n  name: tool\n  version: 1.0\n  epoch: 0\n  description: A tool\n  copyright:\n    - license: MIT\n"
        "pipeline:\n" +
        steps;
    const os::Path file = dir.path() / "packages/tool.yaml";
    auto tree = std::make_shared<const codec::YamlTree>(*codec::parse_yaml(text, file.string()));
    auto definition = definition::read_definition(tree, pipelines, {});
    EXPECT_TRUE(definition) << definition.error().render();
    return *std::move(definition);
  }
  void side_file(const std::string& name, const std::string& text) {
    ASSERT_TRUE(os::make_dirs(side));
    ASSERT_TRUE(os::write_file(side / name, text));
  }
  static std::string mends(const std::string& file, const std::string& from, const std::string& to) {
    return fmt::format("--- a/{0}\n+++ b/{0}\n@@ -1,3 +1,3 @@\n 1\n-{1}\n+{2}\n 3\n", file, from, to);
  }
  /// An archive with a top folder, in the store.
  StoredSource archive(const std::vector<std::pair<std::string, std::string>>& files) {
    std::string bytes;
    for (const auto& [name, text] : files) {
      codec::TarHeader header;
      header.path = "tool-1.1/" + name;
      header.size = text.size();
      bytes += *codec::tar_header(header) + text + std::string(codec::tar_padding(text.size()), '\0');
    }
    bytes += codec::tar_end();
    return {*store->put_bytes(bytes), ""};
  }
  Proposal tried(const definition::Definition& definition, const std::vector<std::optional<StoredSource>>& moved) {
    Proposal proposal;
    proposal.package = "tool";
    proposal.to = "1.1";
    proposal.new_text = definition.yaml->source;
    const auto done = drop_what_upstream_took(definition, moved, proposal, env);
    EXPECT_TRUE(done) << done.error().render();
    return proposal;
  }
  static std::string shown(const Proposal& proposal) {
    std::string out;
    for (const Dropped& one : proposal.dropped) out += one.name + ": " + one.why + "\n";
    for (const SideChange& one : proposal.side_files)
      out += (one.text ? "writes " : "removes ") + one.path.filename().string() + "\n";
    for (const std::string& note : proposal.notes) out += "note: " + note + "\n";
    return out + "problem: " + proposal.problem + "\n";
  }

  const std::string fetch = fmt::format(
      "  - uses: fetch\n    with:\n      uri: https://h/x.tar.gz\n"
      "      expected-sha256: {}\n",
      kDigest);
  definition::PipelineFolders pipelines{{os::Path(NACRE_SOURCE_DIR) / "os/pipelines"}};
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  os::Path side = dir.path() / "packages/tool";
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::SystemProcesses processes;
  os::FakeClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
};

TEST_F(TakenTest, DropsWhatIsThereAndKeepsTheRest) {
  side_file("taken.patch", mends("src/a.c", "old", "new"));
  side_file("ours.patch", mends("src/b.c", "old", "new"));
  side_file("gone.patch", mends("src/c.c", "old", "new"));
  const definition::Definition definition = read(fetch + R"(
  # What is not upstream's.
  - uses: patch
    with:
      patches: |
        taken.patch
        ours.patch
        gone.patch

  - runs: make
)");
  const StoredSource source =
      archive({{"src/a.c", "0\n1\nnew\n3\n"}, {"src/b.c", "1\nold\n3\n"}, {"src/c.c", "1\nother\n3\n"}});
  const Proposal proposal = tried(definition, {source});
  EXPECT_EQ(shown(proposal),
            "taken.patch: 1.1 has it: all 1 hunks fit in reverse, byte for byte\n"
            "removes taken.patch\n"
            "problem: 'gone.patch' no longer applies: hunk 1 of 'src/c.c' does not fit\n");
  EXPECT_EQ(proposal.new_text, replace_all(definition.yaml->source, "        taken.patch\n", ""));
}

TEST_F(TakenTest, TriesEachOnWhatTheOnesBeforeLeave) {
  side_file("1.patch", mends("a", "old", "mid"));
  side_file("2.patch", mends("a", "mid", "new"));
  const definition::Definition definition =
      read(fetch + "  - uses: patch\n    with:\n      patches: 1.patch 2.patch\n");
  EXPECT_EQ(shown(tried(definition, {archive({{"a", "1\nold\n3\n"}})})), "problem: \n");
  // The first is upstream's now, and the second stands on it.
  EXPECT_EQ(shown(tried(definition, {archive({{"a", "1\nmid\n3\n"}})})),
            "1.patch: 1.1 has it: all 1 hunks fit in reverse, byte for byte\nremoves 1.patch\nproblem: \n");
}

TEST_F(TakenTest, DropsAWholeStepAndALineOfASeries) {
  side_file("a.patch", mends("a", "old", "new"));
  side_file("b.patch", "--- sub/b\n+++ sub/b\n@@ -1 +1 @@\n-x\n+y\n");
  side_file("series", "# ours\nb.patch -p0\n");
  const definition::Definition definition = read(fetch + R"(  - uses: patch
    with:
      patches: a.patch
  - uses: patch
    with:
      series: series
)");
  const Proposal proposal = tried(definition, {archive({{"a", "1\nnew\n3\n"}, {"sub/b", "y\n"}})});
  EXPECT_EQ(shown(proposal),
            "a.patch: 1.1 has it: all 1 hunks fit in reverse, byte for byte\n"
            "b.patch: 1.1 has it: all 1 hunks fit in reverse, byte for byte\n"
            "removes a.patch\nwrites series\nremoves b.patch\nproblem: \n");
  EXPECT_EQ(*proposal.side_files[1].text, "# ours\n");
  EXPECT_EQ(proposal.new_text.find("a.patch"), std::string::npos);
  EXPECT_NE(proposal.new_text.find("series: series"), std::string::npos);
}

TEST_F(TakenTest, SaysWhatItCannotTry) {
  side_file("bin.patch", "diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 1\nx\n");
  side_file("late.patch", mends("a", "old", "new"));
  const definition::Definition definition = read(
      fetch + "  - runs: sed -i s/older/old/ a\n  - uses: patch\n    with:\n      patches: bin.patch late.patch\n");
  EXPECT_EQ(shown(tried(definition, {archive({{"a", "1\nolder\n3\n"}})})),
            "note: 'bin.patch' was not tried: it changes the bytes of a file\n"
            "note: 'late.patch' does not fit 1.1 as it is (hunk 1 of 'a' does not fit); a script runs before it\n"
            "problem: \n");
  EXPECT_EQ(shown(tried(definition, {std::nullopt})), "problem: \n");
}

TEST_F(TakenTest, DropsPicksByAncestry) {
  const os::Path work = dir.path() / "mirrors/h.example/a/tool";
  ASSERT_TRUE(os::make_dirs(work));
  build::git_in(work, {"init", "-q"});
  const std::string first = build::commit_file(work, "a", "1\n");
  const std::string taken = build::commit_file(work, "b", "2\n"), tip = build::commit_file(work, "c", "3\n");
  build::git_in(work, {"tag", "v1.1"});
  build::git_in(work, {"checkout", "-q", "-b", "side", first});
  const std::string other = build::commit_file(work, "d", "4\n");
  build::git_in(work, {"clone", "-q", "--bare", ".", (dir.path() / "mirrors/a+tool").string()});
  const std::string picks = fmt::format("        side/{}: ours\n        {}: mends it\n", other, taken);
  const definition::Definition definition = read(
      "  - uses: git-checkout\n    with:\n      repository: https://h.example/a/tool\n      tag: v1.0\n"
      "      expected-commit: " +
      first + "\n      cherry-picks: |\n" + picks);
  definition::Source source = definition.sources.front();
  source.tag = "v1.1";
  source.commit.clear();
  const auto fetched = build::fetch_source(source, {}, {{dir.path() / "mirrors"}, {}, false}, env);
  ASSERT_TRUE(fetched) << fetched.error().render();
  EXPECT_EQ(fetched->commit, tip);
  const Proposal proposal = tried(definition, {StoredSource{fetched->sha256, fetched->commit}});
  EXPECT_EQ(shown(proposal), taken + ": it is in the history of 1.1\nproblem: \n");
  EXPECT_EQ(proposal.new_text, replace_all(definition.yaml->source, fmt::format("        {}: mends it\n", taken), ""));
}

}  // namespace
}  // namespace nacre::watch
