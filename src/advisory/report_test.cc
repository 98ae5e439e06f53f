#include "advisory/report.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nacre::advisory {
namespace {

constexpr std::int64_t kDate = 1'800'000'000, kHour = 3600, kDay = 86'400;

Case fixed_after(std::optional<std::int64_t> hours, std::int64_t days_ago = 100) {
  Case out;
  out.package = "a";
  out.detected = kDate - days_ago * kDay;
  if (hours) out.fixed = out.detected + *hours * kHour;
  return out;
}

bool any(const Case&) { return true; }

TEST(Cohort, CountsOpenCasesAsNever) {
  std::vector<Case> cases = {fixed_after(10), fixed_after(20), fixed_after(40), fixed_after(std::nullopt),
                             fixed_after(std::nullopt)};
  Case wrong = fixed_after(1);
  wrong.false_positive = true;
  cases.push_back(wrong);
  cases.push_back(fixed_after(std::nullopt, 29));  // Too young to be called open.
  const Cohort cohort = measure("all", cases, any, kDate);
  EXPECT_EQ(cohort.cases, 6u);
  EXPECT_EQ(cohort.counted, 5u);
  EXPECT_EQ(cohort.fixed, 3u);
  EXPECT_EQ(cohort.open, 2u);
  EXPECT_EQ(cohort.median_fixed, 20);
  EXPECT_EQ(cohort.median_open, 40);
  EXPECT_EQ(cohort.p90_open, std::nullopt) << "never";
  EXPECT_DOUBLE_EQ(cohort.within_24h, 0.4);
  EXPECT_DOUBLE_EQ(cohort.within_7d, 0.6);
}

TEST(Cohort, OfNothingSaysNothing) {
  const Cohort cohort = measure("none", {}, any, kDate);
  EXPECT_EQ(cohort.cases, 0u);
  EXPECT_EQ(cohort.median_open, std::nullopt);
}

Document document(const std::string& package, const std::string& events) {
  auto out = read_document("schema-version: 2.0.2\npackage:\n  name: " + package + "\nadvisories:\n  - id: " +
                               make_id(package, "CVE-2026-1") + "\n    aliases: [CVE-2026-1]\n    events:\n" + events,
                           package + ".advisories.yaml");
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : Document{};
}

std::string event(const std::string& time, const std::string& rest) {
  return "      - timestamp: " + time + "\n        type: " + rest + "\n";
}
const std::string kManual = "detection\n        data:\n          type: manual";
const std::string kFixed = "fixed\n        data:\n          fixed-version: 1.0-r1";

TEST(Cases, BeginWithTheFirstDetectionAndEndWithTheFixThatFollows) {
  const auto cases =
      cases_of({document("a", event("2026-01-01T00:00:00Z", kFixed) + event("2026-01-03T12:00:00Z", kFixed) +
                                  event("2026-01-02T00:00:00Z", kManual)),
                document("b", event("2026-01-01T00:00:00Z", kFixed))});
  ASSERT_EQ(cases.size(), 1u) << "what was never detected has no clock";
  EXPECT_EQ(cases[0].hours(), 36);
}

TEST(Report, SaysWhatIsOpenWhere) {
  const std::vector<Document> documents = {
      document("a", event("2026-01-02T00:00:00Z", kManual)),
      document("b", event("2026-01-02T00:00:00Z", kManual) + event("2026-01-03T00:00:00Z", kFixed))};
  ReportOptions options;
  options.settle_seconds = 0;
  options.images = {{"image one", {"a", "b"}}, {"image two", {"b"}}};
  const Report report = make_report(documents, options);
  EXPECT_EQ(report.advisories, 2u);
  EXPECT_EQ(report.open.size(), 1u);
  EXPECT_EQ(report.cohorts[0].median_open, std::nullopt);
  EXPECT_EQ(report.cohorts[0].median_fixed, 24);
  EXPECT_EQ(report.images[0].second, std::vector<std::string>{"a CVE-2026-1"});
  EXPECT_TRUE(report.images[1].second.empty());
  ASSERT_EQ(report.by_image.size(), 2u);
  EXPECT_EQ(report.by_image[0].counted, 2u);
  EXPECT_EQ(report.by_image[0].open, 1u);
  EXPECT_EQ(report.by_image[1].median_open, 24) << "of b alone";
  const std::string text = render(report);
  EXPECT_NE(text.find("2 advisories on 2 packages, 3 events; data of 2026-01-03T00:00:00Z"), std::string::npos) << text;
  const std::string page = report_page(report, cases_of(documents), "A <title>");
  EXPECT_NE(page.find("<h1>A &lt;title&gt;</h1>"), std::string::npos);
  EXPECT_NE(page.find("<polyline"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos) << "it loads nothing";
}

/// The field's table over its own 30,030 advisories, frozen on 2026-01-07.
struct Expected {
  const char* name;
  std::size_t cases;
  double median_fixed, p90_fixed, median_open, within_24h, within_48h, within_7d, within_14d;
};

TEST(Field, FiguresAreThoseThatWereMeasured) {
  const char* folder = std::getenv("NACRE_ADVISORIES");
  if (folder == nullptr) GTEST_SKIP() << "NACRE_ADVISORIES names no directory of real documents";
  const auto documents = read_documents(folder);
  ASSERT_TRUE(documents) << documents.error().render();
  const Report whole = make_report(*documents, {});
  if (whole.date != 1767803395 || whole.advisories != 30'030) GTEST_SKIP() << "not the frozen set of 30,030";
  EXPECT_EQ(whole.events, 50'996u);
  EXPECT_EQ(whole.latest.at("fixed"), 21'926u);
  ReportOptions options;
  options.since = *parse_time("2025-01-01T00:00:00Z");
  options.until = *parse_time("2026-01-01T00:00:00Z");
  const Report year = make_report(*documents, options);
  const auto check = [](const Report& report, const Expected& row) {
    const auto found = std::find_if(report.cohorts.begin(), report.cohorts.end(),
                                    [&](const Cohort& cohort) { return cohort.name == row.name; });
    ASSERT_NE(found, report.cohorts.end()) << row.name;
    EXPECT_EQ(found->cases, row.cases) << row.name;
    EXPECT_NEAR(*found->median_fixed, row.median_fixed, 0.1) << row.name;
    EXPECT_NEAR(*found->p90_fixed, row.p90_fixed, 1) << row.name;
    EXPECT_NEAR(*found->median_open, row.median_open, row.median_open * 0.01) << row.name;
    EXPECT_NEAR(found->within_24h * 100, row.within_24h, 0.11) << row.name;
    EXPECT_NEAR(found->within_48h * 100, row.within_48h, 0.11) << row.name;
    EXPECT_NEAR(found->within_7d * 100, row.within_7d, 0.11) << row.name;
    EXPECT_NEAR(found->within_14d * 100, row.within_14d, 0.11) << row.name;
  };
  check(whole, {"all", 22'027, 21.5, 413, 49.6, 39.7, 49.4, 63.0, 67.7});
  check(whole, {"2024", 6'540, 64.8, 3240, 138, 25.5, 34.3, 51.4, 63.0});
  check(whole, {"2025", 15'401, 13.7, 126, 30.4, 45.6, 55.7, 67.8, 69.6});
  check(year, {"go stdlib", 6'932, 11.1, 44, 12.5, 69.0, 78.5, 85.5, 85.7});
  check(year, {"go-module", 11'974, 12.6, 89, 16.6, 55.9, 67.2, 78.5, 79.5});
  check(year, {"rust-crate", 224, 27.8, 97, 34.9, 35.3, 52.2, 81.7, 83.5});
  check(year, {"java-archive", 578, 44.4, 246, 153, 21.8, 29.2, 50.6, 54.0});
}

}  // namespace
}  // namespace nacre::advisory
