#include "base/text.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "cli/workshop.h"
#include "definition/load.h"
#include "store/gc.h"
#include "store/store.h"

#include <algorithm>
#include <map>

namespace nacre::cli {
namespace {

using codec::Json;

Result<int> run_shell(const Arguments& arguments, Session& session) {
  std::string name = arguments.text("NAME");
  const std::vector<std::string> failed = TRY(build::failed_builds(session.env));
  if (failed.empty()) return Error::make(ErrorKind::kNotFound, "no build failed here");
  if (name.empty()) name = failed.front();
  if (std::find(failed.begin(), failed.end(), name) == failed.end())
    return Error::make(ErrorKind::kNotFound, "nothing failed under the name '{}'", name)
        .hint("what failed: " + join(failed, ", "));
  return build::reopen_failed(name, session.sandbox, session.env);
}

Result<int> run_log(const Arguments& arguments, Session& session) {
  const std::string name = arguments.text("NAME");
  const std::optional<BuildRecord> record = TRY(latest_build(session.env, name));
  const Path failed = session.env.store.work_dir() / ("build-" + name) / "log";
  if (os::exists(failed)) {
    const std::string text = TRY(os::read_file(failed));
    session.print(text);
    return 0;
  }
  if (!record) return Error::make(ErrorKind::kNotFound, "'{}' was never built here", name);
  const std::string text = TRY(session.env.store.read(record->log));
  session.print(text);
  return 0;
}

Result<int> run_doctor(const Arguments&, Session& session) {
  const std::vector<sandbox::Finding> findings = sandbox::examine_machine();
  Json json = Json::array();
  std::string text;
  int missing = 0;
  for (const sandbox::Finding& finding : findings) {
    Json row;
    json.push(row.set("what", finding.what).set("ok", finding.ok).set("mend", finding.mend));
    text += fmt::format("{}  {}\n", finding.ok ? "ok      " : "MISSING ", finding.what);
    if (!finding.ok && !finding.mend.empty()) text += fmt::format("          mend: {}\n", finding.mend);
    missing += finding.ok ? 0 : 1;
  }
  text += missing == 0 ? "this machine has all that nacre needs\n" : fmt::format("{} things are missing\n", missing);
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return missing == 0 ? 0 : 3;
}

Result<int> run_compile(const Arguments& arguments, Session& session) {
  std::vector<Path> folders;
  for (const std::string& folder : arguments.list("--pipeline-dir")) folders.emplace_back(folder);
  folders.push_back(session.os_dir / "pipelines");
  definition::PipelineFolders pipelines(folders);
  definition::CompileOptions options;
  options.arch = TRY(arch_of(arguments));
  options.enabled_options = arguments.list("--build-option");
  const definition::Definition definition = TRY(definition::load_definition(arguments.text("FILE"), pipelines, options));
  session.print(codec::to_pretty_json(definition.compiled));
  return 0;
}

/// Everything that a serial, a build record or an image record names stays.
Result<int> run_gc(const Arguments& arguments, Session& session) {
  std::vector<Sha256> blobs, trees;
  for (const Edition edition : {Edition::kStage0, Edition::kCommunity, Edition::kProduction}) {
    const std::vector<index::Serial> serials = TRY(index::list_serials(session.env, edition));
    for (const index::Serial& serial : serials) {
      const std::vector<Sha256> named = index::blobs_of(serial);
      blobs.insert(blobs.end(), named.begin(), named.end());
    }
  }
  const double age = static_cast<double>(arguments.number("--days")) * 86400;
  const store::GcReport report = TRY(store::collect_garbage(session.env.store, blobs, trees, age));
  session.print(fmt::format("removed {} blobs and {} trees, {}", report.blobs, report.trees,
                            human_bytes(report.bytes)));
  return 0;
}

std::string bash_completion() {
  std::string out =
      "_nacre() {\n  local words=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" cur=\"${COMP_WORDS[COMP_CWORD]}\" list=\n"
      "  case \"$words\" in\n";
  for (const Verb& verb : all_verbs()) {
    std::string options = "--json --quiet --help";
    for (const Option& option : verb.options) options += " " + option.name;
    out += fmt::format("    '{0}'|'{0} '*) list='{1}' ;;\n", verb.name, options);
  }
  std::vector<std::string> names = {"help", "version"};
  std::map<std::string, std::vector<std::string>> groups;  // first word -> second words
  for (const Verb& verb : all_verbs()) {
    const std::vector<std::string> parts = split(verb.name, ' ');
    if (parts.size() > 1) groups[parts[0]].push_back(parts[1]);
    if (parts[0] != names.back()) names.push_back(parts[0]);
  }
  for (const auto& [first, seconds] : groups) out += fmt::format("    {}) list='{}' ;;\n", first, join(seconds, " "));
  out += fmt::format("    '') list='{}' ;;\n  esac\n", join(names, " "));
  return out +
         "  mapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$cur\")\n"
         "  [[ $cur == -* ]] || mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "}\ncomplete -F _nacre nacre\n";
}

Result<int> run_completion(const Arguments& arguments, std::stop_token) {
  const std::string shell = arguments.text("SHELL");
  if (!shell.empty() && shell != "bash")
    return Error::make(ErrorKind::kInvalid, "no completion for '{}' yet, only for bash", shell);
  std::fputs(bash_completion().c_str(), stdout);
  return 0;
}

}  // namespace

Verb verb_shell() {
  Verb verb;
  verb.name = "shell";
  verb.summary = "a shell in the root of the step that failed";
  verb.arguments = {{"NAME", "definition, or 'test NAME'; the last that failed when not given", false, false,
                     Completion::kPackage}};
  verb.options = {{"--failed", OptionType::kFlag, "", "", "the step that failed (the only kind there is yet)", Completion::kNone}};
  verb.run = run_shell;
  return verb;
}

Verb verb_log() {
  Verb verb;
  verb.name = "log";
  verb.summary = "the log of the last build of a definition";
  verb.arguments = {{"NAME", "definition", true, false, Completion::kPackage}};
  verb.run = run_log;
  return verb;
}

Verb verb_doctor() {
  Verb verb;
  verb.name = "doctor";
  verb.summary = "what this machine lacks, and the command that mends it";
  verb.run = run_doctor;
  return verb;
}

Verb verb_compile() {
  Verb verb;
  verb.name = "compile";
  verb.summary = "print the compiled form of a definition as JSON";
  verb.arguments = {{"FILE", "definition", true, false, Completion::kFile}};
  verb.options = {kArchOption,
                  {"--pipeline-dir", OptionType::kList, "DIR", "", "look for pipelines here first", Completion::kFolder},
                  {"--build-option", OptionType::kList, "NAME", "", "enable an option", Completion::kNone}};
  verb.run = run_compile;
  return verb;
}

Verb verb_gc() {
  Verb verb;
  verb.name = "gc";
  verb.summary = "remove what no serial names and nobody used for a while";
  verb.options = {{"--days", OptionType::kNumber, "N", "7", "only what is older", Completion::kNone}};
  verb.run = run_gc;
  return verb;
}

Verb verb_completion() {
  Verb verb;
  verb.name = "completion";
  verb.summary = "print the completion script of a shell";
  verb.arguments = {{"SHELL", "bash", false, false, Completion::kNone}};
  verb.run_alone = run_completion;
  return verb;
}

}  // namespace nacre::cli
