#include "build/build.h"

#include "base/text.h"
#include "build/guest.h"
#include "build/steps.h"
#include "os/clock.h"
#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nacre::build {
namespace {

using os::Path;

GuestSpec spec_of(const BuildRequest& request) {
  GuestSpec spec;
  spec.name = request.definition->name;
  spec.definition = request.definition;
  spec.environment = &request.definition->environment;
  spec.variables = request.definition->environment.variables;
  spec.root = request.root;
  spec.source_dir = request.source_dir;
  spec.work = request.work;
  spec.source_date_epoch = request.source_date_epoch;
  spec.limits = request.limits;
  spec.jobs = request.jobs;
  if (request.network) spec.network = &request.grant;
  return spec;
}

GuestSpec spec_of(const TestRequest& request) {
  GuestSpec spec;
  spec.name = "test " + request.package;
  spec.definition = request.definition;
  spec.environment = &request.test->environment;
  spec.variables = request.definition->environment.variables;
  const definition::Pairs& own = request.test->environment.variables;
  spec.variables.insert(spec.variables.end(), own.begin(), own.end());
  spec.root = request.root;
  spec.source_dir = request.source_dir;
  spec.work = request.work;
  spec.source_date_epoch = request.source_date_epoch;
  spec.limits = request.limits;
  if (request.network) spec.network = &request.grant;
  return spec;
}

std::string_view network_line(const Guest& guest) {
  return guest.base.network ? "== network: the machine's" : "== network: none";
}

/// Each source read-only where the fetch pipeline looks for it.
Result<> bind_sources(Guest& guest, const std::vector<FetchedSource>& sources, Env& env) {
  std::map<std::string, Path> files;
  for (const FetchedSource& source : sources)
    files.emplace("var/cache/melange/" + source.expected, env.store.blob_path(source.sha256));
  for (const auto& [inside, blob] : files) {
    TreePath path = TRY(TreePath::parse(inside), "binding source '{}'", inside);
    guest.base.binds.push_back({blob, std::move(path), false});
  }
  return {};
}

/// A package's output directory, of the user that the steps run as.
Result<> make_output(const Guest& guest, const std::string& package) {
  const Path out = guest.workspace / "melange-out" / package;
  TRY(os::make_dirs(out));
  if (guest.base.uid == 0 || ::geteuid() != 0) return {};
  for (const Path& path : {out.parent_path(), out})
    if (::lchown(path.c_str(), guest.base.uid, guest.base.gid) != 0)
      return os::system_error(errno, fmt::format("own '{}'", path.string()));
  return {};
}

/// A step may have replaced its own output by something else.
Result<> check_output(const Path& out, const std::string& package) {
  struct stat status {};
  if (::lstat(out.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return Error::make(ErrorKind::kInvalid, "a step removed the output directory of '{}'", package)
      .hint(
          "steps write below ${{targets.destdir}} and ${{targets.subpkgdir}}, and leave these in "
          "place");
}

Result<> run_steps(const BuildRequest& request, StepRunner& runner, Guest& guest,
                   BuiltTree& built) {
  const definition::Definition& definition = *request.definition;
  TRY(runner.make_loader_cache());
  TRY(make_output(guest, definition.name));
  built.packages.push_back(definition.name);
  TRY(runner.run(definition.pipeline, definition.name));
  for (const definition::Subpackage& sub : definition.subpackages) {
    TRY(make_output(guest, sub.name));
    built.packages.push_back(sub.name);
    TRY(runner.run(sub.pipeline, sub.name));
  }
  for (const std::string& package : built.packages)
    TRY(check_output(built.output / package, package));
  return {};
}

}  // namespace

Result<BuiltTree> run_build(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env) {
  const definition::Definition& definition = *request.definition;
  Task task(env.events, "build " + definition.name);
  BuiltTree built;
  built.action_key = TRY(action_key(request), "computing the action key of '{}'", definition.name);
  built.started = env.clock.now_seconds();
  Guest guest = TRY(make_guest(spec_of(request)), "preparing the build of '{}'", definition.name);
  built.workspace = guest.workspace;
  built.output = guest.workspace / "melange-out";
  TRY(bind_sources(guest, request.sources, env));
  Log log = TRY(Log::create(guest.work / "log"));
  TRY(log.add(network_line(guest)));
  StepRunner runner(guest, sandbox, env, task, std::move(log));
  auto ran = run_steps(request, runner, guest, built);
  built.log =
      TRY(env.store.put_file(guest.work / "log", store::Store::Take::kCopy), "keeping the log");
  if (!ran) return std::move(ran).error();
  TRY(forget_failure(guest.name, env));
  built.steps = runner.records();
  built.finished = env.clock.now_seconds();
  task.finish(fmt::format("{} steps", built.steps.size()));
  return built;
}

Result<> run_test(const TestRequest& request, sandbox::Sandbox& sandbox, Env& env) {
  Task task(env.events, "test " + request.package);
  Guest guest = TRY(make_guest(spec_of(request)), "preparing the test of '{}'", request.package);
  Log log = TRY(Log::create(guest.work / "log"));
  TRY(log.add(network_line(guest)));
  StepRunner runner(guest, sandbox, env, task, std::move(log));
  TRY(runner.make_loader_cache());
  TRY(runner.run(request.test->pipeline, request.package));
  TRY(forget_failure(guest.name, env));
  task.finish(fmt::format("{} steps", runner.records().size()));
  return {};
}

}  // namespace nacre::build
