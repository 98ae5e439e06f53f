#include "build/prepared.h"

#include "base/text.h"
#include "build/steps.h"
#include "definition/script.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

namespace nacre::build {
namespace {

using definition::Step;
using os::Path;

/// Programs that edit, move, copy and look. A script of these alone prepares; one that calls anything else builds.
constexpr std::array<std::string_view, 67> kPreparing = {
    "sed",    "gsed",  "perl",  "awk",   "gawk",     "grep",  "egrep",   "fgrep",    "mv",       "cp",
    "rm",     "mkdir", "rmdir", "ln",    "chmod",    "chown", "touch",   "cat",      "tee",      "echo",
    "printf", "find",  "xargs", "patch", "git",      "tar",   "gzip",    "gunzip",   "unzip",    "xz",
    "test",   "[",     "[[",    "cd",    "pushd",    "popd",  "true",    "false",    ":",        "export",
    "set",    "unset", "local", "read",  "return",   "exit",  "for",     "head",     "tail",     "sort",
    "tr",     "cut",   "uniq",  "wc",    "dos2unix", "ed",    "dirname", "basename", "realpath", "readlink",
    "ls",     "diff",  "cmp",   "shopt", "shift",    "break", "continue"};

bool prepares(const std::string& script) {
  if (script.find("melange-out") != std::string::npos) return false;
  const std::vector<definition::ScriptCommand> commands = definition::script_commands(script);
  return !commands.empty() && std::all_of(commands.begin(), commands.end(), [](const auto& command) {
    if (command.words.empty()) return true;  // "> file"
    const std::string_view name = definition::base_name(command.words.front());
    return std::find(kPreparing.begin(), kPreparing.end(), name) != kPreparing.end();
  });
}

/// What tells that a path is as it was.
struct Signature {
  std::uint64_t inode = 0, size = 0;
  std::int64_t mtime = 0;
  unsigned mode = 0;
  std::string link;
  bool operator==(const Signature&) const = default;
};
using State = std::map<std::string, Signature>;

/// Whether a path counts: no history of git's, no output, and files or links alone.
bool counts(const os::TreeEntry& entry) {
  if (entry.type != os::FileType::kRegular && entry.type != os::FileType::kSymlink) return false;
  const std::string& path = entry.path.str();
  return !path.starts_with("melange-out/") && !path.starts_with(".git/") && path.find("/.git/") == std::string::npos &&
         path != ".git" && !path.ends_with("/.git");
}

Result<State> look(const Path& folder) {
  State out;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
  for (const os::TreeEntry& entry : entries)
    if (counts(entry))
      out[entry.path.str()] = {entry.inode, entry.size_bytes, entry.mtime, entry.mode, entry.link_target};
  return out;
}

/// A copy of its own: a step may write into the file in place.
Result<> copy(const Path& from, const Path& to, const Signature& signature) {
  TRY(os::make_dirs(to.parent_path()));
  TRY(os::remove_tree(to));
  if (!signature.link.empty()) {
    if (::symlink(signature.link.c_str(), to.c_str()) != 0)
      return os::system_error(errno, fmt::format("make '{}'", to.string()));
    return {};
  }
  std::error_code failed;
  std::filesystem::copy_file(from, to, failed);
  if (failed) return os::system_error(failed.value(), fmt::format("copy '{}'", from.string()));
  return {};
}

/// Takes the source trees out of a workspace, step by step.
class Trees {
 public:
  Trees(Path pristine, Path prepared) : pristine_(std::move(pristine)), prepared_(std::move(prepared)) {}

  Result<> begin(const Path& workspace) {
    for (const Path& folder : {pristine_, prepared_}) {
      TRY(os::remove_tree(folder));
      TRY(os::make_dirs(folder));
    }
    first_ = last_ = TRY(look(workspace));
    return {};
  }

  /// After a step that brings sources: what it did is upstream's.
  Result<> source(const Path& workspace) {
    State now = TRY(look(workspace));
    for (const auto& [path, signature] : now) {
      const auto before = last_.find(path);
      if (before == last_.end() || before->second != signature)
        TRY(copy(workspace / path, pristine_ / path, signature));
    }
    for (const auto& [path, signature] : last_)
      if (!now.contains(path)) TRY(os::remove_tree(pristine_ / path));
    last_ = std::move(now);
    return {};
  }

  Result<> other(const Path& workspace) {
    last_ = TRY(look(workspace));
    return {};
  }

  Result<> end(const Path& workspace) {
    for (const auto& [path, signature] : last_) {
      const auto before = first_.find(path);
      // A side file as it was is no part of the source, unless a source has a file of that name.
      if (before != first_.end() && before->second == signature && !os::exists(pristine_ / path)) continue;
      TRY(copy(workspace / path, prepared_ / path, signature));
    }
    return {};
  }

 private:
  Path pristine_, prepared_;
  State first_, last_;
};

}  // namespace

StepRole role_of(const Step& step) {
  if (step.uses == "fetch" || step.uses == "git-checkout") return StepRole::kSource;
  if (!step.uses.empty()) {
    const std::string last = step.uses.substr(step.uses.rfind('/') + 1);
    const bool known = step.uses == "patch" || step.uses == "git-am" || step.uses == "sed";
    return known || last.find("bump") != std::string::npos ? StepRole::kPrepare : StepRole::kBuild;
  }
  if (!step.runs.empty() && !prepares(step.runs)) return StepRole::kBuild;
  StepRole out = step.runs.empty() && !step.pipeline.empty() ? StepRole::kSource : StepRole::kPrepare;
  for (const Step& child : step.pipeline) {
    const StepRole role = role_of(child);
    if (role == StepRole::kBuild) return role;
    if (role == StepRole::kPrepare) out = role;
  }
  return out;
}

Result<PreparedTrees> prepare_trees(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env) {
  const definition::Definition& definition = *request.definition;
  PreparedTrees out{request.work / "pristine", request.work / "prepared", {}};
  // How many steps are run by the end of each of the pipeline's own, and what each of these does.
  std::map<std::size_t, StepRole> ends;
  std::size_t count = 0;
  std::vector<Step> steps;
  for (const Step& step : definition.pipeline) {
    steps.push_back(step);
    const StepRole role = step.enabled ? role_of(step) : StepRole::kPrepare;
    if (role == StepRole::kBuild) {
      out.until = fmt::format("step {} (line {}){}", steps.size(), step.place.line,
                              step.uses.empty() ? (step.name.empty() ? "" : " " + step.name) : " uses " + step.uses);
      break;
    }
    StepList list;
    TRY(list_steps(steps, definition.name, list));
    if (list.runs.size() > count) ends[count = list.runs.size()] = role;
  }
  Trees trees(out.pristine, out.prepared);
  const auto after = [&](std::size_t done, const Path& workspace) -> Result<> {
    if (done == 0) TRY(trees.begin(workspace));
    if (const auto end = ends.find(done); end != ends.end()) {
      if (end->second == StepRole::kSource) TRY(trees.source(workspace));
      else TRY(trees.other(workspace));
    }
    if (done == count) TRY(trees.end(workspace));
    return {};
  };
  TRY(run_first_steps(request, count, after, sandbox, env), "preparing the source of '{}'", definition.name);
  return out;
}

}  // namespace nacre::build
