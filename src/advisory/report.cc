#include "advisory/report.h"

#include "base/text.h"
#include "os/clock.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <set>

namespace nacre::advisory {
namespace {

using codec::Json;

constexpr double kNever = std::numeric_limits<double>::infinity();

/// The value below which `part` of the sorted values lie, linear between neighbours; never next to never is never.
std::optional<double> quantile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return std::nullopt;
  const double at = static_cast<double>(sorted.size() - 1) * part;
  const auto low = static_cast<std::size_t>(std::floor(at));
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double rest = at - static_cast<double>(low);
  if (sorted[low] == kNever) return std::nullopt;
  if (rest == 0 || high == low) return sorted[low];
  if (sorted[high] == kNever) return std::nullopt;
  return sorted[low] + (sorted[high] - sorted[low]) * rest;
}

double share_within(const std::vector<double>& sorted, double hours) {
  if (sorted.empty()) return 0;
  const auto end = std::upper_bound(sorted.begin(), sorted.end(), hours);
  return static_cast<double>(end - sorted.begin()) / static_cast<double>(sorted.size());
}

int year_of(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return parts.tm_year + 1900;
}

Json number(const std::optional<double>& value) { return value ? Json(std::round(*value * 100) / 100) : Json(nullptr); }

/// A part of the cases, to a hundredth of a percent.
Json part(double value) { return std::round(value * 10'000) / 10'000; }

Json to_json(const Cohort& cohort) {
  Json out;
  const auto count = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  out.set("name", cohort.name).set("cases", count(cohort.cases)).set("counted", count(cohort.counted));
  out.set("fixed", count(cohort.fixed)).set("open", count(cohort.open));
  out.set("medianHoursFixedOnly", number(cohort.median_fixed)).set("p90HoursFixedOnly", number(cohort.p90_fixed));
  out.set("medianHours", number(cohort.median_open)).set("p75Hours", number(cohort.p75_open));
  out.set("p90Hours", number(cohort.p90_open)).set("within24h", part(cohort.within_24h));
  out.set("within48h", part(cohort.within_48h)).set("within7d", part(cohort.within_7d));
  return out.set("within14d", part(cohort.within_14d));
}

Json to_json(const Case& each) {
  Json out;
  out.set("package", each.package).set("advisory", each.advisory).set("names", Json::strings(each.names));
  out.set("componentType", each.component_type).set("component", each.component);
  return out.set("detected", os::rfc3339(each.detected));
}

/// Of `cases` cases; "-" of none.
std::string hours_text(const std::optional<double>& hours, std::size_t cases) {
  if (cases == 0) return "-";
  return hours ? fmt::format("{:.1f}", *hours) : "never";
}

std::string row(const Cohort& cohort) {
  const auto percent = [](double part) { return fmt::format("{:.1f} %", part * 100); };
  return fmt::format("{:<28} {:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8}\n", cohort.name,
                     cohort.cases, cohort.fixed, cohort.open, hours_text(cohort.median_fixed, cohort.fixed),
                     hours_text(cohort.p90_fixed, cohort.fixed), hours_text(cohort.median_open, cohort.counted),
                     hours_text(cohort.p90_open, cohort.counted), percent(cohort.within_24h),
                     percent(cohort.within_48h), percent(cohort.within_7d), percent(cohort.within_14d));
}

std::string heading() {
  return fmt::format("{:<28} {:>7} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "cases", "n",
                     "fixed", "open", "med fixed", "p90 fixed", "median h", "p90 h", "<= 24 h", "<= 48 h", "<= 7 d",
                     "<= 14 d");
}

void add_cohorts(Report& report, const std::vector<Case>& cases, std::int64_t settle) {
  std::set<int> years;
  std::set<std::string> types;
  bool stdlib = false;
  for (const Case& each : cases) {
    years.insert(year_of(each.detected));
    if (!each.component_type.empty()) types.insert(each.component_type);
    stdlib |= each.component == "stdlib";
  }
  const auto add = [&](std::string name, const std::function<bool(const Case&)>& which) {
    Cohort cohort = measure(std::move(name), cases, which, report.date, settle);
    if (cohort.cases > 0) report.cohorts.push_back(std::move(cohort));
  };
  add("all", [](const Case&) { return true; });
  for (const int year : years) add(std::to_string(year), [&](const Case& c) { return year_of(c.detected) == year; });
  if (stdlib) add("go stdlib", [](const Case& c) { return c.component == "stdlib"; });
  for (const std::string& type : types) add(type, [&](const Case& c) { return c.component_type == type; });
}

void add_packages(Report& report, const std::vector<Case>& cases, const ReportOptions& options) {
  std::map<std::string, std::size_t> counts;
  for (const Case& each : cases) ++counts[each.package];
  std::vector<std::pair<std::string, std::size_t>> most(counts.begin(), counts.end());
  std::stable_sort(most.begin(), most.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (most.size() > options.packages) most.resize(options.packages);
  for (const auto& most_row : most) {
    const std::string& name = most_row.first;
    report.by_package.push_back(measure(
        name, cases, [&](const Case& c) { return c.package == name; }, report.date, options.settle_seconds));
  }
}

}  // namespace

std::optional<double> Case::hours() const {
  if (!fixed) return std::nullopt;
  return static_cast<double>(*fixed - detected) / 3600;
}

std::vector<Case> cases_of(const std::vector<Document>& advisories) {
  std::vector<Case> out;
  for (const Document& document : advisories)
    for (const Advisory& advisory : document.advisories) {
      std::vector<const Event*> events;
      for (const Event& event : advisory.events) events.push_back(&event);
      std::stable_sort(events.begin(), events.end(), [](const Event* a, const Event* b) { return a->time < b->time; });
      const auto first = std::find_if(events.begin(), events.end(),
                                      [](const Event* event) { return event->type == EventType::kDetection; });
      if (first == events.end()) continue;
      Case one;
      one.package = document.package;
      one.advisory = advisory.id;
      one.names = advisory.aliases;
      one.detected = (*first)->time;
      one.component_type = (*first)->component.type;
      one.component = (*first)->component.name;
      one.false_positive = events.back()->type == EventType::kFalsePositive;
      for (const Event* event : events)
        if (!one.fixed && event->type == EventType::kFixed && event->time >= one.detected) one.fixed = event->time;
      out.push_back(std::move(one));
    }
  return out;
}

Cohort measure(std::string name, const std::vector<Case>& cases, const std::function<bool(const Case&)>& which,
               std::int64_t date, std::int64_t settle_seconds) {
  Cohort out;
  out.name = std::move(name);
  std::vector<double> fixed, all;
  for (const Case& each : cases) {
    if (date - each.detected < settle_seconds || !which(each)) continue;
    ++out.cases;
    if (each.false_positive) continue;
    const auto hours = each.hours();
    all.push_back(hours.value_or(kNever));
    if (hours) fixed.push_back(*hours);
  }
  std::sort(fixed.begin(), fixed.end());
  std::sort(all.begin(), all.end());
  out.counted = all.size();
  out.fixed = fixed.size();
  out.open = out.counted - out.fixed;
  out.median_fixed = quantile(fixed, 0.5);
  out.p90_fixed = quantile(fixed, 0.9);
  out.median_open = quantile(all, 0.5);
  out.p75_open = quantile(all, 0.75);
  out.p90_open = quantile(all, 0.9);
  out.within_24h = share_within(all, 24);
  out.within_48h = share_within(all, 48);
  out.within_7d = share_within(all, 168);
  out.within_14d = share_within(all, 336);
  return out;
}

Report make_report(const std::vector<Document>& advisories, const ReportOptions& options) {
  Report out;
  out.since = options.since;
  out.until = options.until;
  out.packages = advisories.size();
  for (const Document& document : advisories)
    for (const Advisory& advisory : document.advisories) {
      ++out.advisories;
      out.events += advisory.events.size();
      for (const Event& event : advisory.events) out.date = std::max(out.date, event.time);
      if (const Event* latest = advisory.latest()) ++out.latest[std::string(name_of(latest->type))];
    }
  if (options.date != 0) out.date = options.date;
  std::vector<Case> cases = cases_of(advisories);
  std::erase_if(cases, [&](const Case& each) {
    return each.detected < options.since || (options.until != 0 && each.detected >= options.until);
  });
  add_cohorts(out, cases, options.settle_seconds);
  add_packages(out, cases, options);
  for (const Document& document : advisories)
    for (const Advisory& advisory : document.advisories) {
      if (!advisory.open()) continue;
      const auto found = std::find_if(cases.begin(), cases.end(), [&](const Case& each) {
        return each.package == document.package && each.advisory == advisory.id;
      });
      if (found != cases.end()) out.open.push_back(*found);
    }
  std::stable_sort(out.open.begin(), out.open.end(),
                   [](const Case& a, const Case& b) { return a.detected < b.detected; });
  for (const auto& [image, origins] : options.images) {
    const std::set<std::string> held(origins.begin(), origins.end());
    const auto which = [&](const Case& each) { return held.contains(each.package); };
    out.by_image.push_back(measure(image, cases, which, out.date, options.settle_seconds));
    std::vector<std::string> open;
    for (const Case& each : out.open)
      if (which(each)) open.push_back(each.package + " " + (each.names.empty() ? each.advisory : each.names.front()));
    out.images.emplace_back(image, std::move(open));
  }
  return out;
}

Json to_json(const Report& report) {
  Json out, latest, cohorts = Json::array(), packages = Json::array(), open = Json::array(), images = Json::array();
  Json by_image = Json::array();
  out.set("dataDate", os::rfc3339(report.date)).set("packages", static_cast<std::int64_t>(report.packages));
  out.set("advisories", static_cast<std::int64_t>(report.advisories));
  out.set("events", static_cast<std::int64_t>(report.events));
  if (report.since != 0) out.set("since", os::rfc3339(report.since));
  if (report.until != 0) out.set("until", os::rfc3339(report.until));
  latest = Json::object();
  for (const auto& [type, count] : report.latest) latest.set(type, static_cast<std::int64_t>(count));
  out.set("latest", std::move(latest));
  for (const Cohort& cohort : report.cohorts) cohorts.push(to_json(cohort));
  for (const Cohort& cohort : report.by_package) packages.push(to_json(cohort));
  for (const Cohort& cohort : report.by_image) by_image.push(to_json(cohort));
  for (const Case& each : report.open) open.push(to_json(each));
  for (const auto& [image, names] : report.images)
    images.push(Json().set("image", image).set("open", Json::strings(names)));
  out.set("cohorts", std::move(cohorts)).set("byPackage", std::move(packages));
  out.set("byImage", std::move(by_image));
  return out.set("images", std::move(images)).set("open", std::move(open));
}

std::string render(const Report& report) {
  std::string out = fmt::format("{} advisories on {} packages, {} events; data of {}\n", report.advisories,
                                report.packages, report.events, os::rfc3339(report.date));
  for (const auto& [type, count] : report.latest) out += fmt::format("  {:>7} {}\n", count, type);
  if (!report.cohorts.empty()) {
    out += "\nhours from detection to fix; open cases count as never, but for \"fixed\" columns\n" + heading();
    for (const Cohort& cohort : report.cohorts) out += row(cohort);
  }
  if (!report.by_package.empty()) {
    out += "\nby package\n" + heading();
    for (const Cohort& cohort : report.by_package) out += row(cohort);
  }
  if (!report.by_image.empty()) {
    out += "\nby image, of what it holds now\n" + heading();
    for (const Cohort& cohort : report.by_image) out += row(cohort);
  }
  for (const auto& [image, open] : report.images)
    out += fmt::format("\n{}: {} open{}", image, open.size(), open.empty() ? "" : ": " + join(open, ", "));
  return out + (report.images.empty() ? "" : "\n");
}

}  // namespace nacre::advisory
