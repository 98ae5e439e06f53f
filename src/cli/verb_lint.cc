#include "base/text.h"
#include "cli/compile_many.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "definition/load.h"
#include "definition/rules.h"
#include "package/lint.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;
using definition::RuleFinding;
using definition::Severity;

std::string_view name_of(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::string list_rules(bool json) {
  std::string out;
  Json rows = Json::array();
  for (const definition::Rule& rule : definition::all_rules())
    rows.push(Json().set("rule", rule.name).set("severity", name_of(rule.severity)).set("about", rule.about));
  if (json) return codec::to_pretty_json(rows);
  for (const definition::Rule& rule : definition::all_rules())
    out += fmt::format("{:<38} {:<8} {}\n", rule.name, name_of(rule.severity), rule.about);
  out.pop_back();
  return out;
}

/// What does not compile is found like all else, and the other files are looked at.
constexpr std::string_view kCompiles = "compiles";

RuleFinding finding_of(const Error& error, const Path& file) {
  RuleFinding out{std::string(kCompiles), Severity::kError, error.text(), error.hint(), error.place()};
  if (out.place.file.empty()) out.place.file = file.string();
  return out;
}

Result<std::vector<RuleFinding>> lint_file(const Path& file, definition::PipelineFolders& pipelines, const Arch& arch) {
  definition::CompileOptions options;
  options.arch = arch;
  auto definition = definition::load_definition(file, pipelines, options);
  if (definition) {
    std::vector<RuleFinding> out = definition::check_rules(*definition);
    if (auto names = package::check_disabled_names(*definition); !names) out.push_back(finding_of(names.error(), file));
    return out;
  }
  const Error& error = definition.error();
  if (error.kind() != ErrorKind::kInvalid && error.kind() != ErrorKind::kNotFound) return std::move(definition).error();
  return std::vector<RuleFinding>{finding_of(error, file)};
}

Result<> check_names(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const definition::Rule& rule : definition::all_rules()) known.emplace_back(rule.name);
  for (const std::string& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error::make(ErrorKind::kInvalid, "no rule '{}'", name).hint(nearest_hint(name, known));
  return {};
}

Json to_json(const RuleFinding& finding) {
  Json out;
  out.set("rule", finding.rule).set("severity", name_of(finding.severity)).set("text", finding.text);
  out.set("file", finding.place.file);
  if (finding.place.line > 0) out.set("line", finding.place.line);
  if (finding.place.column > 0) out.set("column", finding.place.column);
  return finding.hint.empty() ? out : out.set("hint", finding.hint);
}

std::string render(const RuleFinding& finding) {
  const Place& place = finding.place;
  std::string out = place.file + ":";
  if (place.line > 0) out += fmt::format("{}:", place.line);
  if (place.column > 0) out += fmt::format("{}:", place.column);
  out += fmt::format(" {}: {} [{}]\n", name_of(finding.severity), finding.text, finding.rule);
  if (!finding.hint.empty()) out += "  hint: " + finding.hint + "\n";
  return out;
}

Result<int> run_lint(const Arguments& arguments, Session& session) {
  if (arguments.flag("--rules")) {
    session.print(list_rules(session.json));
    return 0;
  }
  const std::vector<std::string> disabled = arguments.list("--disable");
  TRY(check_names(disabled));
  if (arguments.list("FILE").empty())
    return Error::make(ErrorKind::kInvalid, "`nacre lint` needs FILE: definition, or a directory of them")
        .hint("`nacre lint --rules` lists what is looked at");
  std::vector<Path> folders;
  for (const std::string& folder : arguments.list("--pipeline-dir")) folders.emplace_back(folder);
  folders.push_back(session.os_dir / "pipelines");
  definition::PipelineFolders pipelines(folders);
  const Arch arch = TRY(arch_of(arguments));
  const std::vector<Path> files = TRY(definition_files(arguments.list("FILE")));
  std::size_t errors = 0, warnings = 0;
  std::string text;
  Json json = Json::array();
  for (const Path& file : files) {
    if (session.env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    const std::vector<RuleFinding> findings = TRY(lint_file(file, pipelines, arch));
    for (const RuleFinding& finding : findings) {
      if (std::find(disabled.begin(), disabled.end(), finding.rule) != disabled.end()) continue;
      ++(finding.severity == Severity::kError ? errors : warnings);
      if (session.json) json.push(to_json(finding));
      else text += render(finding);
    }
  }
  text += fmt::format("{} definitions, {} errors, {} warnings", files.size(), errors, warnings);
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return errors > 0 || (warnings > 0 && arguments.flag("--strict")) ? 2 : 0;
}

}  // namespace

Verb verb_lint() {
  Verb verb;
  verb.name = "lint";
  verb.summary = "look at definitions for what compiles and is not right";
  verb.arguments = {{"FILE", "definition, or a directory of them", false, true, Completion::kFile}};
  verb.options = {kArchOption,
                  {"--pipeline-dir", OptionType::kList, "DIR", "", "look for pipelines here first",
                   Completion::kFolder},
                  {"--disable", OptionType::kList, "RULE", "", "leave a rule out", Completion::kNone},
                  {"--strict", OptionType::kFlag, "", "", "exit 2 for warnings, too", Completion::kNone},
                  {"--rules", OptionType::kFlag, "", "", "list the rules and end", Completion::kNone}};
  verb.run = run_lint;
  return verb;
}

}  // namespace nacre::cli
