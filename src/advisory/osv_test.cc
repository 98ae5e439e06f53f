#include "advisory/cvss.h"
#include "advisory/osv.h"
#include "advisory/osv_index.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace nacre::advisory {
namespace {

OsvRecord record(const std::string& text) {
  const auto json = codec::parse_json(text, "record.json");
  EXPECT_TRUE(json) << json.error().render();
  auto out = read_osv(*json);
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : OsvRecord{};
}

std::string affected(const std::string& ecosystem, const std::string& ranges, const std::string& versions = "[]") {
  return R"({"id":"X-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":")" + ecosystem +
         R"(","name":"p"},"ranges":)" + ranges + R"(,"versions":)" + versions + "}]}";
}

std::string range(const std::string& type, const std::string& events) {
  return R"([{"type":")" + type + R"(","events":)" + events + "}]";
}

struct Row {
  std::string text, version, expected;  ///< "affected FIX", "not", "unsure REASON"
};

std::string said(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kNot: return "not";
    case Verdict::Kind::kAffected: return "affected " + verdict.fixed;
    case Verdict::Kind::kUnsure: return "unsure " + verdict.reason;
  }
  return "";
}

TEST(Osv, JudgesVersionsAsItsSchemaSays) {
  const std::string two = R"([{"introduced":"0"},{"fixed":"1.2.0"},{"introduced":"1.3.0"},{"fixed":"1.3.5"}])";
  const std::vector<Row> rows = {
      {affected("Go", range("SEMVER", two)), "1.1.9", "affected 1.2.0"},
      {affected("Go", range("SEMVER", two)), "1.2.0", "not"},
      {affected("Go", range("SEMVER", two)), "1.3.0", "affected 1.3.5"},
      {affected("Go", range("SEMVER", two)), "1.3.0-rc.1", "not"},
      {affected("Go", range("SEMVER", two)), "1.3.5", "not"},
      // The events' order in the text says nothing.
      {affected("npm", range("SEMVER", R"([{"fixed":"2.0.0"},{"introduced":"1.0.0"}])")), "1.5.0", "affected 2.0.0"},
      {affected("npm", range("SEMVER", R"([{"introduced":"0"},{"last_affected":"2.0.0"}])")), "2.0.0", "affected "},
      {affected("npm", range("SEMVER", R"([{"introduced":"0"},{"last_affected":"2.0.0"}])")), "2.0.1", "not"},
      {affected("PyPI", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"1.0rc1"}])")), "1.0b2", "affected 1.0rc1"},
      {affected("PyPI", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"1.0"}])"), R"(["1.5.0"])"), "1.5",
       "affected "},
      {affected("Debian:12", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"1:1.2-1+deb12u1"}])")), "1:1.2-1",
       "affected 1:1.2-1+deb12u1"},
      {affected("Wolfi", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"3.1.0-r1"}])")), "3.1.0-r0",
       "affected 3.1.0-r1"},
      {affected("Wolfi", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"0"}])")), "3.1.0-r0", "not"},
      {affected("Bitnami?", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"2"}])")), "1",
       "unsure the order of versions of Bitnami? is not known here"},
      {affected("Bitnami?", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"2"}])"), R"(["1"])"), "1", "affected "},
      {affected("PyPI", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"2"}])")), "new",
       "unsure 'new' is no PEP 440 version"},
      {affected("PyPI", range("ECOSYSTEM", R"([{"introduced":"0"},{"fixed":"new"}])")), "1",
       "unsure 'new' in its range is no PEP 440 version"},
      {affected("", range("GIT", R"([{"introduced":"0"},{"fixed":"abc"}])"), R"(["v1.0","v1.1"])"), "v1.1",
       "affected "},
      {affected("", range("GIT", R"([{"introduced":"0"},{"fixed":"abc"}])"), R"(["v1.0","v1.1"])"), "v1.2", "not"},
      {affected("", range("GIT", R"([{"introduced":"0"}])"), R"(["v1.0","v1.1"])"), "v1.2",
       "unsure it lists other versions, and knows no commit that fixes it"},
      {affected("", range("GIT", R"([{"introduced":"0"},{"fixed":"abc"}])")), "v1.2",
       "unsure it names commits alone, and lists no version"}};
  for (const Row& row : rows)
    EXPECT_EQ(said(judge_version(record(row.text).affected[0], row.version)), row.expected)
        << row.version << " in " << row.text;
}

TEST(Osv, KeepsWhatItUsesInTheCompactForm) {
  const OsvRecord full = record(R"({"id":"GHSA-1","modified":"2026-01-01T00:00:00Z","summary":"s","details":"long",
    "aliases":["CVE-1"],"upstream":["CVE-1","CVE-2"],"references":[{"type":"WEB","url":"u"}],
    "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},
      {"last_affected":"1.0.0"}]},{"type":"GIT","repo":"https://h/r.git","events":[{"introduced":"0"},{"limit":"x"}]}],
      "versions":["1.0.0"]}]})");
  EXPECT_EQ(full.score, 9.8);
  EXPECT_EQ(full.severity, "critical");
  const codec::Json compact = compact_osv(full);
  const auto again = read_osv(compact);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(codec::to_json(compact_osv(*again)), codec::to_json(compact));
  EXPECT_EQ(again->aliases, (std::vector<std::string>{"CVE-1", "CVE-2"}));
  EXPECT_EQ(again->score, 9.8);
  EXPECT_EQ(again->affected[0].ranges[1].events[1].kind, OsvEvent::Kind::kLimit);
}

TEST(Osv, RefusesRecordsWithoutNameOrDate) {
  const auto no_id = read_osv(*codec::parse_json(R"({"modified":"2026-01-01T00:00:00Z"})", "r"));
  EXPECT_FALSE(no_id);
  const auto no_date = read_osv(*codec::parse_json(R"({"id":"X","modified":"soon"})", "r"));
  ASSERT_FALSE(no_date);
  EXPECT_EQ(no_date.error().render(), "'soon' is no time like 2026-11-24T05:03:00Z\n  while reading the date of X");
}

// Scores as the specification's examples give them (cvss-v3.1 user guide and examples).
TEST(Cvss, ScoresVectorsOfVersion3) {
  const std::vector<std::pair<const char*, double>> rows = {{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0},
                                                            {"CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4},
                                                            {"CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1},
                                                            {"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1},
                                                            {"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8},
                                                            {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5},
                                                            {"CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0},
                                                            {"CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P", 5.9}};
  for (const auto& [vector, score] : rows) {
    const auto found = cvss3_base_score(vector);
    ASSERT_TRUE(found) << vector;
    EXPECT_EQ(*found, score) << vector;
  }
  for (const char* bad : {"", "CVSS:4.0/AV:N", "CVSS:3.1/AV:N", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                          "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"})
    EXPECT_FALSE(cvss3_base_score(bad)) << bad;
  EXPECT_EQ(severity_word("MODERATE"), "medium");
  EXPECT_EQ(severity_word("unimportant"), "");
}

TEST(OsvIndex, AnswersByPackageRepositoryAndName) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const os::Path data = dir.path() / "osv" / "deep", cache = dir.path() / "cache";
  ASSERT_TRUE(os::make_dirs(data));
  ASSERT_TRUE(os::write_file(data / "a.json", R"({"id":"PYSEC-1","modified":"2026-01-02T00:00:00Z","aliases":["CVE-7"],
    "affected":[{"package":{"ecosystem":"PyPI","name":"Zope.Thing"},"versions":["1.0"]},
                {"package":{"ecosystem":"Debian:12","name":"zope"},"versions":["1.0-1"]}]})"));
  ASSERT_TRUE(os::write_file(data / "b.json", R"({"id":"CVE-7","modified":"2026-01-03T00:00:00Z",
    "affected":[{"ranges":[{"type":"GIT","repo":"https://GitHub.com/Zope/thing.git",
    "events":[{"introduced":"0"}]}]}]})"));
  ASSERT_TRUE(os::write_file(data / "c.json",
                             R"({"id":"X-3","modified":"2026-01-01T00:00:00Z",
    "withdrawn":"2026-01-01T00:00:00Z",
    "affected":[{"package":{"ecosystem":"PyPI","name":"zope-thing"},"versions":["1.0"]}]})"));
  ASSERT_TRUE(os::write_file(data / "d.json", R"({"name":"no record"})"));
  const auto index = OsvIndex::open({dir.path() / "osv"}, cache, {});
  ASSERT_TRUE(index) << index.error().render();
  EXPECT_EQ(index->records(), 2u);
  EXPECT_EQ(index->left_out(), 1u);
  EXPECT_EQ(index->newest(), 1767398400);
  const auto found = index->on_package("PyPI", "zope_thing");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].record.id, "PYSEC-1");
  EXPECT_EQ((*index->on_package("Debian", "zope"))[0].affected, 1u);
  EXPECT_EQ(index->on_repository("github.com/zope/thing")->size(), 1u);
  EXPECT_EQ(index->by_id("CVE-7")->size(), 2u);
  EXPECT_TRUE(index->on_package("npm", "zope-thing")->empty());

  // Kept while the files are the same.
  const auto only = *std::filesystem::directory_iterator(cache);
  const auto made = only.last_write_time();
  ASSERT_TRUE(OsvIndex::open({dir.path() / "osv"}, cache, {}));
  EXPECT_EQ(std::filesystem::last_write_time(only.path()), made);
  ASSERT_TRUE(os::write_file(data / "d.json", R"({"id":"X-4","modified":"2026-02-03T00:00:00Z"})"));
  EXPECT_EQ(OsvIndex::open({dir.path() / "osv"}, cache, {})->records(), 3u);
}

TEST(OsvIndex, SaysWhatIsMissing) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const auto empty = OsvIndex::open({dir.path()}, dir.path() / "cache", {});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().render(),
            "no OSV record in '" + dir.path().string() +
                "'\n  hint: a directory holds records as NAME.json, or the all.zip of an ecosystem");
  EXPECT_EQ(OsvIndex::open({dir.path() / "none"}, dir.path(), {}).error().kind(), ErrorKind::kNotFound);
  ASSERT_TRUE(os::write_file(dir.path() / "broken.json", "{"));
  EXPECT_EQ(OsvIndex::open({dir.path()}, dir.path() / "cache", {}).error().render(),
            "no OSV record in '" + dir.path().string() + "': 1 JSON files are none\n"
            "  hint: a directory holds records as NAME.json, or the all.zip of an ecosystem");
}

TEST(OsvIndex, MakesADamagedOneAnew) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const os::Path data = dir.path() / "osv", cache = dir.path() / "cache";
  ASSERT_TRUE(os::make_dirs(data));
  ASSERT_TRUE(os::write_file(data / "d.json", R"({"id":"X-4","modified":"2026-02-03T00:00:00Z"})"));
  ASSERT_TRUE(OsvIndex::open({data}, cache, {}));
  const os::Path file = std::filesystem::directory_iterator(cache)->path();
  std::string bytes = *os::read_file(file);
  ASSERT_TRUE(os::write_file(file, bytes.substr(0, bytes.size() - 1)));
  const auto again = OsvIndex::open({data}, cache, {});
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(*os::read_file(file), bytes);
}

}  // namespace
}  // namespace nacre::advisory
