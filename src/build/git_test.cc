// With the real git, on repositories made here: nothing of these sources is worth a fake.
#include "build/git.h"

#include "base/events.h"
#include "base/text.h"
#include "build/git_testing.h"
#include "codec/archive.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <gtest/gtest.h>

namespace nacre::build {
namespace {

using os::Path;

class NoWeb final : public net::Http {
 public:
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    return Error::make(ErrorKind::kUnavailable, "cannot reach {}", request.url);
  }
};

class GitTest : public testing::Test {
 protected:
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::SystemProcesses processes;
  os::FakeClock clock;
  NoWeb web;
  NoEvents events;
  std::stop_source stop;
  Env env{processes, clock, web, *store, events, stop.get_token()};
  FetchPlaces places{{dir.path() / "mirrors"}, {}, false};
  Path work = dir.path() / "work";

  /// A repository with three commits, tags on the second, and its bare clone among the mirrors.
  void SetUp() override {
    ASSERT_TRUE(os::make_dirs(work));
    git_in(work, {"init", "-q"});
    first = commit_file(work, "a", "1");
    second = commit_file(work, "b", "2");
    git_in(work, {"tag", "v1"});
    git_in(work, {"tag", "-a", "-m", "release", "v2"});
    third = commit_file(work, "c", "3");
    mirror("https://host.example/owner/tool.git", "owner+tool");
  }
  void mirror(const std::string&, const std::string& name) {
    ASSERT_TRUE(os::make_dirs(dir.path() / "mirrors"));
    const Path bare = dir.path() / "mirrors" / name;
    git_in(dir.path(), {"clone", "-q", "--bare", "--no-local", work.string(), bare.string()});
  }
  definition::Source source(std::string tag, std::string branch, std::string commit) {
    definition::Source out;
    out.kind = definition::Source::Kind::kGit;
    out.repository = "https://host.example/owner/tool.git";
    out.tag = std::move(tag);
    out.branch = std::move(branch);
    out.commit = std::move(commit);
    out.depth = "unset";
    out.place = {"tool.yaml", 7, 5};
    return out;
  }
  std::string fetch(const definition::Source& wanted) {
    auto got = fetch_git(wanted, places, env);
    if (!got) return got.error().render();
    return got->origin + " " + got->commit;
  }
  /// How many commits of `revision` the archive holds.
  std::string commits_in(const definition::Source& wanted, const std::string& revision) {
    const auto got = fetch_git(wanted, places, env);
    if (!got) return got.error().render();
    const os::TempDir place = *os::TempDir::create(dir.path());
    os::Command command;
    command.argv = {"tar", "-C", place.path().string(), "-xf", store->blob_path(got->sha256).string()};
    EXPECT_TRUE(os::run_or_fail(processes, command));
    return git_in(place.path() / "repository.git", {"rev-list", "--count", revision});
  }
  std::string first, second, third;
};

TEST_F(GitTest, BringsTagsBranchesAndCommits) {
  EXPECT_EQ(fetch(source("v1", "", second)), "directory " + second);
  EXPECT_EQ(fetch(source("v1", "", second)), "store " + second);
  EXPECT_EQ(fetch(source("v2", "", second)), "directory " + second);
  EXPECT_EQ(fetch(source("v2", "", git_in(work, {"rev-parse", "refs/tags/v2"}))), "directory " + second);
  EXPECT_EQ(fetch(source("", "main", third)), "directory " + third);
  EXPECT_EQ(fetch(source("", "main", first)), "directory " + first);
  EXPECT_EQ(fetch(source("", "", third)), "directory " + third);
  EXPECT_EQ(fetch(source("v1", "", "")), "directory " + second) << "and again, since nothing pins it";
  EXPECT_EQ(fetch(source("v1", "", "")), "directory " + second);
}

TEST_F(GitTest, BringsNoMoreHistoryThanAsked) {
  EXPECT_EQ(commits_in(source("v1", "", second), "refs/tags/v1"), "1");
  definition::Source whole = source("v1", "", second);
  whole.depth = "-1";
  EXPECT_EQ(commits_in(whole, "refs/tags/v1"), "2");
  EXPECT_EQ(commits_in(source("", "main", first), "refs/heads/main"), "3");
  definition::Source picked = source("v1", "", second);
  picked.cherry_picks = "main/" + third + ": why";
  EXPECT_EQ(commits_in(picked, "refs/heads/main"), "3");
}

TEST_F(GitTest, RefusesWhatIsNotExpected) {
  const std::string zeros(40, '0');
  const std::string place = "tool.yaml:7:5: ", name = "'https://host.example/owner/tool.git'";
  EXPECT_NE(fetch(source("v1", "", first))
                .find("tag 'v1' of " + name + " is another commit than expected;   expected " + first +
                      ";   found " + second),
            std::string::npos)
      << fetch(source("v1", "", first));
  EXPECT_NE(fetch(source("", "main", zeros)).find("commit " + zeros + " is not part of refs/heads/main"),
            std::string::npos);
  EXPECT_NE(fetch(source("v9", "", first)).find("couldn't find remote ref refs/tags/v9"), std::string::npos);
  EXPECT_EQ(fetch(source("v1", "main", second)),
            place + "git-checkout names both a branch ('main') and a tag ('v1')");
  EXPECT_EQ(fetch(source("--upload-pack=x", "", second)), place + "'--upload-pack=x' cannot be the name of a tag");
  EXPECT_EQ(fetch(source("", "a b", second)), place + "'a b' cannot be the name of a branch");
  definition::Source deep = source("v1", "", second);
  deep.depth = "all";
  EXPECT_EQ(fetch(deep), place + "depth: expected a number of commits or -1, found 'all'");
  definition::Source tip = source("", "main", first);
  tip.branch_tip = true;
  EXPECT_NE(fetch(tip).find("is not the tip of refs/heads/main"), std::string::npos);
}

TEST_F(GitTest, BringsSubmodules) {
  const Path inner = dir.path() / "inner";
  ASSERT_TRUE(os::make_dirs(inner));
  git_in(inner, {"init", "-q"});
  ASSERT_TRUE(os::write_file(inner / "x", "x"));
  git_in(inner, {"add", "-A"});
  git_in(inner, {"commit", "-q", "-m", "x"});
  git_in(dir.path(), {"clone", "-q", "--bare", inner.string(), (dir.path() / "mirrors/owner+inner").string()});
  git_in(work, {"submodule", "--quiet", "add", inner.string(), "sub"});
  git_in(work, {"config", "-f", ".gitmodules", "submodule.sub.url", "../inner.git"});
  git_in(work, {"commit", "-q", "-am", "module"});
  git_in(work, {"push", "-q", "--force", (dir.path() / "mirrors/owner+tool").string(), "main"});
  definition::Source wanted = source("", "main", git_in(work, {"rev-parse", "HEAD"}));
  wanted.submodules = true;
  const auto got = fetch_git(wanted, places, env);
  ASSERT_TRUE(got) << got.error().render();
  std::string names, addresses;
  bool inside = false;
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    inside = header.path.ends_with("addresses");
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (inside) addresses += bytes;
    return {};
  };
  ASSERT_TRUE(codec::read_archive(store->blob_path(got->sha256), visitor));
  EXPECT_EQ(addresses,
            "https://host.example/owner/tool.git\trepository.git\n"
            "https://host.example/owner/inner.git\tmodules/1.git\n");
}

TEST(GitAddresses, NamesOfMirrors) {
  const auto text = [](std::string_view repository) {
    std::string out;
    for (const Path& name : mirror_names(repository)) out += name.string() + " ";
    return out;
  };
  EXPECT_EQ(text("https://github.com/madler/zlib.git"),
            "madler+zlib/repo madler+zlib github.com/madler/zlib.git github.com/madler/zlib madler/zlib.git "
            "madler/zlib ");
  EXPECT_EQ(text("git@host:a/b"), "a+b/repo a+b host/a/b.git host/a/b a/b.git a/b ");
  EXPECT_EQ(text("https://host/../../etc"), "");
  EXPECT_EQ(text("https://host"), "");
}

TEST(GitAddresses, OfSubmodules) {
  EXPECT_EQ(submodule_address("https://h/o/a", "../b.git"), "https://h/o/b.git");
  EXPECT_EQ(submodule_address("https://h/o/a/", "./b"), "https://h/o/a/b");
  EXPECT_EQ(submodule_address("https://h/o/a", "../../../../x"), "https://h/x");
  EXPECT_EQ(submodule_address("https://h/o/a", "https://other/x"), "https://other/x");
}

TEST(GitAddresses, WhatIsRemote) {
  for (const char* remote : {"https://h/a", "http://h/a", "git://h/a", "ssh://h/a", "git@h:a/b"})
    EXPECT_TRUE(is_remote_repository(remote)) << remote;
  for (const char* local : {"/home/build/x", "x", "./x", "file:///x", "ext::sh -c id", "-u", "a/b@c:d"})
    EXPECT_FALSE(is_remote_repository(local)) << local;
}

}  // namespace
}  // namespace nacre::build
