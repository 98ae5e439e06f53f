#include "build/build.h"

#include "base/text.h"
#include "build/guest.h"
#include "build/prepared.h"
#include "build/step_cache.h"
#include "build/steps.h"
#include "os/clock.h"
#include "os/read_mark.h"
#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

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
  spec.secrets = request.secrets;
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
  spec.secrets = request.secrets;
  if (request.network) spec.network = &request.grant;
  return spec;
}

std::string_view network_line(const Guest& guest) {
  return guest.base.network ? "== network: the machine's" : "== network: none";
}

/// Each source read-only where the fetch pipeline looks for it.
Result<> bind_sources(Guest& guest, const std::vector<FetchedSource>& sources, Env& env) {
  std::map<std::string, Path> files;
  for (const FetchedSource& source : sources) {
    const Path file = TRY(env.store.local(source.sha256));
    files.emplace("var/cache/melange/" + source.expected, file);
  }
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

/// A build on its way: the guest, and the state that its steps so far left.
class Build {
 public:
  Build(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env, const Task& task)
      : request_(request), sandbox_(sandbox), env_(env), task_(task) {}

  /// Lists the steps and makes the guest, as of the last state that is kept and may be used.
  Result<> prepare(std::size_t stop_before) {
    list_ = TRY(list_steps(*request_.definition));
    TRY(make());
    std::vector<Sha256> keys;
    if (!request_.step_cache.empty())
      keys = TRY(step_keys(request_, list_), "computing the keys of steps");
    cache_.emplace(keys.empty() ? Path() : request_.step_cache / request_.definition->name, std::move(keys), guest_,
                   request_.step_cache_bytes);
    std::size_t limit = list_.runs.size();
    for (const std::size_t step : {request_.first_step, stop_before})
      if (step > 0) limit = std::min(limit, step - 1);
    done_ = cache_->newest(limit);
    if (done_ == 0) return start_log();
    auto records = cache_->restore(done_);
    if (records) return go_on(*std::move(records));
    task_.note("the state after earlier steps cannot be used: " + records.error().render());
    done_ = 0;
    TRY(make());
    return start_log();
  }

  /// Runs the steps that are left, those before `end` of them counted from 0.
  Result<> run_until(std::size_t end) {
    const double begin = env_.clock.monotonic_seconds(), total = guest_.base.limits.timeout_seconds;
    if (done_ == 0) TRY(runner_->make_loader_cache());
    const std::size_t sources = sources_end();
    for (std::size_t i = done_; i < end; ++i) {
      if (i == sources) read_mark_ = TRY(os::mark_unread(guest_.workspace));
      TRY(make_outputs(i));
      // The limit is for the whole build; each step gets what is left.
      if (total > 0)
        guest_.base.limits.timeout_seconds = std::max(1e-3, total - (env_.clock.monotonic_seconds() - begin));
      if (!list_.runs[i].secrets.empty()) cache_->stop();
      TRY(runner_->run(list_.runs[i]));
      const auto note = cache_->keep(i + 1, runner_->records(), env_.clock.monotonic_seconds() - begin);
      if (note) task_.note(*note);
    }
    return make_outputs(end);
  }

  /// Runs one step more.
  Result<> run_next() {
    if (done_ == 0) TRY(runner_->make_loader_cache());
    TRY(make_outputs(done_));
    TRY(runner_->run(list_.runs[done_]));
    ++done_;
    return {};
  }

  std::size_t size() const { return list_.runs.size(); }
  std::size_t done() const { return done_; }
  std::optional<Sha256> kept_state() const { return done_ > 0 ? std::optional(cache_->key(done_)) : std::nullopt; }
  double keeping_seconds() const { return cache_->spent_seconds(); }
  /// Nothing when the state of a later step was kept.
  const std::optional<os::ReadMark>& read_mark() const { return read_mark_; }
  const StepList& list() const { return list_; }
  const Guest& guest() const { return guest_; }
  const StepRunner& runner() const { return *runner_; }

 private:
  Result<> make() {
    GuestSpec spec = spec_of(request_);
    spec.compiler_files = TRY(compiler_files_of(request_));
    guest_ = TRY(make_guest(spec), "preparing the build of '{}'", request_.definition->name);
    return bind_sources(guest_, request_.sources, env_);
  }

  /// The first step that does more than bring sources.
  std::size_t sources_end() const {
    const auto other =
        std::find_if(list_.runs.begin(), list_.runs.end(), [](const StepRun& run) { return !run.brings_sources; });
    return static_cast<std::size_t>(other - list_.runs.begin());
  }

  Result<> start_log() {
    Log log = TRY(Log::create(guest_.work / "log"));
    TRY(log.add(network_line(guest_)));
    runner_.emplace(guest_, sandbox_, env_, task_, std::move(log));
    return {};
  }

  Result<> go_on(std::vector<StepRecord> records) {
    Log log = TRY(Log::open(guest_.work / "log"));
    TRY(log.add(fmt::format("== the state after the {} steps above was kept: they were not run again", done_)));
    task_.note(fmt::format("{} of {} steps are as they were, not run again", done_, list_.runs.size()));
    runner_.emplace(guest_, sandbox_, env_, task_, std::move(log));
    runner_->begin_with(std::move(records));
    return {};
  }

  /// Of the packages whose first step is number `at`.
  Result<> make_outputs(std::size_t at) {
    for (const StepList::Part& part : list_.parts)
      if (part.begin == at) TRY(make_output(guest_, part.name));
    return {};
  }

  const BuildRequest& request_;
  sandbox::Sandbox& sandbox_;
  Env& env_;
  const Task& task_;
  StepList list_;
  Guest guest_;
  std::optional<StepCache> cache_;
  std::optional<StepRunner> runner_;
  std::size_t done_ = 0;
  std::optional<os::ReadMark> read_mark_;
};

}  // namespace

Result<BuiltTree> run_build(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env) {
  const definition::Definition& definition = *request.definition;
  Task task(env.events, "build " + definition.name);
  BuiltTree built;
  built.action_key = TRY(action_key(request), "computing the action key of '{}'", definition.name);
  built.started = env.clock.now_seconds();
  Build build(request, sandbox, env, task);
  TRY(build.prepare(0));
  const Guest& guest = build.guest();
  built.workspace = guest.workspace;
  built.output = guest.workspace / "melange-out";
  if (sandbox::has_one_owner()) built.sole_owner = {guest.base.uid, guest.base.gid};
  auto ran = build.run_until(build.size());
  for (const StepList::Part& part : build.list().parts) built.packages.push_back(part.name);
  for (const std::string& package : built.packages)
    if (ran) ran = check_output(built.output / package, package);
  built.log =
      TRY(env.store.put_file(guest.work / "log", store::Store::Take::kCopy), "keeping the log");
  if (!ran) return std::move(ran).error();
  TRY(forget_failure(guest.name, env));
  built.steps = build.runner().records();
  built.secrets = build.runner().secrets_seen();
  built.read_mark = build.read_mark();
  built.kept_steps = build.done();
  built.kept_state = build.kept_state();
  built.finished = env.clock.now_seconds();
  std::string how = fmt::format("{} steps", built.steps.size());
  if (build.done() > 0) how += fmt::format(", {} of them not run again", build.done());
  if (build.keeping_seconds() > 0) how += fmt::format(", states kept in {}", human_duration(build.keeping_seconds()));
  task.finish(how);
  return built;
}

Result<> run_first_steps(const BuildRequest& request, std::size_t count,
                         const std::function<Result<>(std::size_t done, const Path& workspace)>& after,
                         sandbox::Sandbox& sandbox, Env& env) {
  Task task(env.events, "prepare " + request.definition->name);
  BuildRequest fresh = request;
  fresh.step_cache.clear();
  Build build(fresh, sandbox, env, task);
  TRY(build.prepare(0));
  TRY(after(0, build.guest().workspace));
  for (std::size_t done = 1; done <= std::min(count, build.size()); ++done) {
    TRY(build.run_next());
    TRY(after(done, build.guest().workspace));
  }
  task.finish(fmt::format("{} steps", count));
  return {};
}

Result<std::size_t> find_step(const definition::Definition& definition, std::string_view text) {
  const StepList list = TRY(list_steps(definition));
  std::size_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= list.runs.size())
    return number;
  std::string known;
  for (std::size_t i = 0; i < list.runs.size(); ++i) {
    const StepRun& run = list.runs[i];
    const std::string whole = run.part + ": " + run.label;
    if (text == run.label || text == whole) return i + 1;
    known += fmt::format("\n  {:>3}  {}", i + 1, whole);
  }
  return Error::make(ErrorKind::kNotFound, "'{}' has no step '{}'; it has:{}", definition.name, text,
                     known.empty() ? " none" : known);
}

Result<int> shell_at(const BuildRequest& request, std::size_t step, sandbox::Sandbox& sandbox, Env& env) {
  Task task(env.events, fmt::format("build {} until step {}", request.definition->name, step));
  Build build(request, sandbox, env, task);
  TRY(build.prepare(step));
  TRY(build.run_until(step - 1));
  const StepRun& next = build.list().runs[step - 1];
  sandbox::SandboxCommand command = build.runner().command_of(next);
  task.finish();
  return open_shell(std::move(command), build.guest(), next, sandbox, env);
}

Result<> run_test(const TestRequest& request, sandbox::Sandbox& sandbox, Env& env) {
  Task task(env.events, "test " + request.package);
  Guest guest = TRY(make_guest(spec_of(request)), "preparing the test of '{}'", request.package);
  TRY(add_database(request.root, guest.base.root.upper), "writing the database of packages");
  Log log = TRY(Log::create(guest.work / "log"));
  TRY(log.add(network_line(guest)));
  StepRunner runner(guest, sandbox, env, task, std::move(log));
  TRY(runner.make_loader_cache());
  StepList list;
  TRY(list_steps(request.test->pipeline, request.package, list));
  for (const StepRun& step : list.runs) TRY(runner.run(step));
  TRY(forget_failure(guest.name, env));
  task.finish(fmt::format("{} steps", runner.records().size()));
  return {};
}

}  // namespace nacre::build
