#include "base/text.h"
#include "cli/kept.h"
#include "cli/melange_common.h"
#include "cli/workshop.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>

namespace nacre::cli {
namespace {

struct TestPlace {
  const MelangeArguments& arguments;
  const definition::Definition& definition;
  Arch arch;
  Session& session;
};

/// What apk's database in the root says of each package: its own record, as an index would have it.
Result<> add_records(std::vector<build::RootPackage>& root, Env& env) {
  for (build::RootPackage& package : root) {
    const apk::PackageFile file = TRY(apk::read_package_header(env.store.blob_path(package.content)));
    package.record = apk::write_index({file.record()});
  }
  return {};
}

Result<> run_one(const TestPlace& place, const std::string& package, definition::Test test) {
  const MelangeArguments& arguments = place.arguments;
  Env& env = place.session.env;
  if (arguments.on("--debug")) trace_steps(test.pipeline);
  build::TestRequest request;
  request.definition = &place.definition;
  request.package = package;
  request.test = &test;
  request.arch = place.arch;
  RepositorySource source = repositories_of(test.environment, arguments, place.arch);
  RepositoryShelf shelf(std::move(source), env);
  solve::World world;
  world.atoms = world_of(test.environment.packages);
  for (const std::string& name : arguments.list("--test-package-append")) world.atoms.push_back(name);
  if (std::find(world.atoms.begin(), world.atoms.end(), package) == world.atoms.end()) world.atoms.push_back(package);
  request.root = TRY(shelf.root_for(world), "choosing the test root of '{}'", package);
  TRY(add_records(request.root, env), "reading the packages of the test root");
  request.source_dir = arguments.text("--source-dir");
  request.source_date_epoch = TRY(date_of(arguments));
  request.network = TRY(network_of(place.definition, "test"));
  if (request.network) request.grant = TRY(build::network_grant_of_machine());
  request.limits = TRY(limits_of(arguments, place.definition.resources));
  Scratch work(env.store.work_dir() / ("melange-test-" + package));
  work.keep = true;
  TRY(os::remove_tree(work.path));
  request.work = work.path;
  auto passed = build::run_test(request, place.session.sandbox, env);
  if (!passed) {
    if (arguments.on("--interactive") && ::isatty(0) != 0)
      (void)build::reopen_failed("test " + package, place.session.sandbox, env);
    return std::move(passed).error();
  }
  work.keep = !arguments.on("--rm") || arguments.on("--debug-runner");
  return {};
}

Result<int> test_for(const MelangeArguments& arguments, const std::string& file, const Arch& arch, Session& session) {
  const std::string only = arguments.words.size() > 1 ? arguments.words[1] : "";
  const definition::Definition definition = TRY(load_config(file, arguments, session.os_dir, arch));
  const store::Lease lease = TRY(wait_for_lease("melange-test/" + definition.name, session.env));
  const TestPlace place{arguments, definition, arch, session};
  int ran = 0;
  std::vector<std::string> names = {definition.name};
  const auto run = [&](const std::string& name, const definition::Test& test) -> Result<> {
    if ((!only.empty() && only != name) || test.pipeline.empty()) return {};
    TRY(run_one(place, name, test), "testing '{}'", name);
    ++ran;
    return {};
  };
  TRY(run(definition.name, definition.test));
  for (const definition::Subpackage& sub : definition.subpackages) {
    names.push_back(sub.name);
    TRY(run(sub.name, sub.test));
  }
  if (!only.empty() && std::find(names.begin(), names.end(), only) == names.end())
    return Error::make(ErrorKind::kNotFound, "'{}' makes no package '{}'", file, only).hint(nearest_hint(only, names));
  return ran;
}

Result<int> run_test(const MelangeArguments& arguments, Session& session) {
  const std::string file = TRY(config_of(arguments));
  const std::vector<Arch> archs = TRY(archs_of(arguments));
  const store::Lease in_use = TRY(hold_off_gc(session.env));
  int ran = 0;
  for (const Arch& arch : archs) {
    if (!(arch == host_arch()))
      return Error::make(ErrorKind::kInvalid, "this machine runs {}, and cannot test for {}", host_arch().apk,
                         arch.apk);
    ran += TRY(test_for(arguments, file, arch, session));
  }
  tell(session.env, ran == 0 ? "no test pipelines" : fmt::format("{} tests passed", ran));
  return 0;
}

}  // namespace

MelangeCommand melange_test() {
  using F = MelangeFlag;
  return {.name = "test",
          .summary = "run the test pipelines of a definition on its packages",
          .usage = "[CONFIG [PACKAGE]]",
          .flags = with_guest_flags({{"--cache-dir", 0, F::kText, "", "directory of sources", "tests have no sources"},
                                     {"--test-option", 0, F::kList, "", "options of the definition to turn on", ""},
                                     {"--test-package-append", 0, F::kList, "", "more packages for the roots", ""},
                                     {"--workspace-dir", 0, F::kText, "", "of `build`",
                                      "tests work in a directory of the store; --rm=false keeps it"}}),
          .max_words = 2,
          .run = run_test};
}

}  // namespace nacre::cli
