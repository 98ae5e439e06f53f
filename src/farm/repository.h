#pragma once

#include "base/env.h"
#include "farm/change.h"
#include "os/file.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::farm {

using os::Path;

/// A commit that a person made, by hand, on a branch of its own or on the main one.
struct Branch {
  std::string name, commit, subject;
};

/// The branch of the farm's own for a change, "farm/7-zlib-1.3.2": a name that git takes, whatever people wrote.
std::string branch_name(const Change& change);
/// The number of the change that such a branch is of; nullopt: it is none of these.
std::optional<std::int64_t> change_of_branch(std::string_view name);

/// The git repository that holds the distribution: definitions, images, pipelines, at its top or in os/. The farm works
/// on branches in work trees of its own; the main branch moves forward only, by compare-and-swap, and no work tree of a
/// person is touched. What git says in an error is in the error's text.
///
/// Callers hold the farm's repository lease: one at a time among all processes of a home.
class Repository {
 public:
  /// `folder`: a bare repository, or one whose work tree is not on `main`. `trees`: where work trees are made. kInvalid
  /// when there is none, when its main branch is checked out, or has no packages/.
  static Result<Repository> open(const Path& folder, const std::string& main, const Path& trees, Env& env);
  /// Makes a bare repository whose first commit holds `content` (a directory), unless it is there.
  static Result<> ensure(const Path& folder, const std::string& main, const Path& content, Env& env);

  const std::string& main() const { return main_; }
  /// Removes what a git that was killed left behind: locks of the farm's branches, others' when they are ten seconds
  /// old, which no git needs, a half written list of packed branches, and records of work trees that lost what they
  /// held.
  void clear_leftovers();
  Result<std::string> head(const std::string& branch);  ///< Its commit. kNotFound without such a branch.
  Result<bool> contains(const std::string& branch, const std::string& commit);  ///< Whether it is an ancestor.
  /// Branches under `prefix` that are not part of main, with their newest commit's first line.
  Result<std::vector<Branch>> unmerged(const std::string& prefix);
  /// Names of all branches under `prefix`.
  Result<std::vector<std::string>> branches(const std::string& prefix);
  Result<std::string> subject(const std::string& commit);
  /// What differs between two commits, sorted: names of definitions (packages/*.yaml and their side directories), and
  /// "" for anything else but the lock of their sources.
  Result<std::vector<std::string>> changed_definitions(const std::string& from, const std::string& to);
  /// Files that differ between two commits and say what may pass: farm.yaml, delta.yaml, keys of people. Sorted.
  Result<std::vector<std::string>> changed_rules(const std::string& from, const std::string& to);

  /// The distribution's directory in a clean work tree of `branch`, which starts at `start` when it is new. The same
  /// call after a crash makes the tree anew.
  Result<Path> check_out(const std::string& branch, const std::string& start);
  /// Commits all that changed in that tree; with `amend` into the branch's own commit. The branch's commit.
  enum class Amend { kNo, kYes };
  Result<std::string> commit(const std::string& branch, const std::string& message, Amend amend);
  /// Puts the branch's commits on top of main as it is now. kConflict when they do not apply; the branch stays then.
  Result<std::string> rebase(const std::string& branch);
  /// Main becomes `commit` if it is still `expected`. kConflict when somebody moved it.
  Result<> advance_main(const std::string& expected, const std::string& commit);
  Result<> remove(const std::string& branch);       ///< Work tree and branch; absent is fine.
  Result<> remove_tree(const std::string& branch);  ///< The work tree alone.
  /// What the branch adds to main, or to a commit, as a diff.
  Result<std::string> diff(const std::string& branch, const std::string& to = {});

 private:
  Repository(Path folder, std::string main, Path trees, Env& env)
      : folder_(std::move(folder)), main_(std::move(main)), trees_(std::move(trees)), env_(env) {}
  Result<std::string> git(std::vector<std::string> words, const Path& in = {});
  Path tree_of(const std::string& branch) const;
  /// Whether no other machine has work trees of it.
  bool is_ours_alone() const;
  std::vector<Path> broken_records() const;
  Path prefix() const { return at_top_ ? Path() : Path("os"); }

  Path folder_, git_dir_;
  std::string main_;
  Path trees_;
  bool at_top_ = true;
  Env& env_;
};

}  // namespace nacre::farm
