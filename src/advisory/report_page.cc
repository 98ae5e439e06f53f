#include "advisory/report.h"
#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nacre::advisory {
namespace {

constexpr double kLeft = 50, kTop = 15, kWidth = 680, kHeight = 240;

/// Hours on a scale of logarithms: one hour to a year.
double across(double hours) {
  constexpr double kLeast = 1, kMost = 8760;
  const double part = std::log(std::clamp(hours, kLeast, kMost) / kLeast) / std::log(kMost / kLeast);
  return kLeft + part * kWidth;
}
double down(double part) { return kTop + (1 - part) * kHeight; }

std::string axes() {
  struct Mark {
    double hours;
    const char* text;
  };
  std::string out;
  for (const Mark& mark : std::array<Mark, 7>{
           {{1, "1 h"}, {6, "6 h"}, {24, "24 h"}, {48, "48 h"}, {168, "7 d"}, {336, "14 d"}, {2160, "90 d"}}})
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1:.0f}\" x2=\"{0:.1f}\" y2=\"{2:.0f}\" class=\"grid\"/>"
        "<text x=\"{0:.1f}\" y=\"{3:.0f}\" text-anchor=\"middle\">{4}</text>\n",
        across(mark.hours), kTop, kTop + kHeight, kTop + kHeight + 16, mark.text);
  for (int percent = 0; percent <= 100; percent += 25)
    out += fmt::format(
        "<line x1=\"{0:.0f}\" y1=\"{1:.1f}\" x2=\"{2:.0f}\" y2=\"{1:.1f}\" class=\"grid\"/>"
        "<text x=\"{3:.0f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5} %</text>\n",
        kLeft, down(percent / 100.0), kLeft + kWidth, kLeft - 6, down(percent / 100.0) + 4, percent);
  return out;
}

/// Part of the cases that are fixed after so many hours, as steps through at most 200 points.
std::string curve(const std::vector<double>& hours, std::size_t counted) {
  std::string points;
  const std::size_t step = std::max<std::size_t>(1, hours.size() / 200);
  for (std::size_t i = 0; i < hours.size(); i += step)
    points += fmt::format("{:.1f},{:.1f} ", across(hours[i]),
                          down(static_cast<double>(i + 1) / static_cast<double>(counted)));
  if (!hours.empty())
    points += fmt::format("{:.1f},{:.1f}", across(hours.back()),
                          down(static_cast<double>(hours.size()) / static_cast<double>(counted)));
  return fmt::format("<polyline points=\"{}\" class=\"curve\"/>\n", points);
}

std::string hours_text(const std::optional<double>& hours, std::size_t cases) {
  if (cases == 0) return "-";
  return hours ? fmt::format("{:.1f}", *hours) : "never";
}

std::string table(const std::vector<Cohort>& cohorts, std::string_view what) {
  std::string out = fmt::format(
      "<table><tr><th>{}</th><th>cases</th><th>fixed</th><th>open</th><th>median h, fixed only</th>"
      "<th>p90 h, fixed only</th><th>median h, open as never</th><th>p90 h, open as never</th>"
      "<th>&le; 24 h</th><th>&le; 48 h</th><th>&le; 7 d</th><th>&le; 14 d</th></tr>\n",
      what);
  for (const Cohort& row : cohorts)
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{:.1f} %</td><td>{:.1f} %</td><td>{:.1f} %</td><td>{:.1f} %</td></tr>\n",
        escape_markup(row.name), row.cases, row.fixed, row.open, hours_text(row.median_fixed, row.fixed),
        hours_text(row.p90_fixed, row.fixed), hours_text(row.median_open, row.counted),
        hours_text(row.p90_open, row.counted), row.within_24h * 100, row.within_48h * 100, row.within_7d * 100,
        row.within_14d * 100);
  return out + "</table>\n";
}

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;font-size:13px;margin:1em 0}th,td{padding:.25em .6em;border-bottom:1px solid #ddd;"
    "text-align:right}th:first-child,td:first-child{text-align:left}svg text{font-size:12px;fill:#555}"
    ".grid{stroke:#ddd}.curve{fill:none;stroke:#0a6;stroke-width:2.5}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}.grid{stroke:#444}"
    "svg text{fill:#aaa}}";

}  // namespace

std::string report_page(const Report& report, const std::vector<Case>& cases, std::string_view title) {
  std::vector<double> hours;
  std::size_t counted = 0;
  for (const Case& each : cases) {
    if (each.false_positive || each.detected < report.since || (report.until != 0 && each.detected >= report.until))
      continue;
    ++counted;
    if (const auto taken = each.hours()) hours.push_back(*taken);
  }
  std::sort(hours.begin(), hours.end());
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"><style>{1}</style></head><body>\n<h1>{0}</h1>\n"
      "<p>{2} advisories on {3} packages. Data of {4}. A clock starts at the first detection; cases that are not fixed "
      "count as never fixed, false positives are left out.</p>\n",
      escape_markup(title), kStyle, report.advisories, report.packages, os::rfc3339(report.date));
  if (counted > 0)
    out += fmt::format(
        "<h2>Part of the cases that is fixed</h2>\n<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
        "aria-label=\"Part of {} cases that is fixed, by time since detection\">\n{}{}</svg>\n",
        kLeft + kWidth + 20, kTop + kHeight + 30, counted, axes(), curve(hours, counted));
  out += table(report.cohorts, "cohort") + "<h2>By package</h2>\n" + table(report.by_package, "package");
  if (!report.by_image.empty()) out += "<h2>By image</h2>\n" + table(report.by_image, "image");
  if (!report.images.empty()) {
    out += "<h2>Images</h2>\n<table><tr><th>image</th><th>open</th></tr>\n";
    for (const auto& [image, open] : report.images)
      out += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_markup(image), open.size());
    out += "</table>\n";
  }
  out += fmt::format(
      "<h2>Open: {}</h2>\n<table><tr><th>package</th><th>vulnerability</th><th>component</th>"
      "<th>since</th></tr>\n",
      report.open.size());
  for (const Case& each : report.open)
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_markup(each.package),
                       escape_markup(each.names.empty() ? each.advisory : each.names.front()),
                       escape_markup(each.component), os::rfc3339(each.detected));
  return out + "</table>\n</body></html>\n";
}

}  // namespace nacre::advisory
