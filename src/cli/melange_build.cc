#include "cli/melange_build.h"

#include "apk/version.h"
#include "attest/sbom.h"
#include "base/text.h"
#include "cli/kept.h"
#include "cli/workshop.h"
#include "definition/load.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>

namespace nacre::cli {
namespace {

bool fits(const definition::Definition& definition, const Arch& arch) {
  const std::vector<std::string>& wanted = definition.target_architecture;
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
           const auto known = find_arch(name);
           return name == "all" || (known && *known == arch);
         });
}

Result<> check_machine(const Arch& arch) {
  if (arch == host_arch()) return {};
  return Error::make(ErrorKind::kInvalid, "this machine runs {}, and cannot build for {}", host_arch().apk, arch.apk)
      .hint("leave --arch out, or run on such a machine");
}

Result<std::vector<package::Extra>> sboms_of(const MelangeArguments& arguments, const build::BuildRequest& request,
                                             const build::BuiltTree& built, const std::string& commit, Env& env) {
  const definition::Definition& definition = *request.definition;
  const bool known = commit != "unknown";
  attest::SbomOptions options;
  options.name_space = arguments.text("--namespace");
  options.repository = arguments.text("--git-repo-url");
  options.path = Path(definition.file).filename().string();
  options.commit = known ? commit : "";
  options.definition_license = arguments.text("--license");
  if (auto texts = attest::license_texts(definition, built.workspace))
    options.license_texts = *std::move(texts);
  else
    env.events.emit({.kind = EventKind::kWarning, .name = "licence texts", .detail = texts.error().render()});
  std::vector<package::Extra> out;
  for (const std::string& name : built.packages) {
    const codec::Json sbom = attest::package_sbom(definition, name, request.arch, request.sources, known ? commit : "",
                                                  request.source_date_epoch, options);
    out.push_back({name, attest::package_sbom_path(name, definition.full_version()),
                   codec::to_pretty_json(sbom, 2, codec::EscapeHtml::kYes)});
  }
  return out;
}

/// Where the workspace's first files come from: --source-dir, else the directory of the definition.
Path sources_beside(const MelangeArguments& arguments, const std::string& file) {
  if (arguments.on("--empty-workspace")) return {};
  const std::string given = arguments.text("--source-dir");
  return given.empty() ? std::filesystem::absolute(file).parent_path() : Path(given);
}

/// --workspace-dir/ARCH; empty when it is not given.
Path workspace_of(const MelangeArguments& arguments, const Arch& arch) {
  const std::string given = arguments.text("--workspace-dir");
  return given.empty() ? Path() : std::filesystem::absolute(given) / std::string(arch.apk);
}

/// All of a directory into another, as it is.
Result<> copy_into(const Path& from, const Path& to, Env& env) {
  os::Command command;
  command.inherit_env = true;
  command.argv = {"cp", "-a", "--reflink=auto", "--", from.string() + "/.", to.string()};
  TRY(os::make_dirs(to));
  TRY(os::run_or_fail(env.processes, command, env.stop), "copying '{}' to '{}'", from.string(), to.string());
  return {};
}

/// The first files of the workspace where --workspace-dir holds some already:
/// those, and the side files over them.
Result<std::optional<os::TempDir>> joined_sources(const MelangeArguments& arguments, const Path& beside,
                                                  const Arch& arch, Env& env) {
  const Path workspace = workspace_of(arguments, arch);
  if (workspace.empty() || !os::exists(workspace) || arguments.on("--empty-workspace"))
    return std::optional<os::TempDir>();
  os::TempDir out = TRY(os::TempDir::create(env.store.work_dir(), "sources-"));
  TRY(copy_into(workspace, out.path(), env));
  TRY(os::remove_tree(out.path() / "melange-out"));
  if (os::exists(beside)) TRY(copy_into(beside, out.path(), env));
  return std::optional<os::TempDir>(std::move(out));
}

/// Inside the shell of --interactive when a step failed; the error stays the
/// answer.
Error after_failure(Error error, const MelangeArguments& arguments, const std::string& name, Session& session) {
  if (!arguments.on("--interactive") || ::isatty(0) == 0) return error;
  tell(session.env, "a shell where the step failed; `exit` ends it");
  const auto code = build::reopen_failed(name, session.sandbox, session.env);
  if (!code) return std::move(error).while_doing("opening a shell: {}", code.error().render());
  return error;
}

/// What a pipeline needs cannot be dropped from a list of the definition.
Error refused_root(Error error, const definition::Definition& definition) {
  const Place pipeline = definition::place_of(definition, {"pipeline"}), &said = error.place();
  if (said.line != pipeline.line || said.column != pipeline.column) return error;
  return std::move(error).hint("pipelines that the definition uses need it: name a repository that has it with -r");
}

Result<build::BuildRequest> make_request(const MelangeArguments& arguments, const definition::Definition& definition,
                                         const Arch& arch, Session& session) {
  build::BuildRequest request;
  request.definition = &definition;
  request.arch = arch;
  request.source_date_epoch = TRY(date_of(arguments));
  RepositoryShelf shelf(repositories_of(definition.environment, arguments, arch), session.env);
  solve::World world;
  world.atoms = world_of(definition.environment.packages);
  world.places = definition::places_of_packages(definition);
  for (const std::string& name : arguments.list("--package-append")) world.atoms.push_back(name);
  world.places.resize(world.atoms.size());
  auto root = shelf.root_for(world);
  if (!root)
    return refused_root(std::move(root).error(), definition)
        .while_doing("choosing the build root of '{}'", definition.name);
  request.root = *std::move(root);
  request.sources = TRY(fetch_ahead(definition, arguments, session.env));
  request.compiler_files =
      arguments.on("--empty-workspace") ? build::CompilerFiles::kNever : build::CompilerFiles::kAlways;
  if (const std::string name = arguments.text("--namespace"); !name.empty()) request.packager = name;
  request.network = TRY(network_of(definition, "build"));
  if (request.network) request.grant = TRY(grant_of(arguments));
  request.limits = TRY(limits_of(arguments, definition.resources));
  return request;
}

Result<> write_outputs(const MelangeBuilt& done, const Session& session, Env& env) {
  if (!done.arguments.text("--dependency-log").empty()) TRY(write_dependency_log(done));
  if (done.arguments.on("--create-build-log")) TRY(append_build_log(done));
  if (done.arguments.on("--generate-provenance")) TRY(write_provenance(done, session));
  if (done.arguments.on("--generate-index")) TRY(update_index(done, env));
  return {};
}

Result<std::vector<apk::PackageFile>> build_one(const MelangeArguments& arguments, const std::string& file,
                                                const Arch& arch, const apk::SegmentSigner& signer, Session& session) {
  Env& env = session.env;
  definition::Definition definition = TRY(load_config(file, arguments, session.os_dir, arch));
  if (!fits(definition, arch)) {
    tell(env, fmt::format("{} is not made for {}: left out", definition.name, arch.apk));
    return std::vector<apk::PackageFile>();
  }
  TRY(check_machine(arch));
  if (!apk::is_valid_version(definition.full_version()))
    return Error::make(ErrorKind::kInvalid, "'{}' is no version that apk can read", definition.version)
        .at({file, 0, 0});
  if (arguments.on("--debug")) {
    trace_steps(definition.pipeline);
    for (definition::Subpackage& sub : definition.subpackages) trace_steps(sub.pipeline);
  }
  const store::Lease lease = TRY(wait_for_lease("melange/" + definition.name, env));
  build::BuildRequest request = TRY(make_request(arguments, definition, arch, session));
  request.source_dir = sources_beside(arguments, file);
  const std::optional<os::TempDir> joined = TRY(joined_sources(arguments, request.source_dir, arch, env));
  if (joined) request.source_dir = joined->path();
  Scratch work(env.store.work_dir() / ("melange-" + definition.name));
  work.keep = true;
  TRY(os::remove_tree(work.path));
  request.work = work.path;
  auto built = build::run_build(request, session.sandbox, env);
  const Path workspace = workspace_of(arguments, arch);
  if (!workspace.empty() && (!built || !arguments.on("--rm")))
    TRY(copy_into(request.work / "workspace", workspace, env));
  if (!built) return after_failure(std::move(built).error(), arguments, definition.name, session);

  const std::string commit = commit_of_config(arguments, file, env);
  package::PackageRequest packages;
  packages.definition = &definition;
  packages.arch = arch;
  packages.built = &*built;
  packages.extras = TRY(sboms_of(arguments, request, *built, commit, env));
  packages.commit = commit;
  packages.source_date_epoch = request.source_date_epoch;
  packages.strip_origin = arguments.on("--strip-origin-name");
  packages.lint = TRY(package::LintChoice::of(arguments.list("--lint-require"), arguments.list("--lint-warn")));
  packages.gates = package::Gates::kWarn;
  packages.maintainer = arguments.text("--namespace");
  packages.signer = signer;
  packages.out_dir = Path(arguments.text("--out-dir")) / std::string(arch.apk);
  if (arguments.on("--persist-lint-results")) packages.lint_results_dir = packages.out_dir;
  std::vector<Path> trees;
  for (const build::RootPackage& package : request.root) trees.push_back(package.tree);
  packages.accounts = package::Accounts::of(trees, definition.environment);
  const std::vector<apk::PackageFile> files = TRY(package::make_packages(packages, env));
  const MelangeBuilt done{arguments, request, *built, files, signer, commit, packages.out_dir};
  TRY(write_outputs(done, session, env));
  work.keep = !arguments.on("--rm") || arguments.on("--debug-runner");
  return files;
}

Result<int> run_build(const MelangeArguments& arguments, Session& session) {
  const std::string file = TRY(config_of(arguments));
  const std::vector<Arch> archs = TRY(archs_of(arguments));
  const apk::SegmentSigner signer = TRY(signer_of_file(arguments.text("--signing-key")));
  const store::Lease in_use = TRY(hold_off_gc(session.env));
  for (const Arch& arch : archs) {
    const std::vector<apk::PackageFile> files =
        TRY(build_one(arguments, file, arch, signer, session), "building '{}' for {}", file, arch.apk);
    for (const apk::PackageFile& package : files) tell(session.env, "wrote " + package.path.string());
  }
  return 0;
}

}  // namespace

MelangeCommand melange_build() {
  using F = MelangeFlag;
  return {.name = "build",
          .summary = "build packages from a definition",
          .usage = "[CONFIG]",
          .flags = with_guest_flags(
              {{"--build-date", 0, F::kText, "", "date of the files in the packages (RFC 3339)", ""},
               {"--build-option", 0, F::kList, "", "options of the definition to turn on", ""},
               {"--cache-dir", 0, F::kText, "./melange-cache/", "directory of sources named sha256:HEX", ""},
               {"--cleanup", 0, F::kSwitch, "true", "remove what the run left", "see --rm"},
               {"--create-build-log", 0, F::kSwitch, "", "add the packages made to packages.log", ""},
               {"--dependency-log", 0, F::kText, "", "write what was found in the packages to FILE.ARCH", ""},
               {"--empty-workspace", 0, F::kSwitch, "", "begin with nothing in the workspace", ""},
               {"--generate-index", 0, F::kSwitch, "true", "add the packages to APKINDEX.tar.gz", ""},
               {"--generate-provenance", 0, F::kSwitch, "", "write NAME-VERSION.attest.tar.gz", ""},
               {"--git-commit", 0, F::kText, "", "commit of the definition; git's HEAD when there is none", ""},
               {"--git-repo-url", 0, F::kText, "", "repository of the definition, for provenance", ""},
               {"--license", 0, F::kText, "NOASSERTION", "licence of the definition itself, in SBOMs", ""},
               {"--lint-require", 0, F::kList, kLintRequired, "linters that must pass", ""},
               {"--lint-warn", 0, F::kList, kLintWarned, "linters that only warn", ""},
               {"--namespace", 0, F::kText, "unknown", "namespace of package URLs in SBOMs, `os` of package notes",
                ""},
               {"--out-dir", 0, F::kText, "./packages/", "where ARCH/NAME-VERSION.apk go", ""},
               {"--override-host-triplet-libc-substitution-flavor", 0, F::kText, "gnu",
                "libc in host.triplet.*: gnu or musl", ""},
               {"--package-append", 0, F::kList, "", "more packages for the root", ""},
               {"--persist-lint-results", 0, F::kSwitch, "", "write lint-NAME-VERSION.json beside the packages", ""},
               {"--pipeline-dir", 0, F::kText, "", "directory of pipelines, before all others", ""},
               {"--signing-key", 0, F::kText, "", "RSA key for packages and index; without it they are unsigned", ""},
               {"--strip-origin-name", 0, F::kSwitch, "", "packages name no origin", ""},
               {"--trace", 0, F::kText, "", "file for a trace: one span a line, as JSON", ""},
               {"--vars-file", 0, F::kText, "", "variables over those of the definition", ""},
               {"--workspace-dir", 0, F::kText, "",
                "DIR/ARCH: its files are in the workspace; with --rm=false or a failed step it becomes the workspace",
                ""}}),
          .max_words = 1,
          .run = run_build};
}

}  // namespace nacre::cli
