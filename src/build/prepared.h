#pragma once

#include "build/build.h"

#include <cstddef>
#include <functional>
#include <string>

namespace nacre::build {

/// What a step of a definition does, as far as its own text tells.
enum class StepRole {
  kSource,   ///< Brings sources: fetch, git-checkout.
  kPrepare,  ///< Changes them: patch, git-am, sed, bumps; scripts that only call programs which edit, move and copy.
  kBuild,    ///< Everything else.
};
StepRole role_of(const definition::Step& step);

/// The source as upstream gives it, and as the first build step finds it. Two directories below the request's `work`.
struct PreparedTrees {
  os::Path pristine, prepared;
  std::string until;  ///< The first build step, "step 3 (a.yaml:20:5)" and its name; empty: there is none.
};

/// Runs the main pipeline's steps before the first build step in the sandbox, as run_build() would, each afresh. After
/// each step that brings sources, what it added, changed or removed is done to `pristine`, too; at the end `prepared`
/// gets what the workspace holds. Neither has `.git` folders, melange-out, and side files that stayed as they were.
/// Errors as of run_build(); the directories stay until the caller removes `work`.
Result<PreparedTrees> prepare_trees(const BuildRequest& request, sandbox::Sandbox& sandbox, Env& env);

/// Internal to the room: runs the first `count` steps (of list_steps) and calls `after` with 0 before the first and n
/// after the n-th. No states between steps are used or kept.
Result<> run_first_steps(const BuildRequest& request, std::size_t count,
                         const std::function<Result<>(std::size_t done, const os::Path& workspace)>& after,
                         sandbox::Sandbox& sandbox, Env& env);

}  // namespace nacre::build
