#include "engine/local_executor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/arch.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "store/store.h"

extern char** environ;

namespace nacre::engine {
namespace {

constexpr std::string_view kKept = "action";
constexpr std::uint64_t kMaxMessage = 16u << 20;
constexpr std::size_t kMaxStream = 1u << 20;  ///< Of what a command prints, the last part is kept in the result.

/// Sets what os::Processes lets through of the caller's environment.
std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> out;
  for (const auto& [name, value] : command.environment) out.push_back(name + "=" + value);
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::string_view(*entry).starts_with("NACRE_WORKER_")) out.emplace_back(*entry);
  return out;
}

/// A path of a command, which may be one of a foreign Action: beneath the input root.
Result<os::Path> beneath(const os::Path& root, std::string_view text) {
  const TreePath path = TRY(TreePath::parse(text), "reading an output path");
  if (path.is_root()) return Error::make(ErrorKind::kInvalid, "an output path is empty");
  return root / path.str();
}

}  // namespace

LocalExecutor::LocalExecutor(store::Store& store, os::Processes& processes, unsigned slots)
    : store_(store), cas_(store), processes_(processes), slots_(std::max(1u, slots)) {}

Result<Capabilities> LocalExecutor::capabilities(std::stop_token) {
  return Capabilities{.sha256 = true, .executes = true, .high_major = 2, .low_major = 2};
}

Properties LocalExecutor::platform() {
  std::string isa(host_arch().apk);
  if (isa == "x86_64") isa = "x86-64";
  return {{"ISA", isa}, {"OSFamily", "linux"}};
}

Result<> LocalExecutor::take_slot(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!freed_.wait(lock, stop, [&] { return slots_ > 0; })) return Error::make(ErrorKind::kUnavailable, "interrupted");
  --slots_;
  return {};
}

Result<std::optional<ActionResult>> LocalExecutor::kept(const Digest& action) {
  const auto text = TRY(store_.state().get(kKept, action.hash.hex()));
  if (!text) return std::optional<ActionResult>();
  const std::string bytes = TRY(from_hex(*text));
  ActionResult result = TRY(action_result_from_wire(bytes), "reading a kept result");
  for (const File& file : result.files)
    if (!store_.has(file.digest.hash)) return std::optional<ActionResult>();
  return std::optional(std::move(result));
}

Result<os::Path> LocalExecutor::stage(const Action& action, const os::Path& folder) {
  const StagedTree staged = TRY(tree(cas_, action.input_root), "reading the input root");
  const os::Path root = folder / "root";
  TRY(os::make_dirs(root));
  for (const TreePath& path : staged.folders) TRY(os::make_dirs(root / path.str()));
  for (const StagedFile& file : staged.files) {
    const os::Path to = root / file.path.str();
    std::error_code failed;
    std::filesystem::copy_file(store_.blob_path(file.digest.hash), to, failed);
    if (failed) return os::system_error(failed.value(), fmt::format("copy input '{}'", file.path.str()));
    if (::chmod(to.c_str(), file.executable ? 0555 : 0444) != 0)
      return os::system_error(errno, fmt::format("set the mode of '{}'", to.string()));
  }
  for (const auto& [path, target] : staged.links)
    if (::symlink(target.c_str(), (root / path.str()).c_str()) != 0)
      return os::system_error(errno, fmt::format("make the link '{}'", path.str()));
  return root;
}

Result<ActionResult> LocalExecutor::run(const Action& action, const Listener& listener, std::stop_token stop) {
  const std::string text = TRY(cas_.get(action.command, kMaxMessage), "reading the command");
  const Command command = TRY(command_from_wire(text), "reading the command");
  if (command.arguments.empty()) return Error::make(ErrorKind::kInvalid, "the command is empty");
  const os::TempDir folder = TRY(os::TempDir::create(store_.work_dir(), "action-"));
  const os::Path root = TRY(stage(action, folder.path()));
  std::vector<os::Path> outputs;
  for (const std::string& path : command.output_paths) {
    outputs.push_back(TRY(beneath(root, path)));
    TRY(os::make_dirs(outputs.back().parent_path()));
  }
  os::Command process;
  process.argv = command.arguments;
  if (process.argv[0].find('/') != std::string::npos) process.argv[0] = (root / process.argv[0]).string();
  process.env = environment_of(command);
  process.working_dir = root;
  process.timeout_seconds = static_cast<double>(action.timeout_seconds);
  ActionResult result;
  process.on_line = [&](std::string_view line) {
    if (listener.on_line) listener.on_line(line);
    result.out += line;
    result.out += '\n';
    if (result.out.size() > 2 * kMaxStream) result.out.erase(0, result.out.size() - kMaxStream);
  };
  const os::Exit exit = TRY(processes_.run(process, stop), "running an action");
  if (exit.timed_out) return Error::make(ErrorKind::kUnavailable, "the engine stopped the action: its time was over");
  result.exit_code = exit.code;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    struct stat status {};
    if (::lstat(outputs[i].c_str(), &status) != 0) continue;  // as the API has it
    if (!S_ISREG(status.st_mode))
      return Error::make(ErrorKind::kInvalid, "the output '{}' is no regular file", command.output_paths[i]);
    const Sha256 hash = TRY(store_.put_file(outputs[i], store::Store::Take::kMove));
    const Digest digest{hash, static_cast<std::uint64_t>(status.st_size)};
    result.files.push_back({command.output_paths[i], digest, (status.st_mode & 0100) != 0});
  }
  return result;
}

Result<Outcome> LocalExecutor::perform(const Job& job, const Listener& listener, std::stop_token stop) {
  const auto stage = [&](Stage now) {
    if (listener.on_stage) listener.on_stage(now);
  };
  if (job.upload) TRY(job.upload());
  const std::string text = TRY(cas_.get(job.action, kMaxMessage), "reading the action");
  const Action action = TRY(action_from_wire(text), "reading the action");
  const Properties ours = platform();
  for (const auto& property : action.platform)
    if (std::find(ours.begin(), ours.end(), property) == ours.end())
      return Error::make(ErrorKind::kInvalid, "the action asks for {}={}, and this machine is not that", property.first,
                         property.second);
  if (job.lookup == Lookup::kCached) {
    std::optional<ActionResult> known = TRY(kept(job.action));
    if (known) return Outcome{*std::move(known), true, 0};
  }
  stage(Stage::kQueued);
  TRY(take_slot(stop));
  stage(Stage::kExecuting);
  auto result = run(action, listener, stop);
  {
    const std::lock_guard lock(mutex_);
    ++slots_;
  }
  freed_.notify_one();
  if (!result) return std::move(result).error();
  if (result->exit_code == 0 && !action.do_not_cache)
    TRY(store_.state().put(kKept, job.action.hash.hex(), to_hex(to_wire(*result))));
  stage(Stage::kCompleted);
  return Outcome{*std::move(result), false, 1};
}

}  // namespace nacre::engine
