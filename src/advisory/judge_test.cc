#include "advisory/judge.h"

#include "advisory/feeds.h"
#include "advisory/scan.h"
#include "store/database.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace nacre::advisory {
namespace {

using Lines = std::vector<std::string>;

constexpr std::int64_t kNow = 1'800'000'000, kDay = 86'400;

Match match(std::string package, std::string vulnerability, std::string fixed = "1.2") {
  Match out;
  out.package = out.origin = std::move(package);
  out.version = "1.0-r0";
  out.component = {"Go", "example.org/x", "1.1", "usr/bin/x"};
  out.vulnerability = vulnerability;
  out.ids = {std::move(vulnerability)};
  out.fixed = std::move(fixed);
  out.severity = "high";
  return out;
}

Document document(const std::string& package, const std::string& alias, const std::string& event) {
  const std::string id = make_id(package, alias);
  auto out = read_document("schema-version: 2.0.2\npackage:\n  name: " + package + "\nadvisories:\n  - id: " + id +
                               "\n    aliases:\n      - " + alias +
                               "\n    events:\n      - timestamp: 2026-01-01T00:00:00Z\n        type: " + event + "\n",
                           package + ".advisories.yaml");
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : Document{};
}

const std::string kManual = "detection\n        data:\n          type: manual";
const std::string kFixed = "fixed\n        data:\n          fixed-version: 1.0-r0";
const std::string kFalse = "false-positive-determination\n        data:\n          type: inline-mitigations-exist";
const std::string kPending = "pending-upstream-fix\n        data:\n          note: Not yet.";

TEST(Judge, RefusesWhatHasAFix) {
  const std::vector<Match> matches = {match("a", "CVE-1"), match("b", "CVE-2", "")};
  Policy policy;
  EXPECT_EQ(judge(matches, {}, kNow, kNow, policy),
            Lines{"a 1.0-r0 has CVE-1 (example.org/x 1.1, high), fixed in 1.2"});
  policy.refuse = Policy::Refuse::kAll;
  EXPECT_EQ(judge(matches, {}, kNow, kNow, policy).size(), 2u);
  policy.least_severity = "critical";
  EXPECT_TRUE(judge(matches, {}, kNow, kNow, policy).empty());
  policy.refuse = Policy::Refuse::kNothing;
  EXPECT_TRUE(judge(matches, {}, kNow, kNow, policy).empty());
}

TEST(Judge, LetsSeverityThatIsNotKnownPassNoBound) {
  Match unknown = match("a", "CVE-1");
  unknown.severity.clear();
  Policy policy;
  policy.least_severity = "critical";
  EXPECT_EQ(judge({unknown}, {}, kNow, kNow, policy), Lines{"a 1.0-r0 has CVE-1 (example.org/x 1.1), fixed in 1.2"});
}

TEST(Judge, HoldsOldDataToBeABreachOfItsOwn) {
  Policy policy;
  EXPECT_TRUE(judge({}, {}, kNow - 7 * kDay, kNow, policy).empty());
  EXPECT_EQ(judge({}, {}, kNow - 8 * kDay, kNow, policy),
            Lines{"the data on vulnerabilities is of 2027-01-07T08:00:00Z, 8.0 days old; 7.0 days are allowed"});
  EXPECT_EQ(judge({}, {}, 0, kNow, policy),
            Lines{"the data on vulnerabilities has no date; it must be of the last 7.0 days"});
  policy.max_age_seconds.reset();
  EXPECT_TRUE(judge({}, {}, 0, kNow, policy).empty());
}

TEST(Judge, BelievesFalsePositivesAndDoubtsFixes) {
  const std::vector<Match> matches = {match("a", "CVE-1")};
  EXPECT_TRUE(judge(matches, {document("a", "CVE-1", kFalse)}, kNow, kNow, {}).empty());
  EXPECT_EQ(judge(matches, {document("b", "CVE-1", kFalse)}, kNow, kNow, {}).size(), 1u);
  EXPECT_EQ(judge(matches, {document("a", "CVE-1", kFixed)}, kNow, kNow, {}),
            Lines{"a 1.0-r0 has CVE-1 (example.org/x 1.1, high), fixed in 1.2; " + make_id("a", "CVE-1") +
                  " says that 1.0-r0 fixed it"});
  EXPECT_EQ(judge(matches, {document("a", "CVE-1", kPending)}, kNow, kNow, {}).size(), 1u);
}

TEST(Judge, DoesNotCountWhatIsUnsure) {
  Match unsure = match("a", "CVE-1");
  unsure.sure = false;
  EXPECT_TRUE(judge({unsure}, {}, kNow, kNow, {}).empty());
}

TEST(Closing, IsOfWhatWasFoundAndIsGone) {
  const std::vector<Document> advisories = {document("a", "CVE-1", kManual)};
  const std::vector<Match> before = {match("a", "CVE-1")};
  const auto closed = close_fixed(advisories, "a", "1.1-r0", before, {}, kNow);
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].advisory, make_id("a", "CVE-1"));
  EXPECT_EQ(closed[0].event.fixed_version, "1.1-r0");
  EXPECT_EQ(closed[0].event.time, kNow);
  EXPECT_TRUE(close_fixed(advisories, "a", "1.1-r0", before, before, kNow).empty());
  EXPECT_TRUE(close_fixed(advisories, "a", "1.1-r0", {}, {}, kNow).empty()) << "nobody saw it go";
  EXPECT_TRUE(close_fixed(advisories, "b", "1.1-r0", before, {}, kNow).empty());
  EXPECT_TRUE(close_fixed({document("a", "CVE-1", kFalse)}, "a", "1.1-r0", before, {}, kNow).empty());
  EXPECT_EQ(close_fixed({document("a", "CVE-1", kPending)}, "a", "1.1-r0", before, {}, kNow).size(), 1u);
  // A clock that runs behind does not put the fix before the detection.
  EXPECT_EQ(close_fixed(advisories, "a", "1.1-r0", before, {}, 5)[0].event.time, 1767225600);
}

TEST(Detections, AreOfWhatNoAdvisoryKnows) {
  const std::vector<Match> matches = {match("a", "CVE-1"), match("a", "CVE-2"), match("a", "CVE-2")};
  const auto found = new_detections({document("a", "CVE-1", kPending)}, matches, kNow);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].advisory.aliases, Lines{"CVE-2"});
  EXPECT_FALSE(found[0].known);
  EXPECT_EQ(found[0].advisory.events[0].component.location, "/usr/bin/x");
  // What was fixed and is found again is detected again.
  const auto again = new_detections({document("a", "CVE-1", kFixed)}, {match("a", "CVE-1")}, kNow);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].known);
}

TEST(Events, AreWrittenAndReadBack) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const os::Path folder = dir.path() / "advisories";
  const auto detections =
      new_detections({}, {match("a", "CVE-2026-0001"), match("a", "CVE-2026-0002"), match("b", "CVE-2026-0001")}, kNow);
  const auto files = write_events(folder, {}, detections);
  ASSERT_TRUE(files) << files.error().render();
  EXPECT_EQ(files->size(), 2u);
  auto documents = read_documents(folder);
  ASSERT_TRUE(documents) << documents.error().render();
  ASSERT_EQ((*documents)[0].advisories.size(), 2u);
  EXPECT_TRUE(lint((*documents)[0], {}, kNow).empty());
  const auto closed =
      close_fixed(*documents, "a", "2.0-r0", {match("a", "CVE-2026-0001"), match("a", "CVE-2026-0002")}, {}, kNow + 60);
  ASSERT_TRUE(write_events(folder, closed, {}));
  documents = read_documents(folder);
  for (const Advisory& advisory : (*documents)[0].advisories) EXPECT_FALSE(advisory.open());
  EXPECT_TRUE((*documents)[1].advisories[0].open());
}

// ---- feeds

std::vector<Document> six() {
  const std::string true_positive = "true-positive-determination\n        data:\n          note: Worked on.";
  const std::string not_planned = "fix-not-planned\n        data:\n          note: Too old.";
  return {document("a", "CVE-2026-1", kManual),     document("b", "CVE-2026-2", kFixed),
          document("c", "CVE-2026-3", kFalse),      document("d", "CVE-2026-4", kPending),
          document("e", "CVE-2026-5", not_planned), document("f", "CVE-2026-6", true_positive)};
}

TEST(Feeds, SecdbSaysFixesAndWhatNeverWas) {
  FeedOptions options;
  options.archs = {"x86_64"};
  const codec::Json feed = secdb_feed(six(), options);
  EXPECT_EQ(codec::to_json(feed["packages"]), R"([{"pkg":{"name":"b","secfixes":{"1.0-r0":["CVE-2026-2"]}}},)"
                                              R"({"pkg":{"name":"c","secfixes":{"0":["CVE-2026-3"]}}}])");
}

TEST(Feeds, OsvHasARecordForEachOfThese) {
  FeedOptions options;
  options.packages["b"] = {"b", "b-dev"};
  const auto files = osv_feed(six(), options);
  ASSERT_EQ(files.size(), 6u) << "five states, and all.json; what nobody judged is in none";
  EXPECT_EQ(files[5].first, "all.json");
  for (const auto& [name, record] : files) {
    if (name == "all.json") continue;
    const auto read = read_osv(record);
    ASSERT_TRUE(read) << read.error().render();
    EXPECT_TRUE(read->id.starts_with("x_NACRE-")) << read->id;
  }
  // What a record says of one: the range's events, and what only we know.
  const auto said = [&](const std::string& name) -> std::string {
    for (const auto& [file, record] : files) {
      if (file == "all.json" || record["upstream"].as_strings()[0] != name) continue;
      const codec::Json& affected = record["affected"].items()[0];
      return codec::to_json(affected["ranges"].items()[0]["events"]) + codec::to_json(affected["database_specific"]);
    }
    return "no record";
  };
  EXPECT_EQ(said("CVE-2026-1"), "no record");
  EXPECT_EQ(said("CVE-2026-2"), R"([{"introduced":"0"},{"fixed":"1.0-r0"}]null)");
  EXPECT_EQ(said("CVE-2026-3"),
            R"([{"introduced":"0"},{"fixed":"0"}]{"false_positive":true,"type":"inline-mitigations-exist"})");
  EXPECT_EQ(said("CVE-2026-4"), R"([{"introduced":"0"}]{"status":"pending-upstream-fix"})");
  EXPECT_EQ(said("CVE-2026-5"), R"([{"introduced":"0"}]{"status":"fix-not-planned"})");
  EXPECT_EQ(said("CVE-2026-6"), R"([{"introduced":"0"}]{"status":"true-positive-determination"})");
  for (const auto& [file, record] : files)
    if (file != "all.json" && record["upstream"].as_strings()[0] == "CVE-2026-2") {
      ASSERT_EQ(record["affected"].items().size(), 2u);
      EXPECT_EQ(record["affected"].items()[1]["package"]["purl"].as_string(), "pkg:apk/nacre/b-dev");
    }
}

TEST(Feeds, GrypesDataBaseHasAllSix) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const os::Path file = dir.path() / "nacre.db", again = dir.path() / "again.db";
  FeedOptions options;
  options.packages["b"] = {"b", "b-dev"};
  const auto count = write_grype_feed(six(), options, file);
  ASSERT_TRUE(count) << count.error().render();
  EXPECT_EQ(*count, 6u);
  ASSERT_TRUE(write_grype_feed(six(), options, again));
  EXPECT_EQ(*os::read_file(file), *os::read_file(again));
  ASSERT_TRUE(write_grype_feed(six(), options, again)) << "an older one is replaced";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 2) << "nothing is left beside them";
  const auto database = store::Database::open("sqlite:" + again.string());
  ASSERT_TRUE(database) << database.error().render();
  const auto rows = (*database)->run(
      "read it",
      "SELECT p.name, v.name, v.status, b.value FROM affected_package_handles a JOIN packages p ON p.id = a.package_id "
      "JOIN vulnerability_handles v ON v.id = a.vulnerability_id JOIN blobs b ON b.id = a.blob_id ORDER BY a.id");
  ASSERT_TRUE(rows) << rows.error().render();
  Lines said;
  for (const store::Database::Row& row : *rows) {
    const auto range = codec::parse_json(row[3], "a blob");
    ASSERT_TRUE(range) << range.error().render();
    EXPECT_EQ((*range)["cves"].as_strings(), Lines{row[1]});
    said.push_back(row[0] + " " + row[1] + " " + row[2] + " " + codec::to_json((*range)["ranges"].items()[0]));
  }
  const std::string fixed =
      R"({"version":{"type":"apk","constraint":"< 1.0-r0"},"fix":{"version":"1.0-r0","state":"fixed",)"
      R"("detail":{"available":{"date":"2026-01-01","kind":"advisory"}}}})";
  const auto open = [](const std::string& state) {
    return R"({"version":{"type":"apk"},"fix":{"state":")" + state + R"("}})";
  };
  EXPECT_EQ(said, (Lines{R"(a CVE-2026-1 analyzing {"version":{"type":"apk"}})", "b CVE-2026-2 active " + fixed,
                         "b-dev CVE-2026-2 active " + fixed,
                         R"(c CVE-2026-3 active {"version":{"type":"apk","constraint":"< 0"},)"
                         R"("fix":{"state":"not-affected"}})",
                         "d CVE-2026-4 active " + open("not-fixed"), "e CVE-2026-5 active " + open("wont-fix"),
                         "f CVE-2026-6 active " + open("not-fixed")}));
}

TEST(Feeds, OpenVexSaysAllSix) {
  const codec::Json feed = vex_feed(six(), {});
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"under_investigation", ""},
      {"fixed", ""},
      {"not_affected", "inline_mitigations_already_exist"},
      {"affected", "A fix by upstream is awaited. Not yet."},
      {"affected", "No fix is planned. Too old."},
      {"affected", "A fix is being worked on. Worked on."}};
  ASSERT_EQ(feed["statements"].items().size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    const codec::Json& statement = feed["statements"].items()[i];
    EXPECT_EQ(statement["status"].as_string(), expected[i].first);
    EXPECT_EQ(statement["justification"].as_string() + statement["action_statement"].as_string(), expected[i].second);
  }
  EXPECT_EQ(feed["statements"].items()[1]["products"].items()[0]["@id"].as_string(), "pkg:apk/nacre/b@1.0-r0");
  EXPECT_EQ(feed["timestamp"].as_string(), "2026-01-01T00:00:00Z");
  // Each type of false positive but the contested one has a justification.
  for (const std::string& type : false_positive_types())
    EXPECT_EQ(vex_justification(type).empty(), type == "vulnerability-record-analysis-contested") << type;
}

// ---- matching

TEST(Matching, FindsComponentsSourcesAndPackagesAndJoinsWhatSaysTheSame) {
  auto dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const os::Path data = dir.path() / "osv";
  ASSERT_TRUE(os::make_dirs(data));
  const auto put = [&](const std::string& id, const std::string& aliases, const std::string& affected) {
    ASSERT_TRUE(os::write_file(data / (id + ".json"), R"({"id":")" + id +
                                                          R"(","modified":"2026-05-01T00:00:00Z","aliases":[)" +
                                                          aliases + R"(],"affected":[)" + affected + "]}"));
  };
  put("GO-2026-1", R"("CVE-2026-1")",
      R"({"package":{"ecosystem":"Go","name":"stdlib"},"ranges":[{"type":"SEMVER",
    "events":[{"introduced":"0"},{"fixed":"1.22.6"}]}]})");
  put("GHSA-x", R"("CVE-2026-1")", R"({"package":{"ecosystem":"Go","name":"stdlib"},"versions":["1.22.5"]})");
  put("CVE-2026-2", "",
      R"({"ranges":[{"type":"GIT","repo":"https://github.com/madler/zlib",
    "events":[{"introduced":"0"},{"fixed":"abc"}]}],"versions":["v1.3.1"]})");
  put("WOLFI-1", "",
      R"({"package":{"ecosystem":"Wolfi","name":"demo"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-r2"}]}]})");
  const auto debian = [](const std::string& suite, const std::string& fixed) {
    return R"({"package":{"ecosystem":"Debian:)" + suite +
           R"(","name":"demo"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":")" + fixed +
           R"("}]}]})";
  };
  put("DSA-1", R"("CVE-2026-3")", debian("12", "0.9-1+deb12u1") + "," + debian("14", "1:1.1+dfsg-1"));
  put("DSA-2", R"("CVE-2026-4")", debian("14", "1.0-2"));
  put("DSA-3", R"("CVE-2026-5")", debian("14", "0.9-2"));
  const auto index = OsvIndex::open({data}, dir.path() / "cache", {});
  ASSERT_TRUE(index) << index.error().render();
  PackageInput input;
  input.parts.name = input.parts.origin = "demo";
  input.parts.version = "1.0-r1";
  input.parts.distribution = "wolfi";
  input.parts.components = {{"GIT", "github.com/madler/zlib", "v1.3.1", ""}, {"Go", "stdlib", "1.22.5", "usr/bin/a"}};
  input.debian_source = "demo";
  const auto result = match_packages({input}, *index, {document("demo", "CVE-2026-1", kFalse)});
  ASSERT_TRUE(result) << result.error().render();
  Lines said;
  for (const Match& each : result->matches)
    said.push_back(each.vulnerability + " " + each.component.name + " -> " + each.fixed + (each.sure ? "" : " ?") +
                   (each.counts() ? "" : " no"));
  EXPECT_EQ(said, (Lines{"CVE-2026-3 demo -> 1.1", "CVE-2026-4 demo ->  ? no", "CVE-2026-2 github.com/madler/zlib -> ",
                         "CVE-2026-1 stdlib -> 1.22.6 no", "WOLFI-1 demo -> 1.0-r2"}));
  for (const Match& each : result->matches) {
    const auto again = match_from_json(to_json(each));
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(codec::to_json(to_json(*again)), codec::to_json(to_json(each)));
  }
}

TEST(PyPI, SaysWhatItKnowsOfARelease) {
  const auto json = codec::parse_json(R"({"info":{},"vulnerabilities":[
    {"id":"PYSEC-1","aliases":["CVE-2026-9"],"details":"d","fixed_in":["2.0","1.0.1"],"withdrawn":null},
    {"id":"PYSEC-2","aliases":[],"details":"","fixed_in":[],"withdrawn":"2026-01-01T00:00:00Z"}]})",
                                      "PyPI");
  const auto records = read_pypi_vulnerabilities(*json);
  ASSERT_TRUE(records) << records.error().render();
  ASSERT_EQ(records->size(), 1u);
  PackageInput input;
  input.parts.name = input.parts.origin = "py3-demo";
  input.parts.version = "1.0-r0";
  ScanResult result;
  result.matches = {match("a", "CVE-1"), match("z", "CVE-1")};
  add_pypi_matches(result, input, {"PyPI", "demo", "1.0", "usr/lib/x"}, *records, {});
  ASSERT_EQ(result.matches.size(), 3u);
  EXPECT_EQ(result.matches[1].vulnerability, "CVE-2026-9");
  EXPECT_EQ(result.matches[1].fixed, "1.0.1");
  add_pypi_matches(result, input, {"PyPI", "demo", "1.0", "usr/lib/x"}, *records, {});
  EXPECT_EQ(result.matches.size(), 3u);
  EXPECT_FALSE(read_pypi_vulnerabilities(*codec::parse_json("{}", "PyPI")));
}

}  // namespace
}  // namespace nacre::advisory
