#include "cli/completion.h"

#include "base/arch.h"
#include "base/text.h"
#include "cli/places.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

std::vector<Candidate> plain(const std::set<std::string>& names) {
  std::vector<Candidate> out;
  for (const std::string& name : names) out.push_back({name, ""});
  return out;
}

std::vector<Candidate> values_of(Completion kind, const Path& os_dir) {
  switch (kind) {
    case Completion::kNone: return {};
    case Completion::kFile: return {{":files", ""}};
    case Completion::kFolder: return {{":folders", ""}};
    case Completion::kPackage: return plain(names_in(os_dir / "packages"));
    case Completion::kImage: return plain(names_in(os_dir / "images"));
    case Completion::kEdition: return {{"stage0", ""}, {"community", ""}, {"production", ""}};
    case Completion::kArch: {
      std::vector<Candidate> out;
      for (const Arch& arch : all_archs()) out.push_back({std::string(arch.apk), ""});
      return out;
    }
  }
  return {};
}

/// First words of all verbs; of those that have second words, these for help.
std::vector<Candidate> first_words() {
  std::vector<Candidate> out = {{"help", "what each command does"}, {"version", "which nacre this is"}};
  std::map<std::string, std::vector<std::string>> groups;
  for (const Verb& verb : all_verbs()) {
    const std::vector<std::string> parts = split(verb.name, ' ');
    if (parts.size() > 1) groups[parts[0]].push_back(parts[1]);
    const auto same = [&](const Candidate& one) { return one.text == parts[0]; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back({parts[0], parts.size() > 1 ? "" : verb.summary});
  }
  for (Candidate& one : out)
    if (const auto group = groups.find(one.text); group != groups.end() && one.help.empty())
      one.help = join(group->second, ", ");
  return out;
}

std::vector<Candidate> second_words(const std::string& first) {
  std::vector<Candidate> out;
  for (const Verb& verb : all_verbs())
    if (verb.name.starts_with(first + " ")) out.push_back({verb.name.substr(first.size() + 1), verb.summary});
  return out;
}

/// The words of a call between its verb and the cursor.
struct Given {
  std::set<std::string> options;
  std::size_t plain = 0;        ///< How many arguments.
  const Option* open = nullptr; ///< Whose value stands at the cursor.
  bool no_more_options = false;
};

Given read_words(const Verb& verb, const std::vector<Option>& options, const std::vector<std::string>& words) {
  Given given;
  for (const std::string& word : words) {
    if (given.open != nullptr) {
      given.open = nullptr;
    } else if (given.no_more_options || word.size() < 2 || word[0] != '-') {
      ++given.plain;
      given.no_more_options = given.no_more_options || verb.options_first;
    } else if (word == "--") {
      given.no_more_options = true;
    } else {
      const std::string name = word.substr(0, word.find('='));
      given.options.insert(name);
      for (const Option& option : options)
        if (option.name == name && option.type != OptionType::kFlag && name == word) given.open = &option;
    }
  }
  return given;
}

std::vector<Candidate> of_verb(const Verb& verb, const std::vector<std::string>& before, const std::string& current,
                               const Path& os_dir) {
  const std::vector<Option> options = with_common(verb);
  const Given given = read_words(verb, options, before);
  if (given.open != nullptr) return values_of(given.open->completion, os_dir);
  std::vector<Candidate> out;
  if (current.starts_with('-') && !given.no_more_options) {
    const std::size_t equals = current.find('=');
    for (const Option& option : options) {
      if (equals != std::string::npos && option.name == current.substr(0, equals)) {
        for (const Candidate& value : values_of(option.completion, os_dir))
          if (!value.text.starts_with(':')) out.push_back({option.name + "=" + value.text, value.help});
      } else if (option.type == OptionType::kList || !given.options.contains(option.name)) {
        out.push_back({option.name, option.help});
      }
    }
    return out;
  }
  if (verb.arguments.empty()) return out;
  const bool beyond = given.plain >= verb.arguments.size();
  const Argument& argument = beyond ? verb.arguments.back() : verb.arguments[given.plain];
  if (beyond && !argument.repeated) return out;
  return values_of(argument.completion, os_dir);
}

constexpr std::string_view kBash = R"(_nacre() {
  local line current=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS=$'\t' read -r line _; do
    case $line in
      :files) compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("${COMP_WORDS[0]}" completion candidates -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _nacre nacre
)";

constexpr std::string_view kZsh = R"(#compdef nacre
_nacre() {
  local line name
  local -a found
  while IFS= read -r line; do
    name=${line%%$'\t'*}
    case $name in
      :files) _files ;;
      :folders) _files -/ ;;
      *) found+=("${name//:/\\:}:${line#*$'\t'}") ;;
    esac
  done < <("${words[1]}" completion candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#found )); then _describe nacre found; fi
}
if [ "$funcstack[1]" = _nacre ]; then _nacre "$@"; else compdef _nacre nacre; fi
)";

constexpr std::string_view kFish = R"(function __nacre_candidates
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -gt 0; or set current ''
  for line in ($words[1] completion candidates -- $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files*'
        __fish_complete_path "$current"
      case ':folders*'
        __fish_complete_directories "$current"
      case '*'
        echo $line
    end
  end
end
complete -c nacre -f -a '(__nacre_candidates)'
)";

}  // namespace

std::vector<Candidate> candidates(const std::vector<std::string>& words, const Path& os_dir) {
  const std::string current = words.empty() ? std::string() : words.back();
  std::vector<std::string> before(words.begin(), words.empty() ? words.end() : words.end() - 1);
  const bool help = !before.empty() && before[0] == "help";
  if (help) before.erase(before.begin());
  const auto [verb, taken] = find_verb(before);
  std::vector<Candidate> found;
  if (before.empty())
    found = first_words();
  else if (before.size() == 1)
    found = second_words(before[0]);
  if (verb != nullptr && !help) {
    const std::vector<std::string> rest(before.begin() + static_cast<std::ptrdiff_t>(taken), before.end());
    for (Candidate& one : of_verb(*verb, rest, current, os_dir)) found.push_back(std::move(one));
  }
  std::erase_if(found, [&](const Candidate& one) {
    return !one.text.starts_with(':') && !one.text.starts_with(current);
  });
  return found;
}

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return Error::make(ErrorKind::kInvalid, "no completion for the shell '{}'", shell).hint("there are: bash, zsh, fish");
}

}  // namespace nacre::cli
