#include "base/text.h"
#include "cli/build_engine.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/parallel.h"
#include "cli/verbs.h"
#include "definition/load.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

/// Adds a definition from a file to the distribution, or takes the place of the one that bears its name.
Result<std::string> add_definition(Workshop& shop, const std::string& word) {
  if (!word.ends_with(".yaml")) {
    if (shop.os.find(word) != nullptr) return word;
    return no_definition(shop.os, word);
  }
  std::vector<Path> folders = shop.os.pipeline_dirs;
  folders.push_back(shop.os.folder / "pipelines");
  definition::PipelineFolders pipelines(std::move(folders));
  definition::CompileOptions options;
  options.arch = shop.os.arch;
  options.needs_met_by = shop.os.needs_met_by;
  definition::Definition definition = TRY(definition::load_definition(word, pipelines, options));
  std::string name = definition.name;
  shop.from_files.insert(name);
  for (definition::Definition& known : shop.os.definitions) {
    if (known.name != name) continue;
    known = std::move(definition);
    return name;
  }
  shop.os.definitions.push_back(std::move(definition));
  return name;
}

Json to_json(const BuildOutcome& outcome) {
  Json packages = Json::array();
  for (const index::SerialPackage& package : outcome.record.packages) {
    Json row;
    row.set("name", package.record.name).set("version", package.record.version);
    packages.push(row.set("sha256", package.apk.hex()).set("sizeBytes", package.record.size_bytes));
  }
  Json out;
  out.set("definition", outcome.record.definition).set("version", outcome.record.version);
  out.set("cached", outcome.made == Made::kKept).set("seconds", outcome.record.seconds);
  return out.set("log", outcome.record.log.oci()).set("packages", std::move(packages));
}

Result<> write_out(const BuildOutcome& outcome, const Path& folder, Env& env) {
  TRY(os::make_dirs(folder));
  for (const index::SerialPackage& package : outcome.record.packages) {
    const std::string name = fmt::format("{}-{}.apk", package.record.name, package.record.version);
    const std::string bytes = TRY(env.store.read(package.apk, std::uint64_t{8} << 30));
    TRY(os::write_file(folder / name, bytes));
    const std::string provenance = TRY(env.store.read(package.provenance));
    TRY(os::write_file(folder / (name + ".intoto.sigstore.json"), provenance));
    const std::string sbom = TRY(env.store.read(package.sbom));
    TRY(os::write_file(folder / (name + ".spdx.json"), sbom));
  }
  return {};
}

/// What builds and tests share.
void add_build_options(Verb& verb) {
  const std::vector<Option> options = {
      kJobsOption,
      {"--pipeline-dir", OptionType::kList, "DIR", "", "look for a FILE's pipelines here first", Completion::kFolder},
      {"--network", OptionType::kText, "WHEN", "", "never, asked (by the definition) or always", Completion::kNone},
      {"--gates-warn", OptionType::kFlag, "", "", "the hardening gate only warns of a FILE's packages",
       Completion::kNone},
      {"--cache-dir", OptionType::kText, "DIR", "", "what package managers download; sources, by digest",
       Completion::kFolder},
      {"--engine", OptionType::kText, "WHERE", "", "local, or grpc://HOST:PORT or grpcs:// of a server that runs steps",
       Completion::kNone},
      {"--secret", OptionType::kList, "NAME=FILE", "", "for steps that read /run/secrets/NAME", Completion::kFile}};
  verb.options.insert(verb.options.end(), options.begin(), options.end());
}

unsigned jobs_of(const Arguments& arguments) {
  const long jobs = arguments.number("--jobs");
  return jobs > 0 ? static_cast<unsigned>(jobs) : default_jobs();
}

/// The workshop with the definitions that the command line names, and what its options say about builds.
Result<std::vector<std::string>> read_options(Workshop& shop, const Arguments& arguments) {
  for (const std::string& folder : arguments.list("--pipeline-dir")) {
    if (!os::exists(folder)) return Error::make(ErrorKind::kNotFound, "no directory of pipelines '{}'", folder);
    shop.os.pipeline_dirs.emplace_back(folder);
  }
  if (const std::string policy = arguments.text("--network"); !policy.empty())
    shop.network = TRY(build::parse_network_policy(policy), "reading --network");
  if (const std::string folder = arguments.text("--cache-dir"); !folder.empty()) {
    TRY(os::make_dirs(folder));
    shop.cache_dir = std::filesystem::absolute(folder);
    shop.places.directories.push_back(shop.cache_dir);
  }
  for (const std::string& word : arguments.list("--secret")) {
    build::Secret secret = TRY(build::read_secret(word), "reading --secret");
    shop.secrets.insert(shop.secrets.begin(), std::move(secret));
  }
  if (const std::string where = arguments.text("--engine"); !where.empty())
    shop.engine = TRY(BuildEngine::open(where, shop.session));
  shop.gates_warn = arguments.flag("--gates-warn");
  std::vector<std::string> names;
  for (const std::string& word : arguments.list("DEFINITION"))
    names.push_back(TRY(add_definition(shop, word)));
  shop.network_always_for.emplace(names.begin(), names.end());
  return names;
}

Result<int> run_build(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  const std::vector<std::string> names = TRY(read_options(shop, arguments));
  const plan::Plan plan = TRY(plan_builds(shop, names));
  const std::string from = arguments.text("--from-step"), shell = arguments.text("--shell-at");
  if (names.size() > 1 && !(from.empty() && shell.empty()))
    return Error::make(ErrorKind::kInvalid, "--from-step and --shell-at are for one definition, not for {}",
                       names.size());
  if (!from.empty()) shop.first_step[names.front()] = from;
  const bool again = arguments.flag("--again") || !from.empty();
  const auto is_asked = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<BuildOutcome> outcomes(plan.steps.size());
  const auto make = [&](const plan::PlannedStep& step, std::size_t index) -> Result<> {
    const bool asked = is_asked(step.name);
    if (asked && !shell.empty()) return {};
    outcomes[index] = TRY(build_definition(shop, step, asked && again ? Force::kYes : Force::kNo), "building '{}'",
                          step.name);
    return {};
  };
  TRY(run_planned(plan, jobs_of(arguments), make));
  Json json = Json::array();
  std::string text;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (!is_asked(plan.steps[i].name)) continue;
    if (!shell.empty()) return shell_at(shop, plan.steps[i], shell);
    const BuildOutcome& outcome = outcomes[i];
    if (const std::string folder = arguments.text("--out"); !folder.empty())
      TRY(write_out(outcome, folder, session.env));
    json.push(to_json(outcome));
    for (const index::SerialPackage& package : outcome.record.packages)
      text += fmt::format("{}-{}.apk  {}  {}{}\n", package.record.name, package.record.version,
                          human_bytes(package.record.size_bytes), package.apk.oci(),
                          outcome.made == Made::kKept ? "  (known)" : "");
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_test(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  const std::vector<std::string> names = TRY(read_options(shop, arguments));
  shop.test_with = arguments.list("--test-package-append");
  const plan::Plan plan = TRY(plan_builds(shop, {}));
  TestCount sum;
  const auto make = [&](const plan::PlannedStep& step, std::size_t) -> Result<> {
    TRY(build_definition(shop, step), "building '{}'", step.name);
    return {};
  };
  TRY(run_planned(plan, jobs_of(arguments), make));
  for (const std::string& name : names) {
    const TestCount count = TRY(test_definition(shop, *shop.os.find(name)));
    sum.ran += count.ran;
    sum.known += count.known;
  }
  Json json;
  json.set("ran", sum.ran).set("known", sum.known);
  session.print(session.json
                    ? codec::to_json(json)
                    : fmt::format("{} tests passed, {} passed before with the same inputs", sum.ran, sum.known));
  return 0;
}

}  // namespace

Verb verb_build() {
  Verb verb;
  verb.name = "build";
  verb.summary = "build definitions and what they need into packages, without publishing";
  verb.arguments = {{"DEFINITION", "name, or FILE.yaml", true, true, Completion::kPackage}};
  verb.options = {kArchOption,
                  {"--out", OptionType::kText, "DIR", "", "also write the .apk files, SBOMs and provenance here",
                   Completion::kFolder},
                  {"--again", OptionType::kFlag, "", "", "build even when the result is known", Completion::kNone},
                  {"--from-step", OptionType::kText, "STEP", "", "run from this step (number or name) on",
                   Completion::kNone},
                  {"--shell-at", OptionType::kText, "STEP", "", "a shell in the state before this step, and no package",
                   Completion::kNone}};
  add_build_options(verb);
  verb.run = run_build;
  return verb;
}

Verb verb_test() {
  Verb verb;
  verb.name = "test";
  verb.summary = "run the test pipelines of definitions on their packages";
  verb.arguments = {{"DEFINITION", "name, or FILE.yaml", true, true, Completion::kPackage}};
  verb.options = {kArchOption};
  add_build_options(verb);
  verb.options.push_back({"--test-package-append", OptionType::kList, "NAME", "",
                          "a package that every test root has besides what it declares", Completion::kPackage});
  verb.run = run_test;
  return verb;
}

}  // namespace nacre::cli
