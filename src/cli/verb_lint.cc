#include "base/text.h"
#include "cli/compile_many.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "definition/load.h"
#include "definition/rules.h"

#include <algorithm>
#include <charconv>

namespace nacre::cli {
namespace {

using codec::Json;
using definition::RuleFinding;
using definition::Severity;

std::string_view name_of(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::string list_rules() {
  std::string out;
  for (const definition::Rule& rule : definition::all_rules())
    out += fmt::format("{:<38} {:<8} {}\n", rule.name, name_of(rule.severity), rule.about);
  out.pop_back();
  return out;
}

/// bash reads the script without running it. Variables of the definition stand for words.
Result<> check_shell(const definition::WrittenScript& script, std::vector<RuleFinding>& out, Session& session) {
  os::Command command;
  command.argv = {"bash", "-n"};
  command.inherit_env = true;
  command.timeout_seconds = 10;
  const std::string& text = script.node->text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("${{", at), close = open == std::string::npos ? open : text.find("}}", open);
    command.stdin_bytes += text.substr(at, close == std::string::npos ? close : open - at);
    if (close == std::string::npos) break;
    command.stdin_bytes += "value";
    at = close + 2;
  }
  command.stdin_bytes += '\n';
  const os::Exit exit = TRY(session.env.processes.run(command, session.env.stop), "asking bash");
  if (exit.ok()) return {};
  std::string first = split(exit.err, '\n').front();
  int line = 0;
  if (const std::size_t at = first.find("line "); at != std::string::npos) {
    const auto [end, status] = std::from_chars(first.data() + at + 5, first.data() + first.size(), line);
    if (status == std::errc{} && end + 2 <= first.data() + first.size())
      first = first.substr(static_cast<std::size_t>(end - first.data()) + 2);
  }
  Place place = script.place;
  const codec::ScalarStyle style = script.node->style;
  const bool block = style == codec::ScalarStyle::kLiteral || style == codec::ScalarStyle::kFolded;
  if (block && line > 0) place = {place.file, place.line + line, 0};
  out.push_back({"shell-syntax", Severity::kError, "the shell cannot read this script: " + first, {}, place});
  return {};
}

Result<std::vector<RuleFinding>> lint_file(const Path& file, definition::PipelineFolders& pipelines, const Arch& arch,
                                           Session& session) {
  definition::CompileOptions options;
  options.arch = arch;
  auto definition = definition::load_definition(file, pipelines, options);
  if (!definition) return std::move(definition).error();
  std::vector<RuleFinding> out = definition::check_rules(*definition);
  const std::vector<std::string> excepted = definition::excepted_rules(definition->yaml->source);
  if (std::find(excepted.begin(), excepted.end(), "shell-syntax") == excepted.end())
    for (const definition::WrittenScript& script : definition::written_scripts(*definition->yaml))
      TRY(check_shell(script, out, session));
  return out;
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
  out.set("file", finding.place.file).set("line", finding.place.line);
  if (finding.place.column > 0) out.set("column", finding.place.column);
  return finding.hint.empty() ? out : out.set("hint", finding.hint);
}

std::string render(const RuleFinding& finding) {
  const Place& place = finding.place;
  std::string out = fmt::format("{}:{}:", place.file, place.line);
  if (place.column > 0) out += fmt::format("{}:", place.column);
  out += fmt::format(" {}: {} [{}]\n", name_of(finding.severity), finding.text, finding.rule);
  if (!finding.hint.empty()) out += "  hint: " + finding.hint + "\n";
  return out;
}

Result<int> run_lint(const Arguments& arguments, Session& session) {
  if (arguments.flag("--rules")) {
    session.print(list_rules());
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
    const std::vector<RuleFinding> findings = TRY(lint_file(file, pipelines, arch, session));
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
