#include "advisory/feeds.h"
#include "advisory/judge.h"
#include "advisory/report.h"
#include "base/text.h"
#include "cli/distribution.h"
#include "cli/lookup.h"
#include "cli/scan_input.h"
#include "cli/security.h"
#include "os/clock.h"

#include <algorithm>
#include <map>

// What others read of our advisories, what closes them, and how fast: advisory feed, advisory close, cve report.
namespace nacre::cli {
namespace {

using codec::Json;

/// Packages by origin, as the newest serial has them; none without a serial.
Result<std::map<std::string, std::vector<std::string>>> packages_by_origin(const Arguments& arguments,
                                                                           Session& session) {
  std::map<std::string, std::vector<std::string>> out;
  const Edition edition = TRY(edition_of(arguments));
  const std::optional<index::Serial> serial = TRY(index::head(session.env, edition));
  if (!serial) return out;
  for (const index::SerialPackage& package : serial->packages) {
    const std::string& origin = package.record.origin.empty() ? package.record.name : package.record.origin;
    std::vector<std::string>& names = out[origin];
    if (package.record.name == origin) names.insert(names.begin(), package.record.name);
    else names.push_back(package.record.name);
  }
  return out;
}

/// "2026-11-01", or with a time.
Result<std::int64_t> day_or_time(const std::string& text, std::string_view option) {
  const std::int64_t time =
      TRY(advisory::parse_time(text.size() == 10 ? text + "T00:00:00Z" : text), "reading {}", option);
  return time;
}

Result<int> run_feed(const Arguments& arguments, Session& session) {
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const Arch arch = TRY(arch_of(arguments));
  advisory::FeedOptions options;
  options.packages = TRY(packages_by_origin(arguments, session));
  options.archs = {std::string(arch.apk)};
  options.name_space = arguments.text("--namespace");
  options.ecosystem = arguments.text("--ecosystem");
  options.author = arguments.text("--author");
  if (const std::string base = arguments.text("--base"); !base.empty()) options.base = options.url_prefix = base;
  if (const std::string date = arguments.text("--date"); !date.empty()) options.date = TRY(day_or_time(date, "--date"));
  const std::string secdb = arguments.text("--secdb"), osv = arguments.text("--osv"), vex = arguments.text("--vex");
  const std::string grype = arguments.text("--grype");
  if (secdb.empty() && osv.empty() && vex.empty() && grype.empty())
    return Error::make(ErrorKind::kInvalid, "nothing to write")
        .hint("name a file: --secdb FILE, --osv DIR, --vex FILE, --grype FILE");
  Json json;
  std::string text;
  const auto wrote = [&](const char* form, const std::string& where, std::size_t count, const char* what) {
    json.set(form, Json().set("path", where).set("count", static_cast<std::int64_t>(count)));
    text += fmt::format("{}: {} {}\n", where, count, what);
  };
  if (!secdb.empty()) {
    const Json feed = advisory::secdb_feed(advisories, options);
    TRY(os::write_file(secdb, codec::to_pretty_json(feed)));
    wrote("secdb", secdb, feed["packages"].items().size(), "packages");
  }
  if (!osv.empty()) {
    const auto files = advisory::osv_feed(advisories, options);
    TRY(os::make_dirs(osv));
    for (const auto& [name, record] : files) TRY(os::write_file(Path(osv) / name, codec::to_pretty_json(record)));
    wrote("osv", osv, files.size() - 1, "records, and all.json");
  }
  if (!vex.empty()) {
    const Json feed = advisory::vex_feed(advisories, options);
    TRY(os::write_file(vex, codec::to_pretty_json(feed)));
    wrote("vex", vex, feed["statements"].items().size(), "statements");
  }
  if (!grype.empty()) {
    const std::size_t count = TRY(advisory::write_grype_feed(advisories, options, grype));
    wrote("grype", grype, count, "advisories");
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

/// Matches of a file that `nacre scan --json` wrote.
Result<std::vector<advisory::Match>> matches_of(const std::string& file) {
  const std::string text = TRY(os::read_file(file));
  const Json json = TRY(codec::parse_json(text, file));
  const Json* findings = json.find("findings");
  if (findings == nullptr || !findings->is_array())
    return Error::make(ErrorKind::kInvalid, "'{}' is no answer of `nacre scan --json`", file);
  std::vector<advisory::Match> out;
  for (const Json& row : findings->items()) {
    advisory::Match match = TRY(advisory::match_from_json(row), "reading '{}'", file);
    out.push_back(std::move(match));
  }
  return out;
}

Result<int> run_close(const Arguments& arguments, Session& session) {
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(advisories_folder(session)));
  const std::string before_file = arguments.text("--before"), after_file = arguments.text("--after");
  if (before_file.empty() || after_file.empty())
    return Error::make(ErrorKind::kInvalid, "what was found before and after is not named")
        .hint("name answers of `nacre scan --json` with --before FILE and --after FILE");
  const std::vector<advisory::Match> before = TRY(matches_of(before_file)), after = TRY(matches_of(after_file));
  std::int64_t time = session.env.clock.now_seconds();
  if (const std::string text = arguments.text("--time"); !text.empty()) time = TRY(advisory::parse_time(text));
  const std::vector<advisory::Closing> closings =
      advisory::close_fixed(advisories, arguments.text("PACKAGE"), arguments.text("VERSION"), before, after, time);
  if (!arguments.flag("--dry-run")) TRY(advisory::write_events(advisories_folder(session), closings, {}));
  Json json = Json::array();
  std::string text;
  for (const advisory::Closing& closing : closings) {
    Json row;
    row.set("package", closing.package).set("advisory", closing.advisory);
    row.set("vulnerabilities", Json::strings(closing.vulnerabilities));
    json.push(row.set("fixedVersion", closing.event.fixed_version).set("time", os::rfc3339(closing.event.time)));
    text += fmt::format("{} {} ({}) is fixed in {}\n", closing.package, closing.advisory,
                        join(closing.vulnerabilities, ", "), closing.event.fixed_version);
  }
  session.print(session.json ? codec::to_pretty_json(json) : text.empty() ? "nothing to close\n" : text);
  return 0;
}

/// Each image of the newest serial, and the serial itself, with the origins of their packages.
Result<std::vector<std::pair<std::string, std::vector<std::string>>>> images_of_serial(const Arguments& arguments,
                                                                                       Session& session) {
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
  const Edition edition = TRY(edition_of(arguments));
  const std::optional<index::Serial> serial = TRY(index::head(session.env, edition));
  if (!serial) return out;
  std::map<std::string, std::string> origins;
  std::vector<std::string> all;
  for (const index::SerialPackage& package : serial->packages) {
    const std::string& origin = package.record.origin.empty() ? package.record.name : package.record.origin;
    origins[package.record.name + "=" + package.record.version] = origin;
    all.push_back(origin);
  }
  out.emplace_back(fmt::format("{} serial {}", name_of(edition), serial->number), std::move(all));
  for (const index::SerialImage& image : serial->images) {
    std::vector<std::string> names;
    for (const std::string& label : image.packages) names.push_back(origins[label]);
    out.emplace_back("image " + image.name, std::move(names));
  }
  return out;
}

Result<int> run_report(const Arguments& arguments, Session& session) {
  Path folder = advisories_folder(session);
  advisory::ReportOptions options;
  if (const std::string other = arguments.text("--advisories"); !other.empty()) folder = other;
  else options.images = TRY(images_of_serial(arguments, session));
  if (!os::exists(folder))
    return Error::make(ErrorKind::kNotFound, "no directory '{}' of advisories", folder.string())
        .hint("`nacre scan --record` writes what it finds");
  const auto day = [&](const char* option, std::int64_t& out) -> Result<> {
    const std::string text = arguments.text(option);
    if (!text.empty()) out = TRY(day_or_time(text, option));
    return {};
  };
  TRY(day("--since", options.since));
  TRY(day("--until", options.until));
  options.settle_seconds = arguments.number("--settle-days") * 86'400;
  options.packages = static_cast<std::size_t>(std::max(0L, arguments.number("--top")));
  const std::vector<advisory::Document> advisories = TRY(advisory::read_documents(folder));
  const advisory::Report report = advisory::make_report(advisories, options);
  if (const std::string page = arguments.text("--page"); !page.empty())
    TRY(os::write_file(page, advisory::report_page(report, advisory::cases_of(advisories), "Vulnerabilities")));
  session.print(session.json ? codec::to_pretty_json(advisory::to_json(report)) : advisory::render(report));
  return 0;
}

}  // namespace

Verb verb_advisory_close() {
  Verb verb;
  verb.name = "advisory close";
  verb.summary = "write the fix into advisories whose vulnerability a release no longer has";
  verb.arguments = {{"PACKAGE", "definition", true, false, Completion::kPackage},
                    {"VERSION", "VERSION-rN that was released", true, false, Completion::kNone}};
  verb.options = {{"--before", OptionType::kText, "FILE", "", "answer of `nacre scan --json` before the release",
                   Completion::kFile},
                  {"--after", OptionType::kText, "FILE", "", "the same of what was released", Completion::kFile},
                  {"--time", OptionType::kText, "TIME", "", "when it was released, instead of now", Completion::kNone},
                  {"--dry-run", OptionType::kFlag, "", "", "only say what would be closed", Completion::kNone}};
  verb.run = run_close;
  return verb;
}

Verb verb_advisory_feed() {
  Verb verb;
  verb.name = "advisory feed";
  verb.summary = "write what scanners read: Alpine's secdb, OSV records, OpenVEX, grype's data base";
  verb.options = {
      {"--secdb", OptionType::kText, "FILE", "", "security.json: what is fixed, and what never was affected",
       Completion::kFile},
      {"--osv", OptionType::kText, "DIR", "", "these and what is affected without a fix as OSV records, and all.json",
       Completion::kFolder},
      {"--vex", OptionType::kText, "FILE", "", "OpenVEX: all six states", Completion::kFile},
      {"--grype", OptionType::kText, "FILE", "", "data base for `grype db import`: all six states", Completion::kFile},
      {"--date", OptionType::kText, "TIME", "", "of OpenVEX and grype's data base, instead of the newest event's",
       Completion::kNone},
      {"--namespace", OptionType::kText, "NAME", "nacre", "of package URLs: pkg:apk/NAME/…", Completion::kNone},
      {"--ecosystem", OptionType::kText, "NAME", "Wolfi", "of OSV records; its schema knows a list", Completion::kNone},
      {"--author", OptionType::kText, "TEXT", "nacre", "of the OpenVEX document", Completion::kNone},
      {"--base", OptionType::kText, "URL", "", "under which the feeds are published", Completion::kNone},
      kArchOption,
      kEditionOption};
  verb.run = run_feed;
  return verb;
}

Verb verb_cve_report() {
  Verb verb;
  verb.name = "cve report";
  verb.summary = "how long fixes took, and what is open: by year, component, package, image";
  verb.options = {{"--advisories", OptionType::kText, "DIR", "", "of this directory instead of the distribution's",
                   Completion::kFolder},
                  {"--since", OptionType::kText, "DAY", "", "only what was detected from then on", Completion::kNone},
                  {"--until", OptionType::kText, "DAY", "", "only what was detected before", Completion::kNone},
                  {"--settle-days", OptionType::kNumber, "N", "30",
                   "leave out what was detected so shortly before the data's date", Completion::kNone},
                  {"--top", OptionType::kNumber, "N", "20", "packages to show", Completion::kNone},
                  {"--page", OptionType::kText, "FILE", "", "write an HTML page, too", Completion::kFile},
                  kEditionOption};
  verb.run = run_report;
  return verb;
}

}  // namespace nacre::cli
