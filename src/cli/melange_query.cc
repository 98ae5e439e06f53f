#include "cli/melange_common.h"
#include "cli/melange_template.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "definition/substitute.h"

#include <cstdio>

namespace nacre::cli {
namespace {

using codec::Json;

/// The definition after its first phase: `uses` need not be found for a question about names and versions.
Result<std::string> answer(const std::string& file, std::string_view text) {
  std::string source = TRY(os::read_file(file), "reading the definition");
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(source), file));
  const definition::FirstPhase first = TRY(definition::run_first_phase(tree, {}));
  return fill_template(text, first.root);
}

Result<int> run_query(const MelangeArguments& arguments) {
  const std::string out = TRY(answer(arguments.words[0], arguments.words[1]));
  std::fputs(out.c_str(), stdout);
  return 0;
}

Result<int> run_package_version(const MelangeArguments& arguments) {
  const std::string out =
      TRY(answer(arguments.words[0], "{{ .Package.Name }}-{{ .Package.Version }}-r{{ .Package.Epoch }}"));
  std::puts(out.c_str());
  return 0;
}

Result<int> run_compile(const MelangeArguments& arguments, Session& session) {
  const std::string file = TRY(config_of(arguments));
  const Arch arch = arguments.text("--arch").empty() ? host_arch() : TRY(find_arch(arguments.text("--arch")));
  definition::Definition definition = TRY(load_config(file, arguments, session.os_dir, arch));
  Json compiled = definition.compiled;
  if (arguments.has("--git-commit")) {
    Json package = compiled["package"];
    compiled.set("package", package.set("commit", arguments.text("--git-commit")));
  }
  session.print(codec::to_json(compiled));
  return 0;
}

Result<int> run_completion(const MelangeArguments& arguments) {
  const std::string script = TRY(melange_completion(arguments.words[0], melange_commands()));
  std::fputs(script.c_str(), stdout);
  return 0;
}

Result<int> run_version(const MelangeArguments& arguments) {
  const std::string version = fmt::format("v{}", program_version());
  if (!arguments.on("--json")) {
    std::puts(fmt::format("melange, answered by nacre {}", program_version()).c_str());
    return 0;
  }
  Json out;
  out.set("gitVersion", version).set("program", "nacre");
  out.set("platform", fmt::format("linux/{}", host_arch().go));
  std::fputs(codec::to_pretty_json(out).c_str(), stdout);
  return 0;
}

}  // namespace

MelangeCommand melange_query() {
  return {.name = "query",
          .summary = "fill a template with what a definition says",
          .usage = "CONFIG TEMPLATE",
          .min_words = 2,
          .max_words = 2,
          .run_alone = run_query};
}

MelangeCommand melange_package_version() {
  return {.name = "package-version",
          .summary = "NAME-VERSION-rEPOCH of a definition",
          .usage = "CONFIG",
          .min_words = 1,
          .max_words = 1,
          .run_alone = run_package_version};
}

MelangeCommand melange_compile() {
  using F = MelangeFlag;
  const std::string not_built = "nothing is built";
  std::vector<F> flags = {{"--arch", 0, F::kText, "", "architecture; the machine's when there is none", ""},
                          {"--build-option", 0, F::kList, "", "options of the definition to turn on", ""},
                          {"--env-file", 0, F::kList, "", "files of NAME=value", ""},
                          {"--git-commit", 0, F::kText, "", "commit of the definition", ""},
                          {"--pipeline-dir", 0, F::kText, "", "directory of pipelines, before the built-in ones", ""},
                          {"--pipeline-dirs", 0, F::kList, "", "more of them", ""},
                          {"--vars-file", 0, F::kText, "", "variables over those of the definition", ""}};
  for (const char* name : {"--apk-cache-dir", "--build-date", "--cache-dir", "--cache-source", "--cpu",
                           "--dependency-log", "--git-repo-url", "--license", "--memory", "--namespace", "--out-dir",
                           "--runner", "--signing-key", "--source-dir", "--timeout", "--workspace-dir"})
    flags.push_back({name, 0, F::kText, "", "of `build`", not_built});
  for (const char* name :
       {"--create-build-log", "--debug", "--debug-runner", "--empty-workspace", "--fail-on-lint-warning",
        "--generate-index", "--generate-provenance", "--rm", "--strip-origin-name"})
    flags.push_back({name, 0, F::kSwitch, "", "of `build`", not_built});
  flags.push_back({"--interactive", 'i', F::kSwitch, "", "of `build`", not_built});
  flags.push_back({"--keyring-append", 'k', F::kList, "", "of `build`", not_built});
  flags.push_back({"--log-policy", 0, F::kList, "", "of `build`", not_built});
  flags.push_back({"--package-append", 0, F::kList, "", "of `build`", not_built});
  flags.push_back({"--repository-append", 'r', F::kList, "", "of `build`", not_built});
  return {.name = "compile",
          .summary = "print a compiled definition as JSON",
          .usage = "[CONFIG]",
          .flags = std::move(flags),
          .max_words = 1,
          .run = run_compile};
}

MelangeCommand melange_completion_command() {
  return {.name = "completion",
          .summary = "print a completion script for bash, zsh, fish or powershell",
          .usage = "SHELL",
          .min_words = 1,
          .max_words = 1,
          .run_alone = run_completion};
}

MelangeCommand melange_version() {
  return {.name = "version",
          .summary = "print the version",
          .flags = {{"--json", 0, MelangeFlag::kSwitch, "", "as JSON", ""}},
          .run_alone = run_version};
}

}  // namespace nacre::cli
