#include "build/steps.h"

#include "base/text.h"
#include "build/prepared.h"
#include "os/clock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace nacre::build {
namespace {

using definition::Step;

constexpr std::size_t kMaxArgument = 100u << 10;  ///< The kernel takes 128 KiB in one argument.
constexpr std::size_t kMaxTailBytes = 400;

std::string first_line(std::string_view runs) {
  for (const std::string& line : split(runs, '\n')) {
    const std::string_view text = trim(line);
    if (!text.empty() && text.front() != '#') return std::string(text.substr(0, 60));
  }
  return "step";
}

std::string label_of(const Step& step, const std::string& parent) {
  if (!step.name.empty() && step.name != parent)
    return parent.empty() ? step.name : parent + ": " + step.name;
  if (!step.uses.empty()) return step.uses;
  return parent.empty() ? first_line(step.runs) : parent;
}

/// Without bytes that would move a terminal's cursor.
std::string printable(std::string_view line) {
  std::string out(line.substr(0, kMaxTailBytes));
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = ' ';
  if (line.size() > kMaxTailBytes) out += " …";
  return out;
}

/// What programs say that cannot give a file to another user.
bool wants_owners(std::string_view line) {
  constexpr std::string_view kSigns[] = {"chown", "changing ownership", "change ownership", "cannot change owner",
                                         "setgroups", "initgroups"};
  return std::any_of(std::begin(kSigns), std::end(kSigns),
                     [&](std::string_view sign) { return line.find(sign) != std::string_view::npos; });
}

/// What programs say without a network.
bool wants_network(std::string_view line) {
  constexpr std::string_view kSigns[] = {"Could not resolve", "Temporary failure in name resolution",
                                         "Network is unreachable", "Name or service not known", "EAI_AGAIN",
                                         "dial tcp: lookup", "failed to lookup address", "unable to resolve host"};
  return std::any_of(std::begin(kSigns), std::end(kSigns),
                     [&](std::string_view sign) { return line.find(sign) != std::string_view::npos; });
}

}  // namespace

Result<Log> Log::create(const os::Path& file) {
  os::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", file.string()));
  return Log(std::move(fd), file);
}

Result<Log> Log::open(const os::Path& file) {
  os::Fd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", file.string()));
  Log log(std::move(fd), file);
  std::error_code failed;
  log.size_ = std::filesystem::file_size(file, failed);
  return log;
}

Result<> Log::add(std::string_view line) {
  tail_.push_back(printable(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
  if (size_ > kMaxBytes) return {};
  size_ += line.size() + 1;
  std::string text =
      size_ > kMaxBytes ? "nacre: the log ends here: it is too long" : std::string(line);
  text += '\n';
  return write_whole(fd_.get(), text, file_);
}

/// Runs a command whose lines go to the task and the log.
Result<os::Exit> StepRunner::enter(sandbox::SandboxCommand& command, const Task& task) {
  std::optional<Error> trouble;
  command.on_line = [&](std::string_view printed) {
    const std::string line = masked(printed, guest_.masks);
    task.output(line);
    auto added = log_.add(line);
    if (!added && !trouble) trouble = std::move(added).error();
  };
  command.on_note = [&](std::string_view note) { task.note(note); };
  exceeded_.clear();
  command.on_exceeded = [this](std::string_view limit) { exceeded_ = limit; };
  auto exit = sandbox_.run(command, env_.stop);
  command.on_line = nullptr;
  command.on_note = nullptr;
  command.on_exceeded = nullptr;
  if (exit && trouble) return *std::move(trouble);
  return exit;
}

Result<> StepRunner::make_loader_cache() {
  const auto& trees = guest_.base.root.lower;
  const bool there = std::any_of(trees.begin(), trees.end(), [](const os::Path& tree) {
    return os::exists(tree / "usr/bin/ldconfig") || os::exists(tree / "usr/sbin/ldconfig") ||
           os::exists(tree / "sbin/ldconfig");
  });
  if (!there) return {};
  sandbox::SandboxCommand command = guest_.base;
  command.argv = {"ldconfig"};
  command.env = {fmt::format("PATH={}", kPath)};
  command.uid = command.gid = 0;
  TRY(log_.add("== ldconfig"));
  const os::Exit exit = TRY(enter(command, task_), "running ldconfig in the root");
  if (!exit.ok()) {
    TRY(log_.add(fmt::format("== ldconfig ended with exit code {}", exit.code)));
    task_.warn(fmt::format(
        "ldconfig ended with exit code {}: programs of the root may lack libraries", exit.code));
  }
  return {};
}

namespace {

struct Context {
  std::string label;  ///< Of the parent.
  std::string directory;
  definition::Pairs environment;
  std::vector<std::string> used_by;
  bool brings_sources = false;
};

Result<> list_all(const std::vector<Step>& steps, const std::string& part, const Context& context, StepList& out) {
  for (std::size_t number = 1; const Step& step : steps) {
    const std::string use = definition::use_of(step, number++);
    if (!step.enabled) continue;
    const std::string label = label_of(step, context.label);
    Context inner{label, step.working_directory, context.environment, context.used_by, context.brings_sources};
    if (!step.uses.empty() && role_of(step) == StepRole::kSource) inner.brings_sources = true;
    if (!use.empty()) inner.used_by.insert(inner.used_by.begin(), use);
    if (inner.directory.empty()) inner.directory = context.directory;
    inner.environment.insert(inner.environment.end(), step.environment.begin(), step.environment.end());
    // A script that only goes to the workspace and out again need not run.
    if (!step.runs.empty() || !inner.directory.empty()) {
      Step own = step;
      own.pipeline.clear();
      own.working_directory = inner.directory;
      StepRun run{part, label, definition::step_script(own, kWorkspace), inner.environment,
                  step.place, context.used_by, {}, false};
      std::string texts = run.script;
      for (const auto& [name, value] : run.environment) texts += "\n" + value;
      run.secrets = secrets_named_in(texts);
      run.brings_sources = inner.brings_sources;
      out.runs.push_back(std::move(run));
    }
    const auto ran = std::count_if(step.pipeline.begin(), step.pipeline.end(),
                                   [](const Step& child) { return child.enabled; });
    if (step.required_steps > 0 && ran != step.required_steps)
      return Error::make(ErrorKind::kInvalid, "step '{}' asserts {} steps, and {} ran", label, step.required_steps, ran)
          .at(step.place)
          .hint("none of its conditions, or more than one, is true for this version or architecture");
    TRY(list_all(step.pipeline, part, inner, out));
  }
  return {};
}

}  // namespace

Result<> list_steps(const std::vector<Step>& steps, const std::string& part, StepList& out) {
  out.parts.push_back({part, out.runs.size()});
  return list_all(steps, part, {}, out);
}

Result<StepList> list_steps(const definition::Definition& definition) {
  StepList out;
  TRY(list_steps(definition.pipeline, definition.name, out));
  for (const definition::Subpackage& sub : definition.subpackages) TRY(list_steps(sub.pipeline, sub.name, out));
  return out;
}

sandbox::SandboxCommand StepRunner::command_of(const StepRun& step) const {
  std::map<std::string, std::string> variables = guest_.env;
  for (const auto& [name, value] : step.environment) variables[name] = value;
  sandbox::SandboxCommand command = guest_.base;
  command.env = env_list(variables);
  command.argv = {"/bin/sh", "-c", step.script};
  return command;
}

Result<> StepRunner::run(const StepRun& step) {
  if (env_.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
  sandbox::SandboxCommand command = command_of(step);
  TRY(add_secrets(step, command));
  if (step.script.size() > kMaxArgument) {
    TRY(os::write_file(guest_.work / "tmp/.nacre-step", step.script));
    command.argv = {"/bin/sh", "/tmp/.nacre-step"};
  }

  Task task(env_.events, step.label, &task_);
  TRY(log_.add(fmt::format("== {} {}: {}", os::rfc3339(env_.clock.now_seconds()), step.part, step.label)));
  log_.begin_step();
  const double begin = env_.clock.monotonic_seconds();
  auto exit = enter(command, task);
  const double seconds = env_.clock.monotonic_seconds() - begin;
  if (!exit) {
    TRY(remember_failure(guest_, command, step.script, step.label, env_));
    return std::move(exit).error().while_doing("running step '{}' of '{}'", step.label, guest_.name);
  }
  records_.push_back({step.part + ": " + step.label, seconds, exit->code});
  if (!exit->ok()) return judge(step, command, *exit);
  TRY(log_.add(fmt::format("== done in {}", human_duration(seconds))));
  task.finish(human_duration(seconds));
  return {};
}

Result<> StepRunner::add_secrets(const StepRun& step, sandbox::SandboxCommand& command) {
  for (const std::string& name : step.secrets) {
    const auto found = std::find_if(guest_.secrets.begin(), guest_.secrets.end(),
                                    [&](const Secret& secret) { return secret.name == name; });
    if (found == guest_.secrets.end())
      return Error::make(ErrorKind::kNotFound, "step '{}' of '{}' asks for the secret '{}', which was not given",
                         step.label, step.part, name)
          .at(step.place)
          .hint(fmt::format("give it as `--secret {0}=FILE`, or in NACRE_SECRETS", name));
    command.secrets.push_back({found->name, found->value});
    if (std::find(secrets_seen_.begin(), secrets_seen_.end(), name) == secrets_seen_.end())
      secrets_seen_.push_back(name);
  }
  return {};
}

Result<> StepRunner::judge(const StepRun& step, const sandbox::SandboxCommand& command, const os::Exit& exit) {
  const std::deque<std::string> tail = log_.tail();
  std::string how = fmt::format("exit code {}", exit.code);
  if (exit.signal != 0) how = fmt::format("signal {}", exit.signal);
  if (exit.timed_out)
    how = fmt::format("{} passed", human_duration(command.limits.timeout_seconds));
  if (!exceeded_.empty()) how = "over " + exceeded_;
  TRY(log_.add("== failed: " + how));
  TRY(remember_failure(guest_, command, step.script, step.label, env_));
  std::string lines;
  bool full = false;
  for (const std::string& line : tail) {
    full = full || line.find("No space left on device") != std::string::npos;
    lines += "\n    " + line;
  }
  const bool cut_off = !command.network && std::any_of(tail.begin(), tail.end(), wants_network);
  const bool owners = sandbox::has_one_owner() && std::any_of(tail.begin(), tail.end(), wants_owners);
  const bool limited = exit.timed_out || !exceeded_.empty();
  const ErrorKind kind = full || limited ? ErrorKind::kUnavailable : ErrorKind::kInvalid;
  Error stopped = Error::make(kind, "step '{}' of '{}' stopped: {}{}{}", step.label, step.part, how,
                              full ? ", no space left" : "", lines.empty() ? "; it printed nothing" : lines)
                      .at(step.place);
  for (const std::string& use : step.used_by) stopped = std::move(stopped).while_doing("{}", use);
  return std::move(stopped)
      .hint(fmt::format(
          "{}{}{}`nacre shell --failed {}` opens a shell where it stopped",
          owners ? "nacre was not started as root, so all files of a build have one owner; " : "",
          limited ? "`resources:` and `timeout:` of the definition, or options, set limits; " : "",
          cut_off ? "it had no network (`--network always`, or the annotation nacre.network); " : "",
          guest_.name.find(' ') == std::string::npos ? guest_.name : shell_quote(guest_.name)));
}

}  // namespace nacre::build
