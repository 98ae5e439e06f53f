#include "base/text.h"
#include "cli/melange.h"

#include <algorithm>

namespace nacre::cli {
namespace {

const MelangeFlag kHelpFlag = {"--help", 'h', MelangeFlag::kSwitch, "", "show this page", ""};
const MelangeFlag kLogLevelFlag = {
    "--log-level", 0, MelangeFlag::kText, "INFO", "debug, info, warn or error: warn and error show warnings alone", ""};

std::vector<MelangeFlag> all_flags(const MelangeCommand& command, const ToolName& tool) {
  std::vector<MelangeFlag> out = command.flags;
  out.insert(out.end(), tool.globals.begin(), tool.globals.end());
  out.push_back(kHelpFlag);
  out.push_back(kLogLevelFlag);
  return out;
}

/// `command`: with the tool's name.
Error unknown_flag(const std::string& word, const std::string& command, const std::vector<MelangeFlag>& flags) {
  std::vector<std::string> names;
  for (const MelangeFlag& flag : flags) names.push_back(flag.name);
  std::string hint = nearest_hint(word, names);
  return Error::make(ErrorKind::kInvalid, "`{}` has no flag '{}'", command, word)
      .hint(hint.empty() ? fmt::format("see `{} --help`", command) : std::move(hint));
}

Result<std::string> switch_value(const std::string& name, const std::string& text) {
  for (const char* yes : {"true", "1", "t", "T", "TRUE", "True"})
    if (text == yes) return std::string("true");
  for (const char* no : {"false", "0", "f", "F", "FALSE", "False"})
    if (text == no) return std::string();
  return Error::make(ErrorKind::kInvalid, "flag '{}' is true or false, got '{}'", name, text);
}

/// Reads one word that begins with '-', and its value. `at` moves past them.
Result<> read_flag(const std::vector<std::string>& words, std::size_t& at, const std::string& command,
                   const std::vector<MelangeFlag>& flags, MelangeArguments& out) {
  const std::string word = words[at++];
  std::string name = word, value;
  bool inline_value = false;
  const MelangeFlag* flag = nullptr;
  if (word.starts_with("--")) {
    const std::size_t equals = word.find('=');
    inline_value = equals != std::string::npos;
    name = word.substr(0, equals);
    if (inline_value) value = word.substr(equals + 1);
    for (const MelangeFlag& known : flags)
      if (known.name == name) flag = &known;
  } else {
    name = word.substr(0, 2);
    for (const MelangeFlag& known : flags)
      if (known.letter == word[1]) flag = &known;
    inline_value = word.size() > 2;
    if (inline_value) value = word.substr(word[2] == '=' ? 3 : 2);
  }
  if (flag == nullptr) return unknown_flag(name, command, flags);
  if (std::find(out.given.begin(), out.given.end(), flag->name) == out.given.end()) out.given.push_back(flag->name);
  if (flag->type == MelangeFlag::kSwitch) {
    const std::string on = TRY(switch_value(flag->name, inline_value ? value : "true"));
    out.values[flag->name] = on.empty() ? std::vector<std::string>() : std::vector{on};
    return {};
  }
  if (!inline_value) {
    if (at >= words.size()) return Error::make(ErrorKind::kInvalid, "flag '{}' needs a value", flag->name);
    value = words[at++];
  }
  if (flag->type == MelangeFlag::kText) {
    out.values[flag->name] = {value};
    return {};
  }
  std::vector<std::string>& list = out.values[flag->name];
  if (!value.empty())
    for (std::string& part : split(value, ',')) list.push_back(std::move(part));
  return {};
}

std::string overview(const std::vector<MelangeCommand>& commands, const ToolName& tool) {
  std::string out = fmt::format(
      "{0}: {1}, answered by nacre\n\n"
      "usage: {0} [--log-level LEVEL] COMMAND [FLAG …] [ARGUMENT …]\n\ncommands:\n",
      tool.name, tool.about);
  for (const MelangeCommand& command : commands) out += fmt::format("  {:<16} {}\n", command.name, command.summary);
  return out + fmt::format("\n`{0} COMMAND --help` says more; docs/{0}.md says what differs.", tool.name);
}

const MelangeCommand* find_command(const std::string& name, const std::vector<MelangeCommand>& commands) {
  for (const MelangeCommand& command : commands)
    if (command.name == name) return &command;
  return nullptr;
}

Error unknown_command(const std::string& name, const std::vector<MelangeCommand>& commands, const ToolName& tool) {
  Error error = Error::make(ErrorKind::kInvalid, "unknown command '{} {}'", tool.name, name);
  if (const auto absent = tool.absent.find(name); absent != tool.absent.end())
    return std::move(error).hint(absent->second);
  std::vector<std::string> names;
  for (const MelangeCommand& command : commands) names.push_back(command.name);
  std::string hint = nearest_hint(name, names);
  return std::move(error).hint(hint.empty() ? fmt::format("`{} help` lists all commands", tool.name)
                                            : std::move(hint));
}

std::string flag_list(const MelangeCommand& command, const ToolName& tool) {
  std::vector<std::string> names;
  for (const MelangeFlag& flag : all_flags(command, tool)) names.push_back(flag.name);
  return join(names, " ");
}

}  // namespace

bool MelangeArguments::on(const std::string& name) const { return !text(name).empty(); }

bool MelangeArguments::has(const std::string& name) const {
  return std::find(given.begin(), given.end(), name) != given.end();
}

std::string MelangeArguments::text(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> MelangeArguments::list(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

const ToolName& melange_tool() {
  static const ToolName kTool = {
      .absent = {{"initramfs", "there is no virtual machine to make one for: builds run in nacre's own sandbox"},
                 {"source", "`nacre build` keeps the workspace of a build that failed: `nacre shell --failed`"},
                 {"rebuild", "`nacre promote` builds everything a second time and compares byte for byte"}}};
  return kTool;
}

Result<MelangeCall> parse_melange(const std::vector<std::string>& words, const std::vector<MelangeCommand>& commands,
                                  const ToolName& tool) {
  MelangeCall call;
  std::vector<MelangeFlag> globals = tool.globals;
  globals.push_back(kLogLevelFlag);
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-') && words[at] != "-h" && words[at] != "--help")
    TRY(read_flag(words, at, tool.name, globals, call.arguments));
  if (at == words.size() || words[at] == "-h" || words[at] == "--help" ||
      (words[at] == "help" && at + 1 == words.size())) {
    call.message = melange_help(nullptr, commands, tool);
    return call;
  }
  const bool help = words[at] == "help";
  const std::string& name = words[at + (help ? 1 : 0)];
  const MelangeCommand* command = find_command(name, commands);
  if (command == nullptr) return unknown_command(name, commands, tool);
  const std::vector<MelangeFlag> flags = all_flags(*command, tool);
  for (++at; at < words.size();) {
    if (words[at] == "--") {
      call.arguments.words.insert(call.arguments.words.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                  words.end());
      break;
    }
    if (words[at].size() > 1 && words[at][0] == '-')
      TRY(read_flag(words, at, tool.name + " " + command->name, flags, call.arguments));
    else
      call.arguments.words.push_back(words[at++]);
  }
  if (help || call.arguments.on("--help")) {
    call.message = melange_help(command, commands, tool);
    return call;
  }
  for (const MelangeFlag& flag : flags) {
    if (flag.fallback.empty()) continue;
    const bool list = flag.type == MelangeFlag::kList;
    call.arguments.values.try_emplace(flag.name, list ? split(flag.fallback, ',') : std::vector{flag.fallback});
  }
  const std::size_t count = call.arguments.words.size();
  if (count < command->min_words || count > command->max_words)
    return Error::make(ErrorKind::kInvalid, "usage: {} {} [FLAG …] {}", tool.name, command->name,
                       command->usage)
        .hint(fmt::format("see `{} {} --help`", tool.name, command->name));
  call.log_level = call.arguments.text("--log-level");
  call.command = command;
  return call;
}

std::string melange_help(const MelangeCommand* command, const std::vector<MelangeCommand>& commands,
                         const ToolName& tool) {
  if (command == nullptr) return overview(commands, tool);
  std::string out = fmt::format("{0} {1}: {2}\n\nusage: {0} {1} [FLAG …] {3}\n\nflags:\n", tool.name, command->name,
                                command->summary, command->usage);
  for (const MelangeFlag& flag : all_flags(*command, tool)) {
    const std::string letter = flag.letter != 0 ? fmt::format("-{}, ", flag.letter) : "    ";
    const std::string value = flag.type == MelangeFlag::kSwitch ? "" : flag.type == MelangeFlag::kList ? " A,B" : " X";
    out += fmt::format("  {}{:<28} {}", letter, flag.name + value, flag.help);
    if (!flag.fallback.empty()) out += fmt::format(" (default: {})", flag.fallback);
    if (!flag.no_effect.empty()) out += fmt::format("; no effect here: {}", flag.no_effect);
    out += '\n';
  }
  out.pop_back();
  return out;
}

Result<std::string> melange_completion(const std::string& shell, const std::vector<MelangeCommand>& commands,
                                       const ToolName& tool) {
  std::vector<std::string> names;
  for (const MelangeCommand& command : commands) names.push_back(command.name);
  std::string out;
  if (shell == "bash" || shell == "zsh") {
    if (shell == "zsh") out += "#compdef " + tool.name + "\nautoload -U +X bashcompinit && bashcompinit\n";
    out += "_" + tool.name + "() {\n  local word=${COMP_WORDS[COMP_CWORD]}\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n";
    out += fmt::format("    COMPREPLY=($(compgen -W '{}' -- \"$word\")); return\n  fi\n", join(names, " "));
    out +=
        "  case \"$word\" in -*) ;; *) COMPREPLY=($(compgen -f -- \"$word\")); return ;; esac\n"
        "  case \"${COMP_WORDS[1]}\" in\n";
    for (const MelangeCommand& command : commands)
      out += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")) ;;\n", command.name,
                         flag_list(command, tool));
    return out + fmt::format("  esac\n}}\ncomplete -o filenames -F _{0} {0}\n", tool.name);
  }
  if (shell == "fish") {
    for (const MelangeCommand& command : commands) {
      out += fmt::format("complete -c {} -n __fish_use_subcommand -f -a {} -d {}\n", tool.name, command.name,
                         shell_quote(command.summary));
      for (const MelangeFlag& flag : all_flags(command, tool))
        out += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n", tool.name,
                           command.name, flag.name.substr(2),
                           flag.letter != 0 ? fmt::format(" -s {}", flag.letter) : "",
                           shell_quote(flag.help));
    }
    return out;
  }
  if (shell == "powershell") {
    out =
        "Register-ArgumentCompleter -Native -CommandName " + tool.name + " -ScriptBlock {\n"
        "  param($word, $ast, $position)\n  $flags = @{\n";
    for (const MelangeCommand& command : commands)
      out += fmt::format("    '{}' = '{}'\n", command.name, flag_list(command, tool));
    return out +
           "  }\n  $words = $ast.CommandElements\n"
           "  $given = if ($words.Count -gt 1) { [string]$words[1] } else { '' }\n"
           "  $list = if ($flags.ContainsKey($given)) { $flags[$given] -split ' ' } else { $flags.Keys }\n"
           "  $list | Where-Object { $_ -like \"$word*\" } | ForEach-Object {\n"
           "    [System.Management.Automation.CompletionResult]::new($_) }\n}\n";
  }
  return Error::make(ErrorKind::kInvalid, "no completion for the shell '{}'", shell)
      .hint("there are: bash, zsh, fish, powershell");
}

}  // namespace nacre::cli
