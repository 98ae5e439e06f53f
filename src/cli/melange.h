#pragma once

#include "cli/command.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

// `melange` by name: the reference tool's commands with their flags, over nacre's rooms (docs/melange.md).
namespace nacre::cli {

/// One flag of a command, as the reference spells it: "--arch x", "--arch=x", "-k x", lists parted by commas.
struct MelangeFlag {
  enum Type { kSwitch, kText, kList };
  std::string name;  ///< "--arch"
  char letter = 0;   ///< 'k' for "-k"; 0: none.
  Type type = kText;
  std::string fallback;  ///< Default, as text; of switches "true" or empty.
  std::string help;
  /// Why it changes nothing here; said in a note when somebody gives it. Empty for flags that work.
  std::string no_effect;
};

/// The words of one call.
struct MelangeArguments {
  std::map<std::string, std::vector<std::string>> values;  ///< Flags given, and defaults.
  std::vector<std::string> given;                          ///< Names of the flags that were given.
  std::vector<std::string> words;

  bool on(const std::string& name) const;
  bool has(const std::string& name) const;  ///< Given by the user.
  std::string text(const std::string& name) const;
  std::vector<std::string> list(const std::string& name) const;
};

struct MelangeCommand {
  std::string name, summary, usage;  ///< usage: "[CONFIG]"
  std::vector<MelangeFlag> flags;
  std::size_t min_words = 0, max_words = 0;
  /// One of both: with the store and all that works on it, or alone.
  std::function<Result<int>(const MelangeArguments&, Session&)> run;
  std::function<Result<int>(const MelangeArguments&)> run_alone;
};

/// All of them, in the order of the help page.
const std::vector<MelangeCommand>& melange_commands();

/// Whose command line is answered.
struct ToolName {
  std::string name = "melange", about = "package definitions into APK packages";
  std::vector<MelangeFlag> globals;                 ///< Before the command or among its flags, beside --log-level.
  std::map<std::string, std::string> absent;        ///< Commands of the reference that are not there, and why.
};

/// What to do with a command line; `command` nullptr: print `message`.
struct MelangeCall {
  const MelangeCommand* command = nullptr;
  MelangeArguments arguments;
  std::string message, log_level = "INFO";
};

const ToolName& melange_tool();

/// Words after the tool's name. kInvalid with a near name for an unknown command or flag.
Result<MelangeCall> parse_melange(const std::vector<std::string>& words, const std::vector<MelangeCommand>& commands,
                                  const ToolName& tool = melange_tool());
/// Help of one command, or the overview.
std::string melange_help(const MelangeCommand* command, const std::vector<MelangeCommand>& commands,
                         const ToolName& tool = melange_tool());
/// A completion script; shell is bash, zsh, fish or powershell.
Result<std::string> melange_completion(const std::string& shell, const std::vector<MelangeCommand>& commands,
                                       const ToolName& tool = melange_tool());

/// The verb that answers a tool's command line; both outlive it.
Verb tool_verb(const ToolName& tool, const std::vector<MelangeCommand>& commands);

// One function for each command (or pair); each lives in melange_NAME.cc.
MelangeCommand melange_build();
MelangeCommand melange_test();
MelangeCommand melange_compile();
MelangeCommand melange_index();
MelangeCommand melange_sign();
MelangeCommand melange_sign_index();
MelangeCommand melange_keygen();
MelangeCommand melange_bump();
MelangeCommand melange_lint();
MelangeCommand melange_query();
MelangeCommand melange_package_version();
MelangeCommand melange_license_check();
MelangeCommand melange_scan();
MelangeCommand melange_update_cache();
MelangeCommand melange_completion_command();
MelangeCommand melange_version();

/// Linters of the reference's two lists, parted by commas.
extern const std::string kLintRequired, kLintWarned;

}  // namespace nacre::cli
