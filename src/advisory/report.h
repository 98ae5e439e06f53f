#pragma once

#include "advisory/document.h"
#include "codec/json.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nacre::advisory {

/// One vulnerability in one package from its first detection on.
struct Case {
  std::string package, advisory;
  std::vector<std::string> names;
  std::string component_type, component;  ///< Of the first detection; empty when it was by hand.
  std::int64_t detected = 0;
  std::optional<std::int64_t> fixed;    ///< The first fix at or after the detection.
  bool false_positive = false;          ///< As of the latest event.
  std::optional<double> hours() const;  ///< From detected to fixed.
};
/// Advisories with a detection; those without have no clock, and are no cases.
std::vector<Case> cases_of(const std::vector<Document>& advisories);

/// How long fixes took, over a set of cases. "Open" figures count cases that are not fixed as never fixed, so that the
/// slow are not hidden; "fixed" ones count fixed cases alone. False positives are in neither.
struct Cohort {
  std::string name;
  std::size_t cases = 0;            ///< With false positives; detected at least `settle` before the data's date.
  std::size_t counted = 0;          ///< Without them: what the open figures are of.
  std::size_t fixed = 0, open = 0;  ///< counted = fixed + open
  std::optional<double> median_fixed, p90_fixed;                         ///< Hours; nothing when none is fixed.
  std::optional<double> median_open, p75_open, p90_open;                 ///< Hours; nothing: never.
  double within_24h = 0, within_48h = 0, within_7d = 0, within_14d = 0;  ///< Parts of `counted`, 0 to 1.
};
Cohort measure(std::string name, const std::vector<Case>& cases, const std::function<bool(const Case&)>& which,
               std::int64_t date, std::int64_t settle_seconds = 30 * 86'400);

/// The whole answer of `nacre cve report`.
struct Report {
  std::int64_t date = 0;              ///< Of the data: the newest event.
  std::int64_t since = 0, until = 0;  ///< Only cases detected in [since, until); 0: no bound.
  std::size_t advisories = 0, packages = 0, events = 0;
  std::map<std::string, std::size_t> latest;  ///< By type of the latest event.
  std::vector<Cohort> cohorts;                ///< All, by year, by kind of component, Go's standard library.
  std::vector<Cohort> by_package;             ///< Most cases first.
  std::vector<Cohort> by_image;               ///< Of what the serial and each image hold now.
  std::vector<std::pair<std::string, std::vector<std::string>>> images;  ///< Image -> open vulnerabilities.
  std::vector<Case> open;  ///< Neither fixed nor false positives, oldest first.
};
struct ReportOptions {
  std::int64_t since = 0, until = 0;
  std::int64_t date = 0;  ///< 0: of the newest event.
  std::int64_t settle_seconds = 30 * 86'400;
  std::size_t packages = 20;
  /// Image or serial -> origins of its packages.
  std::vector<std::pair<std::string, std::vector<std::string>>> images;
};
Report make_report(const std::vector<Document>& advisories, const ReportOptions& options);

codec::Json to_json(const Report& report);
/// As a table for people.
std::string render(const Report& report);
/// One HTML page that loads nothing: the table, the open cases, and the curve of fixes over time as inline SVG.
std::string report_page(const Report& report, const std::vector<Case>& cases, std::string_view title);

}  // namespace nacre::advisory
