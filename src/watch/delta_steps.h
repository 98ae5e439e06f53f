#pragma once

#include "definition/script.h"
#include "watch/delta.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Internal to the room: what single steps and commands say.
namespace nacre::watch {

/// An input of a step after compiling; empty when it has none of that name.
std::string input_of(const definition::Step& step, std::string_view name);

/// The folder that a step runs in, below the workspace ("" is the workspace): its own, else the one handed down.
std::string folder_of(const definition::Step& step, const std::string& handed_down);

/// `path` as seen from `folder`, below the workspace: "../x" in "src" is "x". Empty for what lies outside.
std::string workspace_path(const std::string& folder, std::string_view path);
/// Without "../", "./" and the workspace at its beginning, for where the folder is not known.
std::string without_dots(std::string_view path);
/// Whether a text names what was built, or places outside of the workspace.
bool is_output(std::string_view text);

/// "x.patch", "x.diff"
bool is_patch_name(std::string_view file);

/// A patch that a step names.
struct PatchName {
  std::string written;                 ///< As the step, or the series, has it.
  std::string path;                    ///< Below the workspace, where side files begin.
  std::string series;                  ///< The side file that lists it; empty: the step does.
  std::optional<std::size_t> strip{};  ///< -pN behind it in a series.
};
/// Of a `patch` or `git-am` step, in the order in which they apply; a series is read where it is a side file.
Result<std::vector<PatchName>> patches_of(const definition::Step& step, const std::string& folder,
                                          const os::Path& side_dir);

/// One line of `cherry-picks`: "[BRANCH/]COMMIT: why # remark".
struct PickLine {
  std::string commit, branch, why;
};
std::vector<PickLine> picks_of(std::string_view text);

/// What a command edits; nothing when it edits no file in place.
std::optional<Edit> edit_of(const definition::ScriptCommand& command);

/// The tool behind "autoconf/configure", "cmake/configure", "meson/configure"; behind a program's name.
std::optional<Switch::Tool> tool_of(std::string_view uses);
std::optional<Switch::Tool> tool_of_command(std::string_view name);
/// Adds the words that are switches of upstream's build.
void add_switches(Switch::Tool tool, const std::vector<std::string>& words, const Place& place,
                  std::vector<Switch>& out);

}  // namespace nacre::watch
