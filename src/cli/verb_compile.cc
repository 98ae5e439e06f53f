#include "cli/compile_many.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "definition/dotenv.h"
#include "definition/fields.h"
#include "definition/load.h"

namespace nacre::cli {
namespace {

using codec::Json;

/// A mapping of texts from a file.
Result<definition::Pairs> read_vars(const std::string& file) {
  std::string text = TRY(os::read_file(file));
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file));
  definition::Pairs out = TRY((definition::Value{&tree, &tree.root}.pairs()));
  return out;
}

Result<CompileRequest> request_of(const Arguments& arguments, Session& session) {
  CompileRequest out;
  for (const std::string& folder : arguments.list("--pipeline-dir")) out.pipeline_dirs.emplace_back(folder);
  out.pipeline_dirs.push_back(session.os_dir / "pipelines");
  out.options.arch = TRY(arch_of(arguments));
  out.options.enabled_options = arguments.list("--build-option");
  for (const std::string& file : arguments.list("--env-file")) {
    const std::string text = TRY(os::read_file(file));
    definition::Pairs variables = TRY(definition::parse_dotenv(text, file));
    for (auto& [name, value] : variables)  // The first file that names a variable wins.
      if (!definition::find_pair(out.options.environment, name))
        out.options.environment.emplace_back(name, std::move(value));
  }
  if (const std::string file = arguments.text("--vars-file"); !file.empty()) out.options.vars = TRY(read_vars(file));
  out.files = TRY(definition_files(arguments.list("FILE")));
  out.answer = arguments.flag("--check") ? CompileAnswer::kProblems : CompileAnswer::kJson;
  if (!arguments.flag("--fresh")) out.kept = session.home / "compiled";
  out.builder = builder_of(program_version(), session.program);
  return out;
}

/// One definition: its JSON, or its error as every verb's.
Result<int> compile_one(const CompileRequest& request, Session& session) {
  definition::PipelineFolders pipelines(request.pipeline_dirs);
  const definition::Definition definition =
      TRY(definition::load_definition(request.files.front(), pipelines, request.options));
  if (request.answer == CompileAnswer::kJson) session.print(codec::to_pretty_json(definition.compiled));
  else session.print(session.json ? R"({"definitions":1,"problems":[]})" : "1 definition compiles");
  return 0;
}

void say_problems(const CompileResult& result) {
  for (const CompiledFile& file : result.files)
    if (file.problem) std::fprintf(stderr, "nacre: %s\n", file.problem->shown.c_str());
}

Json problem_json(const CompiledFile& file) {
  const CompileProblem& problem = *file.problem;
  Json out = Json::object({{"file", file.file}, {"error", problem.text}});
  if (problem.place.line > 0) out.set("line", problem.place.line).set("column", problem.place.column);
  return out;
}

void print_lines(const CompileResult& result) {
  std::string out;
  const auto flush = [&] {
    std::fwrite(out.data(), 1, out.size(), stdout);
    out.clear();
  };
  for (const CompiledFile& file : result.files) {
    if (file.problem) continue;
    out += R"({"file":)" + codec::to_json(file.file) + ",";
    out += file.json.substr(1);
    out += '\n';
    if (out.size() > (1u << 20)) flush();
  }
  flush();
}

Result<int> run_compile(const Arguments& arguments, Session& session) {
  const CompileRequest request = TRY(request_of(arguments, session));
  if (request.files.size() == 1) return compile_one(request, session);
  const CompileResult result = TRY(compile_many(request));
  std::size_t faulty = 0;
  Json problems = Json::array();
  for (const CompiledFile& file : result.files) {
    if (!file.problem) continue;
    ++faulty;
    problems.push(problem_json(file));
  }
  const std::size_t all = result.files.size();
  if (request.answer == CompileAnswer::kJson) print_lines(result);
  if (!session.json) say_problems(result);
  if (session.json && request.answer == CompileAnswer::kProblems) {
    session.print(codec::to_json(Json::object({{"definitions", std::uint64_t{all}},
                                               {"compiled", std::uint64_t{result.compiled}},
                                               {"problems", std::move(problems)}})));
  } else if (request.answer == CompileAnswer::kProblems) {
    session.print(faulty == 0 ? fmt::format("{} definitions compile ({} of them as before)", all, all - result.compiled)
                              : fmt::format("{} of {} definitions do not compile", faulty, all));
  }
  return faulty == 0 ? 0 : 2;
}

}  // namespace

Verb verb_compile() {
  Verb verb;
  verb.name = "compile";
  verb.summary = "print the compiled form of definitions as JSON";
  verb.arguments = {{"FILE", "definition, or a directory of them", true, true, Completion::kFile}};
  verb.options = {
      kArchOption,
      {"--pipeline-dir", OptionType::kList, "DIR", "", "look for pipelines here first", Completion::kFolder},
      {"--build-option", OptionType::kList, "NAME", "", "enable an option", Completion::kNone},
      {"--env-file", OptionType::kList, "FILE", "", "variables of the build, below the definition's own",
       Completion::kFile},
      {"--vars-file", OptionType::kText, "FILE", "", "values of vars, above the definition's own", Completion::kFile},
      {"--check", OptionType::kFlag, "", "", "print problems and a count, no JSON", Completion::kNone},
      {"--fresh", OptionType::kFlag, "", "", "use no results of an earlier run", Completion::kNone}};
  verb.run = run_compile;
  return verb;
}

}  // namespace nacre::cli
