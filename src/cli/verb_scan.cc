#include "advisory/cvss.h"
#include "advisory/judge.h"
#include "base/text.h"
#include "cli/lookup.h"
#include "cli/scan_input.h"
#include "cli/security.h"
#include "os/clock.h"

#include <algorithm>

// What is known to be wrong with packages and images.
namespace nacre::cli {
namespace {

using codec::Json;

constexpr long kDefaultDays = 7;

/// --fail-on, --severity and --max-age.
Result<advisory::Policy> policy_of(const Arguments& arguments) {
  advisory::Policy out;
  const std::string refuse = arguments.text("--fail-on");
  const std::vector<std::string> known = {"nothing", "fixable", "any"};
  if (refuse == "fixable") out.refuse = advisory::Policy::Refuse::kFixable;
  else if (refuse == "any") out.refuse = advisory::Policy::Refuse::kAll;
  else if (refuse.empty() || refuse == "nothing") out.refuse = advisory::Policy::Refuse::kNothing;
  else
    return Error::make(ErrorKind::kInvalid, "--fail-on takes {}, got '{}'", join(known, ", "), refuse)
        .hint(nearest_hint(refuse, known));
  out.least_severity = advisory::severity_word(arguments.text("--severity"));
  if (!arguments.text("--severity").empty() && out.least_severity.empty())
    return Error::make(ErrorKind::kInvalid, "--severity takes low, medium, high, critical, got '{}'",
                       arguments.text("--severity"));
  out.max_age_seconds.reset();
  const bool asked = !arguments.text("--max-age").empty();
  const long days = asked ? arguments.number("--max-age") : kDefaultDays;
  if (days > 0 && (asked || out.refuse != advisory::Policy::Refuse::kNothing)) out.max_age_seconds = days * 86'400;
  return out;
}

std::string row_of(const advisory::Match& match) {
  std::string severity = match.severity.empty() ? "?" : match.severity;
  if (match.score) severity += fmt::format(" {:.1f}", *match.score);
  std::string status = match.status_text;
  if (!match.sure) status = "unsure: " + match.reason;
  return fmt::format("{:<24} {:<16} {:<32} {:<16} {:<20} {:<13} {:<16} {}\n", match.package, match.version,
                     match.component.name, match.component.version, match.vulnerability, severity,
                     match.fixed.empty() ? "none known" : match.fixed, status);
}

std::string render(const advisory::ScanResult& result, const ScanTarget& target, bool all) {
  std::string out;
  std::size_t counted = 0, fixable = 0, hidden = 0;
  for (const advisory::Match& match : result.matches) {
    counted += match.counts() ? 1 : 0;
    fixable += match.counts() && match.fixable() ? 1 : 0;
    if (!match.counts() && !all) {
      ++hidden;
      continue;
    }
    if (out.empty())
      out = fmt::format("{:<24} {:<16} {:<32} {:<16} {:<20} {:<13} {:<16} {}\n", "package", "version", "component",
                        "its version", "vulnerability", "severity", "fixed in", "advisory");
    out += row_of(match);
  }
  out += fmt::format("{}: {} packages, {} components; {} vulnerabilities, {} with a fix", target.name, result.packages,
                     result.components, counted, fixable);
  if (hidden > 0) out += fmt::format("; {} false positives and unsure ones are not shown (--all)", hidden);
  out +=
      result.data_date <= 0 ? "; data without a date\n" : fmt::format("; data of {}\n", os::rfc3339(result.data_date));
  for (const std::string& file : result.not_read) out += "not read: " + file + "\n";
  return out;
}

Json components_json(const ScanTarget& target) {
  Json out = Json::array();
  for (const advisory::PackageInput& package : target.packages) {
    Json row = advisory::to_json(package.parts);
    if (!package.debian_source.empty()) row.set("debianSource", package.debian_source);
    out.push(std::move(row));
  }
  return out;
}

std::string components_text(const ScanTarget& target) {
  std::string out;
  for (const advisory::PackageInput& package : target.packages) {
    out += fmt::format("{} {}\n", package.parts.name, package.parts.version);
    for (const advisory::Component& each : package.parts.components)
      out += fmt::format("  {:<10} {} {}{}\n", each.ecosystem, each.name, each.version,
                         each.path.empty() ? "" : "  " + each.path);
  }
  return out;
}

Result<int> run_scan(const Arguments& arguments, Session& session) {
  const advisory::Policy policy = TRY(policy_of(arguments));
  const ScanTarget target = TRY(scan_target(arguments, arguments.text("TARGET"), session));
  if (arguments.flag("--components")) {
    session.print(session.json ? codec::to_pretty_json(components_json(target)) : components_text(target));
    return 0;
  }
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const advisory::ScanResult result = TRY(scan(arguments, target, advisories, session));
  const std::int64_t now = session.env.clock.now_seconds();
  const std::vector<std::string> breaches = advisory::judge(result.matches, advisories, result.data_date, now, policy);
  std::string noted;
  Json files = Json::array();
  if (arguments.flag("--record")) {
    const auto detections = advisory::new_detections(advisories, result.matches, now);
    const std::vector<Path> written = TRY(advisory::write_events(advisories_folder(session), {}, detections));
    for (const Path& file : written) files.push(file.string());
    noted = fmt::format("recorded {} detections in {} files below {}\n", detections.size(), written.size(),
                        advisories_folder(session).string());
  }
  if (session.json) {
    Json json = advisory::to_json(result);
    json.set("target", target.name).set("breaches", Json::strings(breaches));
    if (arguments.flag("--record")) json.set("recorded", std::move(files));
    session.print(codec::to_pretty_json(json));
  } else {
    std::string text = render(result, target, arguments.flag("--all")) + noted;
    for (const std::string& breach : breaches) text += "breach: " + breach + "\n";
    session.print(text);
  }
  return breaches.empty() ? 0 : 1;
}

}  // namespace

Verb verb_scan() {
  Verb verb;
  verb.name = "scan";
  verb.summary = "known vulnerabilities of packages, images and serials, by OSV's records and our advisories";
  verb.arguments = {
      {"TARGET", "image or .apk; the edition's serial when there is none", false, false, Completion::kImage}};
  verb.options = {kArchOption, kEditionOption, kSerialOption};
  for (Option& option : osv_options()) verb.options.push_back(std::move(option));
  const std::vector<Option> more = {
      {"--all", OptionType::kFlag, "", "", "show false positives and what is unsure, too", Completion::kNone},
      {"--components", OptionType::kFlag, "", "", "show what would be looked up, and ask nothing", Completion::kNone},
      {"--fail-on", OptionType::kText, "WHAT", "nothing", "exit code 1 for: nothing, fixable, any", Completion::kNone},
      {"--severity", OptionType::kText, "WORD", "", "with --fail-on: lower ones pass (low, medium, high, critical)",
       Completion::kNone},
      {"--max-age", OptionType::kNumber, "DAYS", "", "exit code 1 for older data; with --fail-on 7 unless said; 0: any",
       Completion::kNone},
      {"--record", OptionType::kFlag, "", "", "write a detection into the advisories for what none knows",
       Completion::kNone}};
  verb.options.insert(verb.options.end(), more.begin(), more.end());
  verb.run = run_scan;
  return verb;
}

}  // namespace nacre::cli
