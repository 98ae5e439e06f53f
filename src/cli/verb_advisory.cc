#include "advisory/document.h"
#include "advisory/edit.h"
#include "apk/version.h"
#include "base/text.h"
#include "cli/lookup.h"
#include "cli/places.h"
#include "cli/scan_input.h"
#include "cli/security.h"
#include "definition/load.h"
#include "os/clock.h"

#include <algorithm>
#include <set>

// Advisories beside the definitions: list, show, add, guide, lint.
namespace nacre::cli {
namespace {

using codec::Json;

std::string status_of(const advisory::Advisory& advisory) {
  const advisory::Event* latest = advisory.latest();
  if (latest == nullptr) return "no event";
  std::string out(advisory::name_of(latest->type));
  if (latest->type == advisory::EventType::kFixed) out += " (" + latest->fixed_version + ")";
  if (latest->type == advisory::EventType::kFalsePositive) out += " (" + latest->kind + ")";
  return out;
}

std::string name_of_vulnerability(const advisory::Advisory& advisory) {
  for (const std::string& alias : advisory.aliases)
    if (alias.starts_with("CVE-")) return alias;
  return advisory.aliases.empty() ? advisory.id : advisory.aliases.front();
}

Json to_json(const advisory::Event& event) {
  Json out;
  out.set("time", os::rfc3339(event.time)).set("type", advisory::name_of(event.type));
  if (!event.kind.empty()) out.set("kind", event.kind);
  if (!event.fixed_version.empty()) out.set("fixedVersion", event.fixed_version);
  if (!event.note.empty()) out.set("note", event.note);
  if (!event.component.name.empty()) {
    Json part;
    part.set("package", event.component.subpackage).set("type", event.component.type);
    part.set("name", event.component.name).set("version", event.component.version);
    out.set("component", part.set("location", event.component.location).set("scanner", event.component.scanner));
  }
  return out;
}

Json to_json(const std::string& package, const advisory::Advisory& advisory) {
  Json out, events = Json::array();
  for (const advisory::Event& event : advisory.events) events.push(to_json(event));
  out.set("package", package).set("id", advisory.id).set("aliases", Json::strings(advisory.aliases));
  return out.set("status", status_of(advisory)).set("open", advisory.open()).set("events", std::move(events));
}

/// Documents of these packages, or all. kNotFound with the nearest name.
Result<std::vector<advisory::Document>> documents(const std::vector<std::string>& packages, const Session& session) {
  std::vector<advisory::Document> all = TRY(advisory::read_documents(advisories_folder(session)));
  if (packages.empty()) return all;
  std::vector<std::string> known;
  for (const advisory::Document& document : all) known.push_back(document.package);
  for (const std::string& name : packages)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error::make(ErrorKind::kNotFound, "no advisories on '{}'", name).hint(nearest_hint(name, known));
  std::erase_if(all, [&](const advisory::Document& document) {
    return std::find(packages.begin(), packages.end(), document.package) == packages.end();
  });
  return all;
}

Result<int> run_list(const Arguments& arguments, Session& session) {
  const std::vector<advisory::Document> found = TRY(documents(arguments.list("PACKAGE"), session));
  Json json = Json::array();
  std::string text;
  for (const advisory::Document& document : found)
    for (const advisory::Advisory& advisory : document.advisories) {
      if (arguments.flag("--open") && !advisory.open()) continue;
      json.push(to_json(document.package, advisory));
      text += fmt::format("{:<24} {:<20} {:<22} {}\n", document.package, name_of_vulnerability(advisory), advisory.id,
                          status_of(advisory));
    }
  session.print(session.json ? codec::to_pretty_json(json) : text.empty() ? "no advisory\n" : text);
  return 0;
}

Result<int> run_show(const Arguments& arguments, Session& session) {
  const std::vector<advisory::Document> all = TRY(documents({}, session));
  const std::string name = arguments.text("VULNERABILITY");
  Json json = Json::array();
  std::string text;
  for (const advisory::Document& document : all)
    for (const advisory::Advisory& advisory : document.advisories) {
      if (!advisory.names(name)) continue;
      json.push(to_json(document.package, advisory));
      text += fmt::format("{} {} ({}): {}\n", document.package, advisory.id, join(advisory.aliases, ", "),
                          status_of(advisory));
      for (const advisory::Event& event : advisory.events) {
        text += fmt::format("  {}  {}", os::rfc3339(event.time), advisory::name_of(event.type));
        for (const std::string& part :
             {event.kind, event.fixed_version, event.component.name, event.component.version, event.component.location})
          if (!part.empty()) text += "  " + part;
        text += "\n";
        for (const std::string& line : split(event.note, '\n'))
          if (!line.empty()) text += "      " + line + "\n";
      }
    }
  if (text.empty())
    return Error::make(ErrorKind::kNotFound, "no advisory is called {}", name).hint("`nacre advisory list` shows all");
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

/// The event that the options describe; kInvalid for what its type does not take or needs.
Result<advisory::Event> event_of(const Arguments& arguments, std::int64_t now) {
  advisory::Event out;
  const std::string type = arguments.text("--type");
  const auto known = advisory::parse_event_type(type);
  if (!known) {
    std::vector<std::string> names;
    for (const advisory::EventType each : advisory::kEventTypes) names.emplace_back(advisory::name_of(each));
    return Error::make(ErrorKind::kInvalid, "--type takes {}, got '{}'", join(names, ", "), type)
        .hint(nearest_hint(type, names));
  }
  out.type = *known;
  out.time = now;
  if (const std::string time = arguments.text("--time"); !time.empty()) out.time = TRY(advisory::parse_time(time));
  out.note = arguments.text("--note");
  out.fixed_version = arguments.text("--fixed-version");
  out.kind = arguments.text("--kind");
  const bool fixed = out.type == advisory::EventType::kFixed, wrong = out.type == advisory::EventType::kFalsePositive;
  if (fixed && out.fixed_version.empty()) return Error::make(ErrorKind::kInvalid, "a fix needs --fixed-version");
  // Of '1.2' alone scanners would take every release of 1.2, the faulty one too, for a fixed one.
  const bool whole = apk::is_valid_version(out.fixed_version) && out.fixed_version.find("-r") != std::string::npos;
  if (fixed && !whole)
    return Error::make(ErrorKind::kInvalid, "'{}' is no version with its epoch", out.fixed_version)
        .hint("write it as VERSION-rN, 1.3.2-r0 say");
  if (!fixed && !out.fixed_version.empty())
    return Error::make(ErrorKind::kInvalid, "only a fix takes --fixed-version");
  if (wrong && out.kind.empty())
    return Error::make(ErrorKind::kInvalid, "a false positive needs --kind")
        .hint("one of: " + join(advisory::false_positive_types(), ", "));
  if (!wrong && !out.kind.empty()) return Error::make(ErrorKind::kInvalid, "only a false positive takes --kind");
  const bool needs_note = out.type == advisory::EventType::kPendingUpstreamFix ||
                          out.type == advisory::EventType::kFixNotPlanned ||
                          out.type == advisory::EventType::kAnalysisNotPlanned;
  if (needs_note && out.note.empty()) return Error::make(ErrorKind::kInvalid, "a '{}' event needs --note", type);
  if (out.type == advisory::EventType::kDetection) out.kind = "manual";
  return out;
}

Result<int> run_add(const Arguments& arguments, Session& session) {
  const std::string package = arguments.text("PACKAGE"), name = arguments.text("VULNERABILITY");
  // An advisory on anything else is a slip of the pen.
  const std::set<std::string> known = names_in(session.os_dir / "packages");
  if (!known.contains(package))
    return Error::make(ErrorKind::kNotFound, "no definition '{}' in '{}'", package, session.os_dir.string())
        .hint(nearest_hint(package, std::vector<std::string>(known.begin(), known.end())));
  const advisory::Event event = TRY(event_of(arguments, session.env.clock.now_seconds()));
  const Path file = advisory::document_path(advisories_folder(session), package);
  advisory::Advisory advisory;
  advisory.id = advisory::make_id(package, name);
  advisory.aliases = arguments.list("--alias");
  advisory.aliases.insert(advisory.aliases.begin(), name);
  advisory.events = {event};
  std::string text, what = "new";
  if (os::exists(file)) {
    std::string old = TRY(os::read_file(file));
    const advisory::Document document = TRY(advisory::read_document(std::move(old), file.string()));
    const advisory::Advisory* found = document.find(name);
    if (found != nullptr) {
      if (!arguments.list("--alias").empty())
        return Error::make(ErrorKind::kConflict, "{} is there already as {}: write further aliases by hand", name,
                           found->id)
            .at(document.tree.place(found->span));
      advisory.id = found->id;
      what = "event";
    }
    text = TRY(found != nullptr ? advisory::append_event(document, name, event)
                                : advisory::add_advisory(document, advisory));
  } else {
    text = advisory::new_document(package, advisory);
  }
  // What is written must be what can be read, and clean.
  const advisory::Document written = TRY(advisory::read_document(text, file.string()));
  for (const advisory::Finding& finding : advisory::lint(written, {}, session.env.clock.now_seconds()))
    if (finding.rule == "alias" || finding.rule == "fixed-version" || finding.rule == "future")
      return Error::make(ErrorKind::kInvalid, "{}", finding.text);
  TRY(os::make_dirs(file.parent_path()));
  TRY(os::write_file(file, text));
  Json json;
  json.set("file", file.string()).set("id", advisory.id).set("what", what);
  session.print(session.json
                    ? codec::to_pretty_json(json)
                    : fmt::format("{}: {} {} {}\n", file.string(), advisory.id, name, arguments.text("--type")));
  return 0;
}

Result<int> run_lint(const Arguments& arguments, Session& session) {
  const std::vector<advisory::Document> found = TRY(documents(arguments.list("PACKAGE"), session));
  const std::set<std::string> names = names_in(session.os_dir / "packages");
  Json json = Json::array();
  std::string text;
  for (const advisory::Document& document : found)
    for (const advisory::Finding& finding : advisory::lint(document, names, session.env.clock.now_seconds())) {
      Json row;
      row.set("file", finding.place.file).set("line", finding.place.line).set("column", finding.place.column);
      json.push(row.set("rule", finding.rule).set("text", finding.text));
      text += finding.place.line > 0
                  ? fmt::format("{}:{}:{}: ", finding.place.file, finding.place.line, finding.place.column)
                  : finding.place.file + ": ";
      text += fmt::format("{} [{}]\n", finding.text, finding.rule);
    }
  const bool clean = json.items().empty();
  session.print(session.json ? codec::to_pretty_json(json)
                : clean      ? fmt::format("{} documents, nothing to say\n", found.size())
                             : text);
  return clean ? 0 : 1;
}

/// What may come next, as commands.
std::vector<std::string> next_steps(const std::string& package, const advisory::Advisory& advisory,
                                    const std::vector<const advisory::Match*>& matches) {
  const std::string head = fmt::format("nacre advisory add {} {} ", package, name_of_vulnerability(advisory));
  std::vector<std::string> out;
  const auto fix = std::find_if(matches.begin(), matches.end(), [](const auto* match) { return match->fixable(); });
  if (fix != matches.end())
    out.push_back(fmt::format("nacre update {}   # {} {} has the fix", package, (*fix)->component.name, (*fix)->fixed));
  else out.push_back(head + "--type pending-upstream-fix --note WHY");
  out.push_back(head + "--type false-positive-determination --kind KIND --note WHY");
  out.push_back(head + "--type fix-not-planned --note WHY");
  if (advisory.latest() != nullptr && advisory.latest()->type == advisory::EventType::kDetection)
    out.push_back(head + "--type true-positive-determination");
  out.push_back(head + "--type fixed --fixed-version VERSION-rN");
  return out;
}

Result<int> run_guide(const Arguments& arguments, Session& session) {
  const std::vector<std::string> packages = arguments.list("PACKAGE");
  const std::vector<advisory::Document> all = TRY(advisory::read_documents(advisories_folder(session)));
  std::vector<advisory::Match> matches;
  if (!osv_folders(arguments).empty() || arguments.flag("--pypi")) {
    const ScanTarget target = TRY(scan_target(arguments, "", session));
    matches = TRY(scan(arguments, target, all, session)).matches;
  }
  Json json = Json::array();
  std::string text;
  std::size_t open = 0;
  for (const advisory::Document& document : all) {
    if (!packages.empty() && std::find(packages.begin(), packages.end(), document.package) == packages.end()) continue;
    for (const advisory::Advisory& advisory : document.advisories) {
      if (!advisory.open()) continue;
      ++open;
      std::vector<const advisory::Match*> here;
      for (const advisory::Match& match : matches)
        if (match.origin == document.package && match.advisory == advisory.id) here.push_back(&match);
      const std::vector<std::string> steps = next_steps(document.package, advisory, here);
      const std::int64_t since = advisory.latest() == nullptr ? 0 : advisory.latest()->time;
      text += fmt::format("{} {}: {} since {}\n", document.package, name_of_vulnerability(advisory),
                          status_of(advisory), os::rfc3339(since));
      for (const advisory::Match* match : here)
        text += fmt::format("  {} {} in {} {}{}\n", match->component.name, match->component.version, match->package,
                            match->version, match->fixable() ? ", fixed in " + match->fixed : "");
      for (const std::string& step : steps) text += "    " + step + "\n";
      json.push(to_json(document.package, advisory).set("next", Json::strings(steps)));
    }
  }
  std::size_t unknown = 0;
  for (const advisory::Match& match : matches) unknown += match.counts() && match.advisory.empty() ? 1 : 0;
  text += fmt::format("{} open", open);
  if (unknown > 0) text += fmt::format("; {} found without an advisory: `nacre scan --record` writes them", unknown);
  session.print(session.json ? codec::to_pretty_json(json) : text + "\n");
  return 0;
}

const Argument kPackages{"PACKAGE", "only of these definitions", false, true, Completion::kPackage};

}  // namespace

Verb verb_advisory_list() {
  Verb verb;
  verb.name = "advisory list";
  verb.summary = "what is known of vulnerabilities in our packages";
  verb.arguments = {kPackages};
  verb.options = {
      {"--open", OptionType::kFlag, "", "", "only what is neither fixed nor a false positive", Completion::kNone}};
  verb.run = run_list;
  return verb;
}

Verb verb_advisory_show() {
  Verb verb;
  verb.name = "advisory show";
  verb.summary = "all events of a vulnerability, in every package";
  verb.arguments = {{"VULNERABILITY", "CVE-…, GHSA-…, or the advisory's id", true, false, Completion::kNone}};
  verb.run = run_show;
  return verb;
}

Verb verb_advisory_add() {
  Verb verb;
  verb.name = "advisory add";
  verb.summary = "write an event into a package's advisories: what was found, decided or fixed";
  verb.arguments = {{"PACKAGE", "definition", true, false, Completion::kPackage},
                    {"VULNERABILITY", "CVE-…, GHSA-…", true, false, Completion::kNone}};
  verb.options = {
      {"--type", OptionType::kText, "TYPE", "detection", "what happened, in the field's words", Completion::kNone},
      {"--fixed-version", OptionType::kText, "VERSION", "", "with fixed: VERSION-rN that has the fix",
       Completion::kNone},
      {"--kind", OptionType::kText, "KIND", "", "with false-positive-determination: why it is one", Completion::kNone},
      {"--note", OptionType::kText, "TEXT", "", "why, for people", Completion::kNone},
      {"--alias", OptionType::kList, "ID", "", "of a new advisory: another name of the same; again for more",
       Completion::kNone},
      {"--time", OptionType::kText, "TIME", "", "when (2026-11-24T05:03:00Z) instead of now", Completion::kNone}};
  verb.run = run_add;
  return verb;
}

Verb verb_advisory_guide() {
  Verb verb;
  verb.name = "advisory guide";
  verb.summary = "what is open, and the commands that may come next";
  verb.arguments = {kPackages};
  verb.options = {kArchOption, kEditionOption, kSerialOption};
  for (Option& option : osv_options()) verb.options.push_back(std::move(option));
  verb.run = run_guide;
  return verb;
}

Verb verb_advisory_lint() {
  Verb verb;
  verb.name = "advisory lint";
  verb.summary = "check advisories: ids, order of events, packages, versions";
  verb.arguments = {kPackages};
  verb.run = run_lint;
  return verb;
}

}  // namespace nacre::cli
