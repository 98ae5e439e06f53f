#include "apk/version.h"
#include "base/text.h"
#include "cli/solve_input.h"
#include "cli/verbs.h"
#include "codec/json.h"
#include "solve/case.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxCaseBytes = std::uint64_t{64} << 20;

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
}

/// `nacre solve --compare A B`: <, = or >; exit code 2 for what is no version.
Result<int> compare(const Arguments& arguments) {
  const std::vector<std::string> versions = arguments.list("ATOM");
  if (versions.size() != 2) return Error::make(ErrorKind::kInvalid, "`nacre solve --compare` needs two versions");
  const bool apko = arguments.text("--rules") == "apko";
  for (const std::string& version : versions) {
    const bool good = apko ? apk::compare_versions_apko(version, version) == 0 : apk::is_valid_version(version);
    if (!good)
      return Error::make(ErrorKind::kInvalid, "'{}' is no version{}", version, apko ? " to apko" : "")
          .hint("a version is digits{.digits}{letter}{_suffix{digits}}{~hex}{-rN}");
  }
  const std::partial_ordering order = apko ? apk::compare_versions_apko(versions[0], versions[1])
                                           : std::partial_ordering(apk::compare_versions(versions[0], versions[1]));
  const std::string sign = order < 0 ? "<" : order > 0 ? ">" : "=";
  put(arguments.flag("--json") ? codec::to_json(Json().set("order", sign)) : sign);
  return 0;
}

/// Files of cases: those named, and every *.test of directories that are named.
Result<std::vector<Path>> case_files(const std::vector<std::string>& names) {
  std::vector<Path> out;
  for (const std::string& name : names) {
    if (!std::filesystem::is_directory(name)) {
      out.emplace_back(name);
      continue;
    }
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(name, fault))
      if (entry.path().extension() == ".test") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// `nacre solve --case FILE …`: answers apk-tools' cases and compares. Exit code 1 when one differs.
Result<int> run_cases(const Arguments& arguments) {
  std::vector<std::string> names = arguments.list("--case");
  for (const std::string& name : arguments.list("ATOM")) names.push_back(name);
  const std::vector<Path> files = TRY(case_files(names));
  const bool json = arguments.flag("--json");
  std::size_t same = 0;
  Json rows = Json::array();
  std::string text;
  for (const Path& file : files) {
    const std::string bytes = TRY(os::read_file(file, kMaxCaseBytes));
    const solve::Case given = TRY(solve::read_case(bytes, file.string()));
    const auto read = [&](const std::string& name) -> Result<std::string> {
      return os::read_file(file.parent_path() / name, kMaxCaseBytes);
    };
    const solve::CaseAnswer answer = TRY(solve::run_case(given, read), "answering '{}'", file.string());
    const std::string difference = solve::difference(given.expected, answer.output);
    same += difference.empty() ? 1 : 0;
    Json row;
    row.set("case", file.string()).set("same", difference.empty()).set("refused", answer.refused);
    rows.push(row.set("output", answer.output).set("difference", difference));
    if (!difference.empty())
      text += fmt::format("{}: differs ('-' expected, '+' answered)\n{}", file.string(), difference);
  }
  text += fmt::format("{} of {} cases answered as expected", same, files.size());
  put(json ? codec::to_pretty_json(rows) : text);
  return same == files.size() ? 0 : 1;
}

Json to_json(const Place& place) {
  return place.file.empty() ? Json()
                            : Json().set("file", place.file).set("line", place.line).set("column", place.column);
}

Json to_json(const solve::Refusal& refusal) {
  Json out, reasons = Json::array(), edits = Json::array();
  for (const solve::Reason& reason : refusal.reasons) {
    Json row;
    row.set("kind", reason.kind).set("text", reason.text);
    if (!reason.package.empty()) row.set("package", reason.package);
    if (!reason.atom.empty()) row.set("atom", reason.atom);
    if (!reason.place.file.empty()) row.set("place", to_json(reason.place));
    reasons.push(std::move(row));
  }
  for (const std::vector<solve::Edit>& way : refusal.edits) {
    Json steps = Json::array();
    for (const solve::Edit& edit : way) {
      Json step;
      step.set("atom", edit.atom).set("action", edit.instead.empty() ? "drop" : "replace");
      if (!edit.instead.empty()) step.set("instead", edit.instead);
      if (!edit.place.file.empty()) step.set("place", to_json(edit.place));
      steps.push(std::move(step));
    }
    edits.push(std::move(steps));
  }
  out.set("solved", false).set("error", refusal.text).set("reasons", std::move(reasons)).set("edits", std::move(edits));
  if (!refusal.near.empty()) out.set("near", refusal.near);
  return out;
}

/// The packages of a solution, in its order.
std::vector<const solve::PoolPackage*> rows_of(const solve::Solution& solution, const solve::Pool& pool) {
  const auto earlier = [](const solve::PoolPackage& row, std::size_t record) { return row.record < record; };
  const std::span<const solve::PoolPackage> rows = pool.packages();   // in the order of their records
  std::vector<const solve::PoolPackage*> out;
  for (const std::size_t record : solution.records)
    out.push_back(&*std::lower_bound(rows.begin(), rows.end(), record, earlier));
  return out;
}

Result<int> run_solve(const Arguments& arguments, Session& session) {
  SolveInput input = TRY(read_solve_input(arguments, arguments.list("ATOM"), session));
  if (input.world.atoms.empty())
    return Error::make(ErrorKind::kInvalid, "`nacre solve` needs ATOM: what is asked for")
        .hint("for example `nacre solve nginx 'zlib>=1.3' '!busybox'`");
  Json all = Json::array();
  std::string text;
  for (std::size_t i = 0; i < input.archs.size(); ++i) {
    std::vector<solve::Origin> origins;
    const solve::Pool pool = TRY(input.pool(i, origins));
    const auto answered = TRY(solve::answer(input.world, pool, origins, input.options));
    if (const auto* refusal = std::get_if<solve::Refusal>(&answered)) {
      Error error = refusal->error();
      if (!session.json) return error;
      session.print(codec::to_pretty_json(to_json(*refusal).set("arch", input.archs[i].apk)));
      return refusal->kind == ErrorKind::kNotFound ? 3 : 4;
    }
    const auto& solution = std::get<solve::Solution>(answered);
    Json packages = Json::array();
    if (input.archs.size() > 1) text += fmt::format("{}:\n", input.archs[i].apk);
    for (const solve::PoolPackage* package : rows_of(solution, pool)) {
      const std::string_view name = pool.text(pool.names()[package->name].text), version = pool.text(package->version);
      Json row;
      row.set("name", name).set("version", version).set("repository", origins[package->source].repository);
      packages.push(row.set("checksum", pool.text(package->checksum)));
      text += fmt::format("{}-{}\n", name, version);
    }
    Json row;
    row.set("arch", input.archs[i].apk).set("solved", true).set("searched", solution.searched);
    all.push(row.set("packages", std::move(packages)));
  }
  session.print(session.json ? codec::to_pretty_json(all) : text);
  return 0;
}

}  // namespace

Verb verb_solve() {
  Verb verb;
  verb.name = "solve";
  verb.summary = "which packages satisfy a world, or why none do; compare versions; answer solver cases";
  verb.arguments = {
      {"ATOM", "what is asked for: nginx, zlib>=1.3, !busybox, tool@edge", false, true, Completion::kPackage}};
  verb.options = solve_options();
  verb.options.push_back(
      {"--case", OptionType::kList, "FILE", "", "answer a case in apk-tools' form and compare", Completion::kFile});
  verb.options.push_back(
      {"--compare", OptionType::kFlag, "", "", "print <, = or > for two versions", Completion::kNone});
  verb.run = run_solve;
  verb.is_alone = [](const Arguments& arguments) {
    return arguments.flag("--compare") || !arguments.list("--case").empty();
  };
  verb.run_alone = [](const Arguments& arguments, std::stop_token) {
    return arguments.flag("--compare") ? compare(arguments) : run_cases(arguments);
  };
  return verb;
}

// ---- why-not ----

namespace {

bool is_called(const apk::IndexRecord& record, const std::string& name) {
  return record.name == name ||
         std::any_of(record.provides.begin(), record.provides.end(),
                     [&](const std::string& text) { return apk::parse_provide(text).name == name; });
}

std::string name_of(const solve::Candidate& candidate) {
  return candidate.record->name + "-" + candidate.record->version;
}

/// Why `chosen` was taken and `wanted` was not, by the rules that tell two providers apart.
std::string preference(const solve::Candidate& chosen, const solve::Candidate& wanted) {
  if (chosen.record->name == wanted.record->name) {
    const auto order = apk::compare_versions(chosen.record->version, wanted.record->version);
    if (order > 0) return fmt::format("{} is newer", name_of(chosen));
    if (wanted.repository.starts_with('@'))
      return fmt::format("{} is in the tagged repository {}", name_of(wanted), wanted.repository);
    return fmt::format("{} was needed in that version", name_of(chosen));
  }
  if (chosen.record->provider_priority > wanted.record->provider_priority)
    return fmt::format("{} has the higher provider_priority ({} against {})", name_of(chosen),
                       chosen.record->provider_priority, wanted.record->provider_priority);
  return fmt::format("{} is preferred", name_of(chosen));
}

struct WhyNot {
  std::string text, verdict;
  Json reasons = Json::array();
  void line(const std::string& reason) {
    reasons.push(reason);
    text += "  " + reason + "\n";
  }
};

/// The world can be satisfied without the package: who stands in its place, or that nobody asks for it.
WhyNot not_needed(const solve::Candidate& wanted, const std::vector<solve::Candidate>& chosen) {
  WhyNot out;
  for (const solve::Candidate& other : chosen)
    if (other.record->name == wanted.record->name) {
      out.verdict = "another-version";
      out.text = fmt::format("{} is there instead\n", name_of(other));
      out.line(preference(other, wanted));
      return out;
    }
  std::vector<std::string> gives = {wanted.record->name};
  for (const std::string& text : wanted.record->provides) gives.push_back(apk::parse_provide(text).name);
  for (const solve::Candidate& asker : chosen)
    for (const std::string& text : asker.record->depends) {
      const auto atom = apk::parse_dependency(text);
      if (!atom || atom->conflict || std::find(gives.begin(), gives.end(), atom->name) == gives.end()) continue;
      for (const solve::Candidate& other : chosen)
        if (is_called(*other.record, atom->name)) {
          out.verdict = "another-provider";
          out.text = fmt::format("{} gives '{}' instead\n", name_of(other), atom->name);
          out.line(fmt::format("{} needs {}", name_of(asker), text));
          out.line(preference(other, wanted));
          return out;
        }
    }
  out.verdict = "not-asked-for";
  out.text = fmt::format("nothing asks for {}\n", name_of(wanted));
  if (!wanted.record->install_if.empty())
    out.line(fmt::format("it would come along with '{}'", join(wanted.record->install_if, "' and '")));
  out.line(fmt::format("'{}' can be added to the world: the rest stays possible", wanted.record->name));
  return out;
}

Result<int> run_why_not(const Arguments& arguments, Session& session) {
  SolveInput input = TRY(read_solve_input(arguments, arguments.list("ATOM"), session));
  const std::string what = arguments.text("PACKAGE");
  const apk::Dependency wanted = TRY(apk::parse_dependency(what));
  std::vector<solve::Origin> origins;
  const solve::Pool pool = TRY(input.pool(0, origins));
  const std::vector<solve::Candidate> candidates = TRY(input.candidates(0));
  const solve::Candidate* best = nullptr;
  for (const solve::Candidate& candidate : candidates) {
    const bool fits = candidate.record->name == wanted.name && wanted.accepts(candidate.record->version);
    if (fits && (best == nullptr || apk::compare_versions(candidate.record->version, best->record->version) > 0))
      best = &candidate;
  }
  const auto finish = [&](const WhyNot& answer, int code) {
    Json json;
    json.set("package", what).set("verdict", answer.verdict).set("reasons", answer.reasons);
    session.print(session.json ? codec::to_pretty_json(json) : answer.text);
    return code;
  };

  std::vector<solve::Candidate> chosen;
  const auto without = TRY(solve::answer(input.world, pool, origins, input.options));
  if (const auto* solution = std::get_if<solve::Solution>(&without))
    for (const std::size_t record : solution->records) chosen.push_back(candidates[record]);
  for (const solve::Candidate& candidate : chosen) {
    if (candidate.record->name != wanted.name || !wanted.accepts(candidate.record->version)) continue;
    WhyNot out;
    out.verdict = "chosen";
    out.text = fmt::format("{} is chosen\n", name_of(candidate));
    for (const std::string& atom : input.world.atoms)
      if (const auto asked = apk::parse_dependency(atom); asked && is_called(*candidate.record, asked->name))
        out.line("you asked for " + atom);
    for (const solve::Candidate& asker : chosen)
      for (const std::string& text : asker.record->depends)
        if (const auto atom = apk::parse_dependency(text);
            atom && !atom->conflict && is_called(*candidate.record, atom->name))
          out.line(fmt::format("{} needs {}", name_of(asker), text));
    return finish(out, 0);
  }
  solve::World world = input.world;
  world.places.resize(world.atoms.size());
  world.atoms.push_back(what);
  world.places.emplace_back();
  const auto with = TRY(solve::answer(world, pool, origins, input.options));
  if (const auto* refusal = std::get_if<solve::Refusal>(&with)) {
    if (!session.json) return refusal->error();
    session.print(codec::to_pretty_json(to_json(*refusal).set("package", what).set("verdict", "forbidden")));
    return refusal->kind == ErrorKind::kNotFound ? 3 : 4;
  }
  if (best == nullptr) {
    WhyNot out;
    out.verdict = "not-asked-for";
    out.text = fmt::format("'{}' is a name that other packages give; nothing asks for it\n", wanted.name);
    return finish(out, 0);
  }
  return finish(not_needed(*best, chosen), 0);
}

}  // namespace

Verb verb_why_not() {
  Verb verb;
  verb.name = "why-not";
  verb.summary = "why a package, or a version of it, is not among what a world gives";
  verb.arguments = {{"PACKAGE", "name, or name=version", true, false, Completion::kPackage},
                    {"ATOM", "the world: what is asked for", false, true, Completion::kPackage}};
  verb.options = solve_options();
  verb.run = run_why_not;
  return verb;
}

}  // namespace nacre::cli
