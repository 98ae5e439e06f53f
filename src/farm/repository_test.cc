#include "farm/repository.h"

#include "base/events.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::farm {
namespace {

class RepositoryTest : public testing::Test {
 protected:
  void SetUp() override {
    write("packages/zlib.yaml", "version: 1\n");
    write("packages/zlib/fix.patch", "-a\n+b\n");
    ASSERT_TRUE(Repository::ensure(folder_, "main", dir_.path() / "os", env_));
    repository_.emplace(Repository::open(folder_, "main", dir_.path() / "trees", env_).take());
  }
  void write(const std::string& path, const std::string& text, const Path& below = {}) {
    const Path file = (below.empty() ? dir_.path() / "os" : below) / path;
    ASSERT_TRUE(os::make_dirs(file.parent_path()));
    ASSERT_TRUE(os::write_file(file, text));
  }
  std::string propose(const std::string& branch, const std::string& text) {
    const Path tree = repository_->check_out(branch, repository_->head("main").take()).take();
    write("packages/zlib.yaml", text, tree);
    return repository_->commit(branch, "zlib 1 -> " + text, Repository::Amend::kNo).take();
  }

  os::TempDir dir_ = os::TempDir::create(testing::TempDir(), "repository-").take();
  Path folder_ = dir_.path() / "definitions.git";
  os::SystemProcesses processes_;
  os::SystemClock clock_;
  net::RecordedHttp http_;
  NoEvents events_;
  std::unique_ptr<store::Store> store_ = store::Store::open(dir_.path() / "home").take();
  Env env_{processes_, clock_, http_, *store_, events_, {}};
  std::optional<Repository> repository_;
};

TEST_F(RepositoryTest, AProposalIsABranchWithOneCommit) {
  const std::string main = repository_->head("main").take();
  const std::string commit = propose("farm/1-zlib", "version: 2\n");
  EXPECT_NE(commit, main);
  EXPECT_EQ(repository_->head("farm/1-zlib").take(), commit);
  EXPECT_EQ(repository_->subject(commit).take(), "zlib 1 -> version: 2");
  EXPECT_THAT(repository_->changed_definitions(main, commit).take(), testing::ElementsAre("zlib"));
  EXPECT_THAT(repository_->diff("farm/1-zlib").take(), testing::HasSubstr("+version: 2"));
  EXPECT_THAT(repository_->diff("main", main).take(), "");
  EXPECT_FALSE(repository_->contains("main", commit).take());
  // An epoch that the factory wrote goes into the same commit.
  write("packages/zlib.yaml", "version: 2\nepoch: 1\n", repository_->check_out("farm/1-zlib", main).take());
  const std::string amended = repository_->commit("farm/1-zlib", "", Repository::Amend::kYes).take();
  EXPECT_NE(amended, commit);
  EXPECT_EQ(repository_->subject(amended).take(), "zlib 1 -> version: 2");
  ASSERT_TRUE(repository_->advance_main(main, amended));
  EXPECT_TRUE(repository_->contains("main", amended).take());
  EXPECT_EQ(repository_->diff("farm/1-zlib").take(), "") << "it is merged";
  EXPECT_THAT(repository_->diff("farm/1-zlib", main).take(), testing::HasSubstr("+version: 2"));
  EXPECT_TRUE(repository_->unmerged("farm/").take().empty());
  ASSERT_TRUE(repository_->remove("farm/1-zlib"));
  EXPECT_EQ(repository_->head("farm/1-zlib").error().kind(), ErrorKind::kNotFound);
  ASSERT_TRUE(repository_->remove("farm/1-zlib")) << "twice is fine";
}

TEST_F(RepositoryTest, MainMovesOnlyFromWhereItWasExpected) {
  const std::string main = repository_->head("main").take();
  const std::string one = propose("farm/1", "version: 2\n"), two = propose("farm/2", "version: 3\n");
  ASSERT_TRUE(repository_->advance_main(main, one));
  EXPECT_EQ(repository_->advance_main(main, two).error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(repository_->head("main").take(), one);
}

TEST_F(RepositoryTest, RebasesOrSaysWhyNot) {
  const std::string main = repository_->head("main").take();
  const Path tree = repository_->check_out("farm/1", main).take();
  write("packages/xz.yaml", "version: 5\n", tree);
  const std::string before = repository_->commit("farm/1", "xz", Repository::Amend::kNo).take();
  const std::string clash = propose("farm/2", "version: 9\n");
  ASSERT_TRUE(repository_->advance_main(main, propose("farm/3", "version: 2\n")));
  const std::string after = repository_->rebase("farm/1").take();
  EXPECT_NE(after, before);
  EXPECT_THAT(repository_->changed_definitions(repository_->head("main").take(), after).take(),
              testing::ElementsAre("xz"));
  EXPECT_EQ(repository_->rebase("farm/2").error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(repository_->head("farm/2").take(), clash) << "the branch stays";
}

TEST_F(RepositoryTest, ATreeLeftByACrashIsMadeAnew) {
  const std::string commit = propose("farm/1", "version: 2\n");
  const Path tree = repository_->check_out("farm/1", commit).take();
  write("packages/zlib.yaml", "half a wri", tree);
  ASSERT_TRUE(os::write_file(dir_.path() / "definitions.git/worktrees/farm-1/index.lock", ""));
  const Path again = repository_->check_out("farm/1", commit).take();
  EXPECT_EQ(os::read_file(again / "packages/zlib.yaml").take(), "version: 2\n");
  EXPECT_EQ(repository_->commit("farm/1", "nothing", Repository::Amend::kNo).take(), commit);
}

TEST_F(RepositoryTest, WhatAGitLeftThatWasKilledIsNoObstacle) {
  const std::string commit = propose("farm/1", "version: 2\n");
  // As `git worktree add` leaves it, killed before the end; and a branch that was being written.
  ASSERT_TRUE(os::write_file(folder_ / "worktrees/farm-1/locked", "initializing"));
  ASSERT_TRUE(os::write_file(folder_ / "refs/heads/farm/1.lock", ""));
  // Killed while it wrote the packed branches anew; the lock went with an earlier start.
  ASSERT_TRUE(os::write_file(folder_ / "packed-refs.new", "# pack-refs"));
  ASSERT_TRUE(os::remove_tree(dir_.path() / "trees/farm-1"));
  repository_->clear_leftovers();
  ASSERT_TRUE(repository_->remove("farm/1"));
  EXPECT_NE(propose("farm/1", "version: 3\n"), commit);
  // Killed before it said where the tree is.
  ASSERT_TRUE(os::write_file(folder_ / "worktrees/farm-1/gitdir", ""));
  ASSERT_TRUE(os::write_file(folder_ / "worktrees/farm-1/locked", "initializing"));
  ASSERT_TRUE(repository_->remove("farm/1"));
  propose("farm/1", "version: 4\n");
}

TEST_F(RepositoryTest, ARecordThatLostItsContentIsNoObstacle) {
  propose("farm/1", "version: 2\n");
  ASSERT_TRUE(os::write_file(folder_ / "worktrees/farm-1/commondir", ""));
  const std::string main = repository_->head("main").take();
  ASSERT_FALSE(repository_->check_out("farm/2", main)) << "git minds";
  repository_->clear_leftovers();
  ASSERT_TRUE(repository_->check_out("farm/2", main));
  const Path again = repository_->check_out("farm/1", main).take();
  EXPECT_EQ(os::read_file(again / "packages/zlib.yaml").take(), "version: 2\n");
}

TEST_F(RepositoryTest, FindsWhatPeoplePushed) {
  propose("change/by-hand", "version: 4\n");
  propose("other", "version: 5\n");
  const std::vector<Branch> found = repository_->unmerged("change/").take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "change/by-hand");
  EXPECT_EQ(found[0].subject, "zlib 1 -> version: 4");
}

TEST_F(RepositoryTest, GitTakesTheNameOfAnyChangesBranch) {
  const std::pair<const char*, const char*> rows[] = {
      {"zlib", "1.3.2"},      {"zlib: mend it at last.", ""}, {"a..b", ""},        {"change/words", ""},
      {"x.lock", ""},         {".hidden", ""},                {"a.", ".1"},        {"caf\xc3\xa9 @{1} ^~:?*[\\", ""},
      {"", ""},               {"tool", "1.0_git2026+x~y"},    {"-rf", ""},         {"a//b/", ""},
      {"line\ttab", "2.lock"}, {"end of life: a, b", ""}};
  const std::string main = repository_->head("main").take();
  std::int64_t id = 0;
  for (const auto& [package, to] : rows) {
    Change change;
    change.id = ++id;
    change.package = package;
    change.to = to;
    const std::string name = branch_name(change);
    const auto tree = repository_->check_out(name, main);
    EXPECT_TRUE(tree) << name << ": " << tree.error().render();
    EXPECT_EQ(repository_->head(name).take(), main);
  }
  Change change;
  change.id = 7;
  change.package = "zlib";
  change.to = "1.3.2";
  EXPECT_EQ(branch_name(change), "farm/7-zlib-1.3.2");
  EXPECT_EQ(change_of_branch("farm/7-zlib-1.3.2"), 7);
  for (const char* other : {"farm/view", "change/7-x", "main", "farm/x-7", "farm/-", "farm/7"})
    EXPECT_EQ(change_of_branch(other), std::nullopt) << other;
  EXPECT_EQ(repository_->branches("farm/").take().size(), std::size(rows));
  EXPECT_EQ(repository_->branches("change/").take().size(), 0u);
}

TEST_F(RepositoryTest, SaysWhatABranchTouches) {
  const std::string main = repository_->head("main").take();
  const Path tree = repository_->check_out("farm/1", main).take();
  write("packages/xz.yaml", "version: 5\n", tree);
  write("packages/zlib/fix.patch", "-a\n+c\n", tree);
  write("sources.lock", "sources: []\n", tree);
  const std::string one = repository_->commit("farm/1", "xz", Repository::Amend::kNo).take();
  EXPECT_THAT(repository_->changed_definitions(main, one).take(), testing::ElementsAre("xz", "zlib"));
  write("farm.yaml", "merge: {}\n", tree);
  const std::string two = repository_->commit("farm/1", "rules", Repository::Amend::kNo).take();
  EXPECT_THAT(repository_->changed_definitions(main, two).take(), testing::ElementsAre("", "xz", "zlib"));
  EXPECT_THAT(repository_->changed_definitions(one, two).take(), testing::ElementsAre(""));
  EXPECT_THAT(repository_->changed_rules(main, one).take(), testing::IsEmpty());
  EXPECT_THAT(repository_->changed_rules(main, two).take(), testing::ElementsAre(testing::EndsWith("farm.yaml")));
  write("keys/people/\xc3\xa4nne \"x\".pub", "key\n", tree);
  const std::string three = repository_->commit("farm/1", "a key", Repository::Amend::kNo).take();
  EXPECT_THAT(repository_->changed_rules(two, three).take(), testing::SizeIs(1));
}

TEST_F(RepositoryTest, RefusesWhatItWouldBreak) {
  EXPECT_EQ(Repository::open(dir_.path() / "none", "main", dir_.path() / "t", env_).error().kind(),
            ErrorKind::kNotFound);
  EXPECT_EQ(Repository::open(folder_, "trunk", dir_.path() / "t", env_).error().kind(), ErrorKind::kNotFound);
  os::Command clone;
  clone.inherit_env = true;
  clone.argv = {"git", "clone", "--quiet", folder_.string(), (dir_.path() / "clone").string()};
  ASSERT_TRUE(processes_.run(clone)->ok());
  const auto refused = Repository::open(dir_.path() / "clone", "main", dir_.path() / "t", env_);
  EXPECT_THAT(refused.error().render(), testing::HasSubstr("has its branch 'main' checked out"));
}

}  // namespace
}  // namespace nacre::farm
