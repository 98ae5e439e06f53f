#include "farm/repository.h"

#include "base/number.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/process.h"

#include <fcntl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <set>

namespace nacre::farm {
namespace {

/// The farm's own name on commits; no hooks, no signing, no questions: nobody is there to answer.
os::Command git_command(const std::vector<std::string>& words, const Path& in) {
  os::Command command;
  command.inherit_env = true;
  command.env = {"GIT_AUTHOR_NAME=nacre farm",
                 "GIT_AUTHOR_EMAIL=farm@nacre.invalid",
                 "GIT_COMMITTER_NAME=nacre farm",
                 "GIT_COMMITTER_EMAIL=farm@nacre.invalid",
                 "GIT_TERMINAL_PROMPT=0",
                 "GIT_EDITOR=true",
                 "LC_ALL=C"};
  command.argv = {"git",       "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false",      "-c",
                  "gc.auto=0", "-c", "core.fsync=committed",     "-c", "advice.detachedHead=false", "-C",
                  in.string()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return command;
}

bool is_full(const Path& folder) {
  constexpr std::uintmax_t kLittle = 256u << 10;
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(folder, failed);
  return !failed && space.available < kLittle;
}

Result<std::string> run_git(const std::vector<std::string>& words, const Path& in, Env& env) {
  const os::Exit exit = TRY(env.processes.run(git_command(words, in), env.stop));
  if (exit.ok()) return std::string(trim(exit.out));
  std::string said(trim(exit.err.empty() ? exit.out : exit.err));
  // A lock that somebody holds, and a full disk, pass. Git does not always say why it could not write.
  const auto has = [&](const char* part) { return said.find(part) != std::string::npos; };
  if (!has("No space left") && is_full(in)) said += fmt::format("\nno space left on the disk of '{}'", in.string());
  const bool passes =
      exit.signal != 0 || has(".lock") || has("packed-refs.new") || has("No space left") || has("no space left");
  return Error::make(passes ? ErrorKind::kUnavailable : ErrorKind::kConflict, "git {} failed: {}", words[0],
                     said.empty() ? fmt::format("exit {}", exit.code) : said);
}

/// A branch's name as a directory's.
std::string flat(std::string name) {
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::string& line : split(text, '\n'))
    if (!line.empty()) out.push_back(std::move(line));
  return out;
}

}  // namespace

std::string branch_name(const Change& change) {
  constexpr std::size_t kLongest = 60;
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 && c > 0; };
  std::string name = change.package.substr(0, kLongest);
  if (!change.to.empty()) name += "-" + change.to;
  // Git takes no "..", no ".lock" and no '.' at the end, and hardly a mark.
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool inside = i > 0 && i + 1 < name.size() && is_word(name[i - 1]) && is_word(name[i + 1]);
    const bool good = is_word(name[i]) || name[i] == '_' || (name[i] == '.' && inside);
    if (!good) name[i] = '-';
  }
  if (name.ends_with(".lock")) name[name.size() - 5] = '-';
  return fmt::format("farm/{}-{}", change.id, name);
}

std::optional<std::int64_t> change_of_branch(std::string_view name) {
  constexpr std::string_view kFarm = "farm/";
  const std::size_t end = name.find('-');
  if (!name.starts_with(kFarm) || end == std::string_view::npos) return std::nullopt;
  return whole_number<std::int64_t>(name.substr(kFarm.size(), end - kFarm.size()));
}

Result<std::string> Repository::git(std::vector<std::string> words, const Path& in) {
  return run_git(words, in.empty() ? folder_ : in, env_);
}

Path Repository::tree_of(const std::string& branch) const { return trees_ / flat(branch); }

Result<Repository> Repository::open(const Path& folder, const std::string& main, const Path& trees, Env& env) {
  Repository out(folder, main, trees, env);
  if (!os::exists(folder))
    return Error::make(ErrorKind::kNotFound, "there is no directory '{}'", folder.string())
        .hint("name a git repository of definitions, or leave --repository out: the farm then makes its own");
  const auto git_dir = out.git({"rev-parse", "--path-format=absolute", "--git-common-dir"});
  if (!git_dir) return Error::make(ErrorKind::kInvalid, "'{}' is no git repository", folder.string());
  out.git_dir_ = *git_dir;
  const auto head = out.git({"rev-parse", "--verify", "--quiet", "refs/heads/" + main + "^{commit}"});
  if (!head)
    return Error::make(ErrorKind::kNotFound, "'{}' has no branch '{}'", folder.string(), main)
        .hint("name the branch that the farm publishes with --branch");
  const std::string bare = TRY(out.git({"rev-parse", "--is-bare-repository"}));
  const auto checked_out = out.git({"symbolic-ref", "--quiet", "--short", "HEAD"});
  if (bare != "true" && checked_out && *checked_out == main)
    return Error::make(ErrorKind::kConflict, "'{}' has its branch '{}' checked out: the farm would move it away below",
                       folder.string(), main)
        .hint(fmt::format("give the farm a bare clone (git clone --bare {} DIR), and push to that", folder.string()));
  out.at_top_ = out.git({"cat-file", "-e", *head + ":packages"}).has_value();
  if (!out.at_top_ && !out.git({"cat-file", "-e", *head + ":os/packages"}))
    return Error::make(ErrorKind::kInvalid, "branch '{}' of '{}' has neither packages/ nor os/packages/", main,
                       folder.string());
  TRY(os::make_dirs(trees));
  return out;
}

Result<> Repository::ensure(const Path& folder, const std::string& main, const Path& content, Env& env) {
  if (os::exists(folder / "HEAD")) return {};
  const Path made = folder.string() + ".new", tree = folder.string() + ".tree";
  TRY(os::remove_tree(made));
  TRY(os::remove_tree(tree));
  TRY(os::make_dirs(made));
  TRY(run_git({"init", "--quiet", "--bare", "--initial-branch=" + main, "."}, made, env));
  // The content is read where it stands; its own .git, if any, is not part of it.
  const std::vector<std::string> here = {"--git-dir=" + made.string(), "--work-tree=" + content.string()};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), here.begin(), here.end());
    return words;
  };
  TRY(run_git(with({"add", "--all", "--force", "."}), content, env));
  TRY(run_git(with({"commit", "--quiet", "--message", "definitions as they were when the farm began"}), content, env));
  std::error_code ignored;
  std::filesystem::remove(made / "index", ignored);
  return os::rename(made, folder);
}

Result<std::string> Repository::head(const std::string& branch) {
  auto commit = git({"rev-parse", "--verify", "--quiet", "refs/heads/" + branch + "^{commit}"});
  if (!commit) return Error::make(ErrorKind::kNotFound, "there is no branch '{}'", branch);
  return commit;
}

Result<bool> Repository::contains(const std::string& branch, const std::string& commit) {
  const os::Exit exit = TRY(env_.processes.run(
      git_command({"merge-base", "--is-ancestor", commit, "refs/heads/" + branch}, folder_), env_.stop));
  return exit.ok();
}

Result<std::vector<Branch>> Repository::unmerged(const std::string& prefix) {
  const std::string text =
      TRY(git({"for-each-ref", "--no-merged=refs/heads/" + main_,
               "--format=%(refname:lstrip=2)%09%(objectname)%09%(contents:subject)", "refs/heads/" + prefix}));
  std::vector<Branch> out;
  for (const std::string& line : lines_of(text)) {
    const std::vector<std::string> parts = split(line, '\t');
    if (parts.size() >= 2) out.push_back({parts[0], parts[1], parts.size() > 2 ? parts[2] : ""});
  }
  return out;
}

Result<std::vector<std::string>> Repository::branches(const std::string& prefix) {
  const std::string text = TRY(git({"for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/" + prefix}));
  return lines_of(text);
}

Result<std::string> Repository::subject(const std::string& commit) { return git({"log", "-1", "--format=%s", commit}); }

Result<std::vector<std::string>> Repository::changed_definitions(const std::string& from, const std::string& to) {
  const Path packages = prefix() / "packages";
  const std::string text = TRY(git({"diff", "--name-only", "--no-renames", from, to}));
  std::set<std::string> names;
  for (const std::string& line : lines_of(text)) {
    if (Path(line) == prefix() / "sources.lock") continue;
    const Path inside = Path(line).lexically_relative(packages);
    const Path first = inside.empty() ? Path("..") : *inside.begin();
    if (first == "..") names.insert("");
    else names.insert(first.extension() == ".yaml" ? first.stem().string() : first.string());
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> Repository::changed_rules(const std::string& from, const std::string& to) {
  std::vector<std::string> arguments = {"diff", "--name-only", "--no-renames", from, to, "--"};
  for (const char* name : {"farm.yaml", "delta.yaml", "keys/people"})
    arguments.push_back((prefix() / name).string());
  const std::string text = TRY(git(arguments));
  return lines_of(text);
}

Result<Path> Repository::check_out(const std::string& branch, const std::string& start) {
  const Path tree = tree_of(branch);
  const auto commit = head(branch);
  if (commit && os::exists(tree)) {
    const auto at = git({"rev-parse", "HEAD"}, tree);
    const auto dirty = git({"status", "--porcelain"}, tree);
    if (at && *at == *commit && dirty && dirty->empty()) return tree / prefix();
  }
  TRY(remove_tree(branch));
  if (commit) TRY(git({"worktree", "add", "--quiet", "--force", tree.string(), branch}));
  else TRY(git({"worktree", "add", "--quiet", "--force", "-b", branch, tree.string(), start}));
  return tree / prefix();
}

Result<std::string> Repository::commit(const std::string& branch, const std::string& message, Amend amend) {
  const Path tree = tree_of(branch);
  TRY(git({"add", "--all", "."}, tree));
  const std::string dirty = TRY(git({"status", "--porcelain"}, tree));
  if (!dirty.empty()) {
    std::vector<std::string> words = {"commit", "--quiet"};
    if (amend == Amend::kYes) {
      words.insert(words.end(), {"--amend", "--no-edit"});
    } else {
      words.insert(words.end(), {"--message", message});
    }
    TRY(git(words, tree));
  }
  return git({"rev-parse", "HEAD"}, tree);
}

Result<std::string> Repository::rebase(const std::string& branch) {
  const Path tree = tree_of(branch);
  const auto done = git({"rebase", "--quiet", "refs/heads/" + main_}, tree);
  if (!done) {
    (void)git({"rebase", "--abort"}, tree);
    return Error::make(ErrorKind::kConflict, "branch '{}' does not apply on '{}' as it is now: {}", branch, main_,
                       done.error().render())
        .hint("change the branch by hand, or cancel this change and let the farm propose it anew");
  }
  return git({"rev-parse", "HEAD"}, tree);
}

Result<> Repository::advance_main(const std::string& expected, const std::string& commit) {
  const auto moved = git({"update-ref", "-m", "farm: merge", "refs/heads/" + main_, commit, expected});
  if (moved) return {};
  return Error::make(ErrorKind::kConflict, "branch '{}' moved meanwhile: {}", main_, moved.error().render());
}

void Repository::clear_leftovers() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto farms = git_dir_ / "refs/heads/farm";
  for (auto entry = fs::recursive_directory_iterator(farms, ignored); entry != fs::recursive_directory_iterator();
       entry.increment(ignored)) {
    if (ignored) break;
    if (entry->path().extension() == ".lock") fs::remove(entry->path(), ignored);
  }
  constexpr std::chrono::seconds kNoGitNeeds{10};
  for (const std::string& name : {std::string("packed-refs.lock"), std::string("config.lock"), std::string("HEAD.lock"),
                                  "refs/heads/" + main_ + ".lock"}) {
    const auto since = fs::last_write_time(git_dir_ / name, ignored);
    if (!ignored && fs::file_time_type::clock::now() - since > kNoGitNeeds) fs::remove(git_dir_ / name, ignored);
  }
  // Git refuses to make a work tree while the record of any other is broken, as a loss of power leaves it.
  for (const Path& record : broken_records()) (void)os::remove_tree(record);
  // Git writes packed-refs.new while it holds packed-refs.lock, and no git writes it any more once one is left over.
  // With the lock in our hand, what is there is nobody's.
  const Path rest = git_dir_ / "packed-refs.new", lock = git_dir_ / "packed-refs.lock";
  if (!fs::exists(rest, ignored)) return;
  const os::Fd held(::open(lock.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!held) return;
  fs::remove(rest, ignored);
  fs::remove(lock, ignored);
}

bool Repository::is_ours_alone() const { return folder_.parent_path() == trees_.parent_path(); }

std::vector<Path> Repository::broken_records() const {
  std::vector<Path> out;
  std::error_code ignored;
  if (!is_ours_alone()) return out;  // Another machine's may be in the making.
  for (const auto& entry : std::filesystem::directory_iterator(git_dir_ / "worktrees", ignored)) {
    for (const char* name : {"HEAD", "commondir", "gitdir"}) {
      const auto text = os::read_file(entry.path() / name);
      if (text && !trim(*text).empty()) continue;
      out.push_back(entry.path());
      break;
    }
  }
  return out;
}

Result<> Repository::remove_tree(const std::string& branch) {
  const Path tree = tree_of(branch);
  TRY(os::remove_tree(tree));
  // A `git worktree add` that was killed leaves its record locked, and prune would keep it.
  std::error_code ignored;
  std::vector<Path> records;
  for (const auto& entry : std::filesystem::directory_iterator(git_dir_ / "worktrees", ignored)) {
    const auto place = os::read_file(entry.path() / "gitdir");
    const bool ours = place && !place->empty() ? Path(trim(*place)) == tree / ".git"
                                               : entry.path().filename().string().starts_with(flat(branch));
    if (ours) records.push_back(entry.path());
  }
  for (const Path& record : records) TRY(os::remove_tree(record));
  // A repository that is not this farm's alone has work trees of other machines, whose places are not here to see.
  if (is_ours_alone()) TRY(git({"worktree", "prune"}));
  return {};
}

Result<> Repository::remove(const std::string& branch) {
  TRY(remove_tree(branch));
  // `git branch` refuses where another control plane that died has it checked out.
  if (head(branch)) TRY(git({"update-ref", "-d", "refs/heads/" + branch}));
  return {};
}

Result<std::string> Repository::diff(const std::string& branch, const std::string& to) {
  return git({"diff", (to.empty() ? "refs/heads/" + main_ : to) + "...refs/heads/" + branch});
}

}  // namespace nacre::farm
