#include "watch/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/events.h"
#include "base/text.h"
#include "build/git_testing.h"
#include "codec/digest.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"
#include "watch/debian.h"
#include "watch/feeds.h"
#include "watch/releases.h"

#include <chrono>
#include <thread>

namespace nacre::watch {
namespace {

using testing::ElementsAre;

std::string message_of(const Error& error) {
  return error.render();
}

// ---- select_releases

std::string versions_of(const definition::Update& update, FeedKind kind, const std::vector<RawRelease>& raw) {
  const auto selected = select_releases(update, kind, raw);
  if (!selected) return message_of(selected.error());
  std::string out;
  for (const Release& release : *selected) out += release.version + "<" + release.tag + "> ";
  return out;
}

TEST(Releases, AreSelectedByTheBlock) {
  struct Row {
    const char* what;
    definition::Update update;
    FeedKind kind;
    std::vector<RawRelease> raw;
    std::string expected;
  };
  definition::Update plain, prefixed, suffixed, contains, git, monitor, separator, transform, named, ignore, previews,
      bad;
  prefixed.github = {{.identifier = "a/b", .strip_prefix = "v", .tag_filter_prefix = "v"}};
  suffixed.github = {{.identifier = "a/b", .strip_prefix = "rel-", .strip_suffix = "-final"}};
  contains.github = {{.identifier = "a/b", .strip_prefix = "lib-", .tag_filter_contains = "lib"}};
  git.git = {{.strip_prefix = "n", .tag_filter_prefix = "n8"}};
  monitor.release_monitor = {{.identifier = "5", .strip_suffix = "p1", .version_filter_prefix = "10."}};
  separator.version_separator = "_";
  transform.version_transform = {{"^(\\d{4})(\\d{2})$", "$1.${2}"}, {"x$", "$"}};
  named.version_transform = {{"^(?P<year>\\d{4})-(\\d+)$", "${year}.$2${3}$9"}, {"^r(\\d+)$", "$1_$1.${x}$"}};
  ignore.ignore_regex_patterns = {"^2\\.", "old"};
  previews.enable_prerelease_tags = true;
  bad.ignore_regex_patterns = {"("};
  const auto tags = [](const std::vector<std::string>& list) {
    std::vector<RawRelease> out;
    for (const std::string& tag : list) out.push_back({tag, 0, false});
    return out;
  };
  const Row rows[] = {
      {"newest first, each once", plain, FeedKind::kPyPI, tags({"1.9", "1.10", "1.2", "1.10"}),
       "1.10<1.10> 1.9<1.9> 1.2<1.2> "},
      {"no versions", plain, FeedKind::kPyPI, tags({"", "latest", "1.0-beta", "v1", "1.0~rc1", "../1"}), ""},
      {"prefix", prefixed, FeedKind::kGitHub, tags({"v1.2", "1.3", "w1.4"}), "1.2<v1.2> "},
      {"prefix and suffix", suffixed, FeedKind::kGitHub, tags({"rel-3-final", "rel-4"}), "4<rel-4> 3<rel-3-final> "},
      {"contains", contains, FeedKind::kGitHub, tags({"lib-3", "app-9"}), "3<lib-3> "},
      {"the rules of another form do not count", prefixed, FeedKind::kDebian, tags({"1.2", "v1.3"}), "1.2<1.2> "},
      {"git", git, FeedKind::kGit, tags({"n8.0", "n7.1", "n8.0.1"}), "8.0.1<n8.0.1> 8.0<n8.0> "},
      {"release monitor", monitor, FeedKind::kReleaseMonitor, tags({"10.0p1", "9.9"}), "10.0<10.0p1> "},
      {"Go", plain, FeedKind::kGo, tags({"v1.2.3", "v2.0.0+incompatible"}), "1.2.3<v1.2.3> "},
      {"separator", separator, FeedKind::kPyPI, tags({"1_85_0"}), "1.85.0<1_85_0> "},
      {"transform", transform, FeedKind::kPyPI, tags({"202611", "7x"}), "2026.11<202611> "},
      // As in Go: "$1_" names a group "1_", and what names no group is nothing.
      {"groups by name, and none", named, FeedKind::kPyPI, tags({"2026-11", "r7", "1.0"}),
       "2026.11<2026-11> 1.0<1.0> "},
      {"ignored", ignore, FeedKind::kPyPI, tags({"1.0", "2.0", "1.5"}), "1.5<1.5> 1.0<1.0> "},
      {"previews are left out",
       plain,
       FeedKind::kGitHub,
       {{"1.1_rc1", 0, false}, {"1.2", 0, true}, {"1.0", 0, false}},
       "1.0<1.0> "},
      {"previews are wanted",
       previews,
       FeedKind::kGitHub,
       {{"1.1_rc1", 0, false}, {"1.2", 0, true}},
       "1.2<1.2> 1.1_rc1<1.1_rc1> "},
      {"a faulty pattern", bad, FeedKind::kPyPI, tags({"1"}),
       "'(' is no regular expression: missing ): (\n  while reading ignore-regex-patterns"},
  };
  for (const Row& row : rows) EXPECT_EQ(versions_of(row.update, row.kind, row.raw), row.expected) << row.what;
}

// ---- readers

TEST(Feeds, KnowAPackageByItsPath) {
  const auto text = [](std::string_view uri) {
    const auto found = package_of_uri(uri);
    return found ? fmt::format("{} {} {}", name_of(found->kind), found->group, found->name) : std::string("-");
  };
  EXPECT_EQ(text("https://host/packages/source/r/requests/requests-2.32.0.tar.gz"), "PyPI  requests");
  EXPECT_EQ(text("https://host/left-pad/-/left-pad-1.3.0.tgz"), "npm  left-pad");
  EXPECT_EQ(text("https://host/@types/node/-/node-20.0.0.tgz"), "npm  @types/node");
  EXPECT_EQ(text("https://host/github.com/BurntSushi/toml/@v/v1.4.0.zip"), "Go  github.com/BurntSushi/toml");
  EXPECT_EQ(text("https://host/crates/serde/serde-1.0.0.crate"), "crates  serde");
  EXPECT_EQ(text("https://host/api/v1/crates/serde/1.0.0/download"), "crates  serde");
  EXPECT_EQ(text("https://host/maven2/org/slf4j/slf4j-api/2.0.1/slf4j-api-2.0.1.jar"), "Maven org.slf4j slf4j-api");
  for (const char* other :
       {"", "https://", "https://zlib.net/zlib-1.3.2.tar.gz", "no/packages/source/a/b/c", "https://h/-/x.tgz",
        "https://h/crates/x", "https://h/maven2/a/b", "https://h/@v/v1.zip", "https://h/source/a/b/c"})
    EXPECT_EQ(text(other), "-") << other;
}

std::string line(std::string_view text) {
  return fmt::format("{:04x}{}", text.size() + 4, text);
}

TEST(Feeds, ReadRefAdvertisements) {
  const std::string id(40, 'a');
  const std::string good = line("# service=git-upload-pack\n") + "0000" +
                           line(id + " HEAD" + std::string("\0multi_ack symref=HEAD:refs/heads/main", 38) + "\n") +
                           line(id + " refs/heads/main\n") + line(id + " refs/tags/v1.0\n") +
                           line(id + " refs/tags/v1.0^{}\n") + line(id + " refs/tags/v1.1\n") + "0000";
  EXPECT_THAT(*parse_ref_advertisement(good), ElementsAre("v1.0", "v1.1"));
  EXPECT_TRUE(parse_ref_advertisement("")->empty());
  EXPECT_TRUE(parse_ref_advertisement("0000")->empty());
  for (const char* bad : {"zzzz", "0003", "0001", "-001", "ffff", "00fe refs/tags/v1", "<html>no git here</html>"})
    EXPECT_EQ(message_of(parse_ref_advertisement(bad).error()), "the list of refs is malformed") << bad;
  EXPECT_EQ(message_of(parse_ref_advertisement("000000").error()), "the list of refs ends inside a line");
}

TEST(Feeds, ReadMavenMetadata) {
  EXPECT_THAT(parse_maven_versions("<versions><version>1.0</version>\n <version> 1.1 </version></versions>"),
              ElementsAre("1.0", "1.1"));
  EXPECT_THAT(parse_maven_versions("<version>1.0</version><version>2"), ElementsAre("1.0"));
  EXPECT_TRUE(parse_maven_versions("").empty());
}

TEST(Debian, VersionsOfUpstream) {
  struct Row {
    const char *debian, *upstream;
    bool repacked;
  };
  const Row rows[] = {
      {"1.26.3-3+deb13u10", "1.26.3", false},
      {"1:1.3.dfsg+really1.3.2-4", "1.3.2", true},
      {"1:1.2.13.dfsg-1", "1.2.13", true},
      {"1.5.7+dfsg-2", "1.5.7", true},
      {"10.46-1~deb13u3", "10.46", false},
      {"20250419", "20250419", false},
      {"2026c-1", "2026c", false},
      {"5.1.0+ds1-1", "5.1.0", true},
      {"3.0+repack-1", "3.0", true},
      {"", "", false},
      {"1:", "", false},
      {"-", "", false},
  };
  for (const Row& row : rows) {
    bool repacked = false;
    EXPECT_EQ(upstream_version(row.debian, &repacked), row.upstream) << row.debian;
    EXPECT_EQ(repacked, row.repacked) << row.debian;
  }
}

constexpr std::string_view kSources = R"(Package: zlib
Binary: zlib1g, zlib1g-dev
Version: 1:1.3.dfsg+really1.3.2-4
Checksums-Sha256:
 0000000000000000000000000000000000000000000000000000000000000001 2000 zlib_1.3.dfsg+really1.3.2-4.dsc
 0000000000000000000000000000000000000000000000000000000000000002 1295859 zlib_1.3.dfsg+really1.3.2.orig.tar.gz
 0000000000000000000000000000000000000000000000000000000000000003 20000 zlib_1.3.dfsg+really1.3.2-4.debian.tar.xz
Directory: pool/main/z/zlib

Package: broken
Version: 1.0-1
Checksums-Sha256:
 nothex 12 broken_1.0.orig.tar.gz
Directory: pool/main/b/broken

Version: 1.0-1

Package: zlib
Directory: pool/main/z/zlib
Version: 1:1.3.1-1
Checksums-Sha256:
 0000000000000000000000000000000000000000000000000000000000000004 5 zlib_1.3.1.orig.tar.gz.asc
 0000000000000000000000000000000000000000000000000000000000000005 77 zlib_1.3.1.orig.tar.xz)";

TEST(Debian, ReadsSources) {
  DebianIndex index;
  parse_sources(kSources, "sid", index);
  ASSERT_EQ(index.sources.size(), 1u);
  std::string text;
  for (const DebianSource& source : index.sources["zlib"])
    text += fmt::format("{} {} {} {} {} {} {}\n", source.version, source.debian_version, source.suite, source.repacked,
                        source.pool, source.size_bytes, source.sha256.hex().substr(63));
  EXPECT_EQ(text,
            "1.3.2 1:1.3.dfsg+really1.3.2-4 sid true pool/main/z/zlib/zlib_1.3.dfsg+really1.3.2.orig.tar.gz 1295859 2\n"
            "1.3.1 1:1.3.1-1 sid false pool/main/z/zlib/zlib_1.3.1.orig.tar.xz 77 5\n");
  EXPECT_EQ(debian_name({.debian_pool = "pool/main/z/zlib/zlib_1.3.2.orig.tar.gz"}), "zlib");
  EXPECT_EQ(debian_name({}), "");
}

// ---- asking and proposing

constexpr const char* kDigest = "7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d";

std::string definition_text(const std::string& update, const std::string& version = "1.3.1") {
  return fmt::format(R"(# A comment before.
package:
    name:    "tool"   # and beside
    version: "{}"
    epoch: 3
    description: A tool
    copyright:
      - license: MIT

pipeline:
  - uses: fetch
    with:   # where from
      uri: https://example.org/v1/tool-${{{{package.version}}}}.tar.gz
      expected-sha256: {}

update:
  enabled: true
{})",
                     version, kDigest, update);
}

class WatchTest : public testing::Test {
 protected:
  definition::Definition read(const std::string& text) {
    auto tree = std::make_shared<const codec::YamlTree>(*codec::parse_yaml(text, "tool.yaml"));
    auto definition = definition::read_definition(tree, pipelines, {});
    EXPECT_TRUE(definition) << definition.error().render();
    return *std::move(definition);
  }
  void serve(const std::string& url, std::string body, int status = 200) {
    http.add("GET", url, net::Response{.status = status, .headers = {}, .body = std::move(body), .final_url = url});
  }
  /// What observing says: feed and versions, or the error.
  std::string seen(const definition::Definition& definition) {
    const auto found = observe(definition, feeds, lock, env);
    if (!found) return found.error().render();
    std::string out(name_of(found->feed));
    for (const Release& release : found->releases) out += " " + release.version;
    for (const std::string& feed : found->unreachable) out += " !" + feed;
    return out;
  }

  struct Pipelines final : definition::PipelineSource {
    Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override {
      const std::string inputs =
          name == "fetch" ? "uri: {}, expected-sha256: {}" : "repository: {}, tag: {}, expected-commit: {}";
      return std::make_shared<const codec::YamlTree>(
          *codec::parse_yaml("inputs: {" + inputs + "}\npipeline: [{runs: 'true'}]\n", std::string(name)));
    }
  } pipelines;
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  std::unique_ptr<store::Store> store = *store::Store::open(dir.path() / "home");
  os::FakeProcesses processes;
  os::FakeClock clock;
  net::RecordedHttp http;
  NoEvents events;
  Env env{processes, clock, http, *store, events, {}};
  Feeds feeds{.github_api = "http://github",
              .release_monitor = "http://monitor/",
              .pypi = "http://pypi/simple/",
              .npm = "http://npm",
              .go_proxy = "http://go",
              .crates = "http://crates/",
              .maven = "http://maven"};
  std::vector<build::LockedSource> lock;
  build::FetchPlaces places;
};

TEST_F(WatchTest, AsksEachFeedInItsOwnWay) {
  struct Row {
    const char *what, *source, *update, *url, *answer, *expected;
  };
  const Row rows[] = {
      {"GitHub releases", "https://h/x.tgz", "  github:\n    identifier: a/b\n    strip-prefix: v\n",
       "http://github/repos/a/b/releases?per_page=100&page=1",
       R"([{"tag_name": "v2"}, {"tag_name": "v3", "draft": true}, {"tag_name": "v4", "prerelease": true}])",
       "GitHub 2"},
      {"GitHub tags", "https://h/x.tgz", "  github:\n    identifier: a/b\n    use-tag: true\n",
       "http://github/repos/a/b/tags?per_page=100&page=1", R"([{"name": "1.5"}, {"name": "1.6"}])", "GitHub 1.6 1.5"},
      {"release-monitoring", "https://h/x.tgz", "  release-monitor:\n    identifier: 42\n",
       "http://monitor/api/v2/versions/?project_id=42", R"({"versions": ["9.9"], "stable_versions": ["1.4", "1.3.1"]})",
       "release-monitoring 1.4 1.3.1"},
      {"PyPI", "https://h/packages/source/f/Foo_Bar/foo_bar-1.tar.gz", "", "http://pypi/simple/foo-bar/",
       R"({"versions": ["1.0", "1.1", "1.2"], "files": [{"filename": "foo_bar-1.2.tar.gz", "yanked": "broken"},
           {"filename": "foo_bar-1.1-py3-none-any.whl", "yanked": false},
           {"filename": "foo_bar-1.1.tar.gz", "yanked": true}]})",
       "PyPI 1.1 1.0"},
      {"npm", "https://h/@s/name/-/name-1.0.0.tgz", "", "http://npm/@s%2fname",
       R"({"versions": {"1.0.0": {}, "1.1.0": {"deprecated": "no"}}, "time": {"1.0.0": "2026-01-02T03:04:05Z"}})",
       "npm 1.0.0"},
      {"Go", "https://h/github.com/Big/mod/@v/v1.0.0.zip", "", "http://go/github.com/!big/mod/@v/list",
       "v1.0.0\nv1.1.0\nv1.2.0-pre\n", "Go 1.1.0 1.0.0"},
      {"crates", "https://h/crates/serde/serde-1.0.0.crate", "", "http://crates/se/rd/serde",
       "{\"vers\":\"1.0.0\"}\n{\"vers\":\"1.0.1\",\"yanked\":true}\n", "crates 1.0.0"},
      {"crates of three letters", "https://h/crates/Log/log-1.0.0.crate", "", "http://crates/3/l/log",
       "{\"vers\":\"1.0.0\"}\n", "crates 1.0.0"},
      {"Maven", "https://h/maven2/org/a/b/1.0/b-1.0.jar", "", "http://maven/org/a/b/maven-metadata.xml",
       "<version>1.0</version><version>1.2</version><version>2.0-SNAPSHOT</version>", "Maven 1.2 1.0"},
  };
  for (const Row& row : rows) {
    serve(row.url, row.answer);
    definition::Definition definition = read(definition_text(row.update));
    definition.sources.front().uri = row.source;
    EXPECT_EQ(seen(definition), row.expected) << row.what;
  }
}

TEST_F(WatchTest, AsksGitServersEachForItself) {
  const std::string text = definition_text("  git: {}\n");
  definition::Definition one = read(text), two = read(text), third = read(text);
  for (definition::Definition* definition : {&one, &two, &third})
    definition->sources.front().kind = definition::Source::Kind::kGit;
  one.sources.front().repository = "http://down/a.git";
  two.sources.front().repository = "http://up/b.git/";
  third.sources.front().repository = "http://down/c.git";
  serve("http://up/b.git/info/refs?service=git-upload-pack", line(std::string(40, 'b') + " refs/tags/1.4\n") + "0000");
  EXPECT_EQ(seen(one), "no feed knows a release of 'tool'\n  git: it does not answer");
  EXPECT_EQ(seen(two), "git 1.4");
  EXPECT_EQ(seen(third), "no feed knows a release of 'tool'\n  git: it did not answer before");
  EXPECT_EQ(http.sent().size(), 2u);
}

TEST_F(WatchTest, AsksAgainOnlyForWhatChanged) {
  const std::string url = "http://github/repos/a/b/releases?per_page=100&page=1";
  const definition::Definition definition = read(definition_text("  github:\n    identifier: a/b\n"));
  const auto asked = [&](const std::string& name) {
    for (const auto& [header, value] : http.sent().back().headers)
      if (header == name) return value;
    return std::string("-");
  };
  http.add("GET", url, {.status = 200, .headers = {{"etag", "\"1\""}}, .body = R"([{"tag_name": "1.5"}])"});
  EXPECT_EQ(seen(definition), "GitHub 1.5");
  EXPECT_EQ(asked("If-None-Match"), "-");
  http.add("GET", url, {.status = 304});
  EXPECT_EQ(seen(definition), "GitHub 1.5");
  EXPECT_EQ(asked("If-None-Match"), "\"1\"");
  http.add("GET", url, {.status = 200, .headers = {{"last-modified", "x"}}, .body = R"([{"tag_name": "1.6"}])"});
  EXPECT_EQ(seen(definition), "GitHub 1.6");
  EXPECT_EQ(asked("If-None-Match"), "\"1\"");
  // What was collected since is asked for anew.
  ASSERT_TRUE(std::filesystem::remove(store->blob_path(codec::sha256(R"([{"tag_name": "1.6"}])"))));
  EXPECT_EQ(seen(definition), "GitHub 1.6");
  EXPECT_EQ(asked("If-Modified-Since"), "-");
}

/// A server that is slow, and counts who is there.
class SlowHttp final : public net::Http {
 public:
  Result<net::Response> send(const net::Request& request, std::stop_token) override {
    const std::string server = request.url.substr(0, request.url.find('/', 8));
    {
      const std::lock_guard lock(mutex_);
      most_[server] = std::max(most_[server], ++there_[server]);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const std::lock_guard lock(mutex_);
    --there_[server];
    const std::string number = request.url.substr(request.url.rfind("/t") + 2, 2);
    if (server == "http://down") return Error::make(ErrorKind::kUnavailable, "nobody is there");
    return net::Response{.status = 200, .body = line(std::string(40, 'b') + " refs/tags/1." + number + "\n") + "0000"};
  }
  unsigned most_at(const std::string& server) { return most_[server]; }

 private:
  std::mutex mutex_;
  std::map<std::string, unsigned> there_, most_;
};

TEST_F(WatchTest, AsksManyAtOnceAndAnswersInOrder) {
  SlowHttp slow;
  Env here{processes, clock, slow, *store, events, {}};
  std::vector<definition::Definition> definitions;
  std::string expected;
  for (int i = 10; i < 34; ++i) {
    const std::string server = i % 3 == 0 ? "down" : i % 3 == 1 ? "one" : "two";
    definitions.push_back(read(definition_text("  git: {}\n")));
    definitions.back().sources.front().kind = definition::Source::Kind::kGit;
    definitions.back().sources.front().repository = fmt::format("http://{}/t{}", server, i);
    expected += server == "down" ? "- " : fmt::format("1.{} ", i);
  }
  std::vector<const definition::Definition*> pointers;
  for (const definition::Definition& definition : definitions) pointers.push_back(&definition);
  Task task(events, "ask");
  const auto answers = observe_all(pointers, feeds, lock, here, task);
  std::string found;
  for (const auto& answer : answers) found += (answer ? answer->releases.front().version : "-") + " ";
  EXPECT_EQ(found, expected);
  for (const char* server : {"http://one", "http://two", "http://down"})
    EXPECT_LE(slow.most_at(server), FeedMemory::kAtOnce) << server;
  EXPECT_GE(slow.most_at("http://one"), 2u);
}

TEST_F(WatchTest, TakesOddAnswersForNothing) {
  const std::tuple<const char*, const char*, const char*> feeds_of[] = {
      {"https://h/x.tgz", "  github:\n    identifier: a/b\n", "http://github/repos/a/b/releases?per_page=100&page=1"},
      {"https://h/x.tgz", "  github:\n    identifier: a/b\n    use-tag: true\n",
       "http://github/repos/a/b/tags?per_page=100&page=1"},
      {"https://h/x.tgz", "  release-monitor:\n    identifier: 42\n", "http://monitor/api/v2/versions/?project_id=42"},
      {"https://h/packages/source/f/foo/foo-1.tar.gz", "", "http://pypi/simple/foo/"},
      {"https://h/name/-/name-1.0.0.tgz", "", "http://npm/name"},
      {"https://h/big/mod/@v/v1.0.0.zip", "", "http://go/big/mod/@v/list"},
      {"https://h/crates/serde/serde-1.0.0.crate", "", "http://crates/se/rd/serde"},
      {"https://h/maven2/org/a/b/1/b-1.jar", "", "http://maven/org/a/b/maven-metadata.xml"}};
  for (const auto& [source, update, url] : feeds_of) {
    definition::Definition definition = read(definition_text(update));
    definition.sources.front().uri = source;
    for (const char* answer :
         {"", " ", "null", "3", "\"x\"", "[]", "{}", "[[]]", "[null, 3, {}, {\"name\": 3, \"tag_name\": []}]",
          "<html>busy</html>",
          "{\"versions\": 3, \"files\": {}, \"time\": []}", "{\"versions\": [null, 1, {}], \"stable_versions\": \"x\"}",
          "{\"versions\": {\"x\": 1}, \"files\": [1, {\"filename\": 3, \"yanked\": []}]}",
          "{\"vers\": 3}\n{\"vers\": \"x\"}",
          "<version>", "<version></version><version>x</version>", "\xff\xfe", "{\"message\": \"rate limit\"}"}) {
      feeds.memory = std::make_shared<FeedMemory>();
      serve(url, answer);
      const std::string said = seen(definition);
      EXPECT_TRUE(said.starts_with("no feed knows a release of 'tool'\n")) << url << " " << answer << ": " << said;
    }
  }
}

TEST_F(WatchTest, AsksAClientForItsConfigurationWhenItsFeedIsAsked) {
  int asked = 0;
  const FeedAddress address([&] {
    ++asked;
    return std::string("http://x");
  });
  const FeedAddress copy = address;
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(copy.text(), "http://x");
  EXPECT_EQ(address.text(), "http://x");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(FeedAddress().text(), "");
  (void)feeds_of_machine(env);
  EXPECT_TRUE(processes.asked().empty()) << "no definition here has a package of theirs";
}

TEST_F(WatchTest, KnowsWhichReleasesMayComeNext) {
  definition::Definition definition = read(definition_text(""));
  const std::vector<Release> releases = {{"1.6", "", 0}, {"1.5", "", 0}, {"1.3.1", "", 0}, {"1.2", "", 0}};
  const auto versions = [&] {
    std::string out;
    for (const Release& release : candidates(definition, releases)) out += release.version + " ";
    return out;
  };
  EXPECT_EQ(versions(), "1.6 1.5 ");
  definition.update.require_sequential = true;
  EXPECT_EQ(versions(), "1.5 ");
}

TEST_F(WatchTest, ProposesTheLockOfEverySource) {
  const std::string text = definition_text("");
  const std::size_t step = text.find("  - uses: fetch"), end = text.find("\nupdate:");
  std::string second = text.substr(step, end - step);
  second = replace_all(second, "tool-", "docs-");
  second = replace_all(second, kDigest, std::string(64, 'a'));
  const definition::Definition definition = read(text.substr(0, end) + second + text.substr(end));
  ASSERT_EQ(definition.sources.size(), 2u);
  serve("https://example.org/v1/tool-1.4.tar.gz", "tool");
  serve("https://example.org/v1/docs-1.4.tar.gz", "docs");
  const auto proposal = propose(definition, {FeedKind::kGitHub, {{"1.4", "", 0}}, {}}, lock, feeds, places, env);
  ASSERT_TRUE(proposal && *proposal) << proposal.error().render();
  EXPECT_EQ((*proposal)->problem, "");
  ASSERT_EQ((*proposal)->lock_entries.size(), 2u);
  EXPECT_EQ((*proposal)->lock_entries[0].sha256, codec::sha256("tool"));
  EXPECT_EQ((*proposal)->lock_entries[1].sha256, codec::sha256("docs"));
}

TEST_F(WatchTest, TellsWhatPassesFromWhatDoesNot) {
  definition::Definition definition = read(definition_text(""));
  const auto kind = [&] {
    const auto proposal = propose(definition, {FeedKind::kGitHub, {{"1.4", "", 0}}, {}}, lock, feeds, places, env);
    EXPECT_NE((*proposal)->problem, "");
    return (*proposal)->problem_kind;
  };
  EXPECT_EQ(kind(), ErrorKind::kUnavailable);
  serve("https://example.org/v1/tool-1.4.tar.gz", "", 404);
  EXPECT_EQ(kind(), ErrorKind::kUnavailable) << "what was announced may not be there yet";
  definition.sources.front().sha256.clear();
  EXPECT_EQ(kind(), ErrorKind::kConflict);
}

TEST_F(WatchTest, SaysWhyNothingWasSeen) {
  const std::string url = "http://github/repos/a/b/releases?per_page=100&page=1";
  const definition::Definition definition = read(definition_text("  github:\n    identifier: a/b\n"));
  const std::string head = "no feed knows a release of 'tool'\n  GitHub: ";
  const std::pair<const char*, const char*> answers[] = {
      {R"({"message": "hm"})", "its answer is no list of releases"},
      {R"([{"tag_name": "latest"}])", "none of its 1 releases fits the update block"},
      {"[{", "answer of GitHub:1:2: this is no JSON: "},
  };
  for (const auto& [answer, why] : answers) {
    serve(url, answer);
    EXPECT_EQ(seen(definition).substr(0, head.size() + std::string_view(why).size()), head + why);
  }
  serve(url, "", 404);
  EXPECT_EQ(seen(definition), head + "it does not know this package");
  serve(url, "", 403);
  EXPECT_EQ(seen(definition), head + "it answers with status 403");
  EXPECT_EQ(seen(definition), head + "it did not answer before");
  feeds.memory = std::make_shared<FeedMemory>();
  feeds.github_api = "off";
  EXPECT_EQ(seen(definition), head + "it is switched off");

  EXPECT_EQ(seen(read(definition_text(""))),
            "tool.yaml: nothing says where to look for releases of 'tool'\n"
            "  hint: add an `update:` block, or a source with a Debian pool path in sources.lock");
}

TEST_F(WatchTest, DebianIsTheSecondOpinion) {
  auto index = std::make_shared<DebianIndex>();
  parse_sources(kSources, "sid", *index);
  feeds.memory->set_debian(index);
  lock = {{.debian_pool = "pool/main/z/zlib/zlib_1.3.1.orig.tar.gz", .used_by = {"tool"}}};
  EXPECT_EQ(seen(read(definition_text("  github:\n    identifier: a/b\n"))), "Debian 1.3.2 1.3.1 !GitHub");
}

TEST_F(WatchTest, ProposesAnEditAndNothingElse) {
  const definition::Definition definition = read(definition_text("  github:\n    identifier: a/b\n"));
  serve("https://example.org/v1/tool-1.4.tar.gz", "new bytes");
  const Observation observation{FeedKind::kGitHub, {{"1.4", "v1.4", 0}, {"1.3.1", "v1.3.1", 0}}, {}};
  const auto proposal = propose(definition, observation, lock, feeds, places, env);
  ASSERT_TRUE(proposal) << proposal.error().render();
  ASSERT_TRUE(*proposal);
  const Sha256 digest = codec::sha256("new bytes");
  std::string expected = definition_text("  github:\n    identifier: a/b\n", "1.4");
  expected.replace(expected.find("epoch: 3"), 8, "epoch: 0");
  expected.replace(expected.find(kDigest), 64, digest.hex());
  EXPECT_EQ((*proposal)->new_text, expected);
  EXPECT_EQ((*proposal)->problem, "");
  ASSERT_EQ((*proposal)->lock_entries.size(), 1u);
  EXPECT_EQ((*proposal)->lock_entries[0].uri, "https://example.org/v1/tool-1.4.tar.gz");
  EXPECT_EQ((*proposal)->lock_entries[0].sha256, digest);
  EXPECT_TRUE(store->has(digest));
}

TEST_F(WatchTest, TakesTheVersionWhereItStandsAsAWhole) {
  struct Row {
    const char *version, *to, *uri, *expected;
  };
  const Row rows[] = {
      {"1", "2", "https://h1.org/v1.0/x-1.tar.gz", "https://h2.org/v1.0/x-2.tar.gz"},
      {"1.2", "1.3", "https://h/1.2/x-1.2.tar.gz?v=1.2.1", "https://h/1.3/x-1.3.tar.gz?v=1.2.1"},
      {"1.2", "1.3", "https://h/11.2/x-0.1.2/x_1.2", "https://h/11.2/x-0.1.2/x_1.3"},
      {"1.85.0", "1.86.0", "https://h/boost_1_85_0.tar.gz", "https://h/boost_1_86_0.tar.gz"},
      {"8.14", "8.15", "https://h/curl-8-14/curl.tar.gz", "https://h/curl-8-15/curl.tar.gz"},
  };
  for (const Row& row : rows) {
    definition::Definition definition = read(definition_text("", row.version));
    definition.sources.front().uri = row.uri;
    serve(row.expected, row.expected);
    const auto proposal = propose(definition, {FeedKind::kGitHub, {{row.to, "", 0}}, {}}, lock, feeds, places, env);
    ASSERT_TRUE(proposal && *proposal);
    EXPECT_EQ((*proposal)->problem, "") << row.uri;
    EXPECT_EQ((*proposal)->lock_entries.empty() ? "-" : (*proposal)->lock_entries[0].uri, row.expected);
  }
}

TEST_F(WatchTest, ProposesNothingOrSaysWhatIsInTheWay) {
  const auto answer = [&](const definition::Definition& definition, std::vector<Release> releases) {
    std::string why;
    const auto proposal =
        propose(definition, {FeedKind::kGitHub, std::move(releases), {}}, lock, feeds, places, env, &why);
    if (!proposal) return proposal.error().render();
    if (!*proposal) return why;
    return (*proposal)->to + ": " + (*proposal)->problem + ((*proposal)->by_hand ? "(by hand)" : "");
  };
  definition::Definition definition = read(definition_text(""));
  EXPECT_EQ(answer(definition, {}), "no release was seen");
  EXPECT_EQ(answer(definition, {{"1.3.1", "", 0}}), "at the newest release (GitHub says 1.3.1)");
  EXPECT_EQ(answer(definition, {{"1.3", "", 0}}), "at the newest release (GitHub says 1.3)");
  EXPECT_EQ(answer(definition, {{"1.5", "", 0}}), "1.5: 'https://example.org/v1/tool-1.5.tar.gz' cannot be reached");
  definition.update.require_sequential = true;
  serve("https://example.org/v1/tool-1.4.tar.gz", "next");
  EXPECT_EQ(answer(definition, {{"1.6", "", 0}, {"1.4", "", 0}}), "1.4: ");
  definition.update.manual = true;
  EXPECT_EQ(answer(definition, {{"1.4", "", 0}}), "1.4: (by hand)");
  definition.update.manual = false;
  definition.sources.front().kind = definition::Source::Kind::kGit;
  definition.sources.front().branch = "main";
  EXPECT_EQ(answer(definition, {{"1.4", "", 0}}), "1.4: no source's address or tag holds the version");
  definition.update.enabled = false;
  EXPECT_EQ(answer(definition, {{"1.4", "", 0}}), "updates are not enabled");
  definition.update.exclude_reason = "frozen";
  EXPECT_EQ(answer(definition, {{"1.4", "", 0}}), "frozen");
}

TEST_F(WatchTest, MovesATagAndItsCommit) {
  os::SystemProcesses real;
  Env here{real, clock, http, *store, events, {}};
  const os::Path work = dir.path() / "mirrors/h.example/a/tool";
  ASSERT_TRUE(os::make_dirs(work));
  const auto git = [&](const std::vector<std::string>& arguments) { return build::git_in(work, arguments); };
  std::vector<std::string> commits;
  git({"init", "-q"});
  for (const char* version : {"1.3.1", "1.4"}) {
    git({"commit", "-q", "--allow-empty", "-m", version});
    git({"tag", std::string("v") + version});
    commits.push_back(git({"rev-parse", "HEAD"}));
  }
  git({"clone", "-q", "--bare", ".", (dir.path() / "mirrors/a+tool").string()});
  places = {{dir.path() / "mirrors"}, {}, false};
  std::string text = definition_text("");
  const std::size_t step = text.find("pipeline:");
  text = text.substr(0, step) + "pipeline:\n  - uses: git-checkout\n    with:\n" +
         "      repository: https://h.example/a/tool\n" +
         "      tag: v${{package.version}}\n      expected-commit: " + commits[0] + " # the tag\n" +
         text.substr(text.find("update:"));
  const definition::Definition definition = read(text);
  const Observation seen{FeedKind::kGit, {{"1.4", "v1.4", 0}}, {}};
  const auto proposal = propose(definition, seen, lock, feeds, places, here);
  ASSERT_TRUE(proposal && *proposal);
  EXPECT_EQ((*proposal)->problem, "");
  EXPECT_NE((*proposal)->new_text.find("expected-commit: " + commits[1] + " # the tag\n"), std::string::npos);
  EXPECT_NE((*proposal)->new_text.find("1.4"), std::string::npos);
  ASSERT_EQ((*proposal)->commits.size(), 1u);
  EXPECT_EQ((*proposal)->commits[0], std::pair(commits[0], commits[1]));
}

}  // namespace
}  // namespace nacre::watch
