#include "cli/command.h"

#include "base/text.h"
#include "cli/completion.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace nacre::cli {
namespace {

constexpr std::string_view kVersion = NACRE_VERSION;

/// Headings of the overview, each by the verb that it stands before.
struct Heading {
  std::string_view verb, text;
};
constexpr std::array kHeadings = {Heading{"up", "the distribution"},
                                  Heading{"image build", "images"},
                                  Heading{"index", "repositories"},
                                  Heading{"promote", "serials, evidence, reasons"},
                                  Heading{"watch", "upstream"},
                                  Heading{"farm run", "the factory by itself"},
                                  Heading{"scan", "vulnerabilities"},
                                  Heading{"run", "running and serving"},
                                  Heading{"init", "definitions"},
                                  Heading{"stage0 export", "tools"}};

/// `words` are the first of the call. A word that begins verbs of two words is answered with those.
Error unknown_verb(const std::vector<std::string>& words) {
  if (words[0].starts_with('-'))
    return Error::make(ErrorKind::kInvalid, "expected a command, got the option '{}'", words[0])
        .hint("options stand behind the command: nacre COMMAND " + words[0]);
  std::vector<std::string> names, group;
  for (const Verb& verb : all_verbs()) {
    names.push_back(verb.name);
    if (verb.name.starts_with(words[0] + " ")) group.push_back(verb.name);
  }
  if (group.empty()) {
    std::string hint = nearest_hint(words[0], names);
    return Error::make(ErrorKind::kInvalid, "unknown command '{}'", words[0])
        .hint(hint.empty() ? "`nacre help` lists all commands" : std::move(hint));
  }
  if (words.size() < 2 || words[1].starts_with('-'))
    return Error::make(ErrorKind::kInvalid, "command '{}' is not complete", words[0])
        .hint(fmt::format("there are: {}", join(group, ", ")));
  const std::string given = words[0] + " " + words[1];
  std::string hint = nearest_hint(given, group);
  return Error::make(ErrorKind::kInvalid, "unknown command '{}'", given)
      .hint(hint.empty() ? fmt::format("there are: {}", join(group, ", ")) : std::move(hint));
}

Error unknown_option(const std::string& word, const Verb& verb, const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  std::string hint = nearest_hint(word, names);
  return Error::make(ErrorKind::kInvalid, "`nacre {}` has no option '{}'", verb.name, word)
      .hint(hint.empty() ? fmt::format("see `nacre {} --help`", verb.name) : std::move(hint));
}

/// Digits, and no more than what every reader of the option can reckon with: seconds of so many days, say.
Result<> check_number(const std::string& option, const std::string& value) {
  if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos)
    return Error::make(ErrorKind::kInvalid, "option '{}' needs a number, got '{}'", option, value);
  if (value.size() > 9)
    return Error::make(ErrorKind::kInvalid, "option '{}' needs a number of at most 9 digits, got '{}'", option, value);
  return {};
}

/// Reads one option at `at`; moves `at` past it.
Result<> read_option(const Verb& verb, const std::vector<Option>& options, const std::vector<std::string>& words,
                     std::size_t& at, Arguments& out) {
  std::string name = words[at++];
  const std::size_t equals = name.find('=');
  const bool inline_value = equals != std::string::npos;
  std::string value = inline_value ? name.substr(equals + 1) : std::string();
  name = name.substr(0, equals);
  const auto option = std::find_if(options.begin(), options.end(), [&](const Option& o) { return o.name == name; });
  if (option == options.end()) return unknown_option(name, verb, options);
  if (option->type == OptionType::kFlag) {
    if (inline_value) return Error::make(ErrorKind::kInvalid, "option '{}' takes no value", name);
    out.values[name] = {"true"};
    return {};
  }
  if (!inline_value) {
    if (at >= words.size())
      return Error::make(ErrorKind::kInvalid, "option '{}' needs a value {}", name, option->value_name);
    value = words[at++];
  }
  if (option->type == OptionType::kNumber) TRY(check_number(name, value));
  if (option->type == OptionType::kList)
    out.values[name].push_back(value);
  else
    out.values[name] = {value};
  return {};
}

Result<> place_arguments(const Verb& verb, const std::vector<std::string>& words, Arguments& out) {
  std::size_t at = 0;
  for (const Argument& argument : verb.arguments) {
    if (argument.repeated) {
      for (; at < words.size(); ++at) out.values[argument.name].push_back(words[at]);
    } else if (at < words.size()) {
      out.values[argument.name] = {words[at++]};
    }
    if (argument.required && out.values[argument.name].empty())
      return Error::make(ErrorKind::kInvalid, "`nacre {}` needs {}: {}", verb.name, argument.name, argument.help)
          .hint(fmt::format("see `nacre {} --help`", verb.name));
  }
  if (at < words.size())
    return Error::make(ErrorKind::kInvalid, "`nacre {}` takes no further argument, got '{}'", verb.name, words[at]);
  return {};
}

std::string overview() {
  std::string out =
      "nacre: a minimal, hardened, container-native Linux distribution and the factory that builds it\n\n"
      "usage: nacre COMMAND [OPTION …] [ARGUMENT …]\n";
  for (const Verb& verb : all_verbs()) {
    for (const Heading& heading : kHeadings)
      if (verb.name == heading.verb) out += fmt::format("\n{}\n", heading.text);
    out += fmt::format("  {:<16} {}\n", verb.name, verb.summary);
  }
  return out + "\n`nacre COMMAND --help` says more. Exit codes: 2 invalid input, 3 not found, 4 conflict, "
               "5 unavailable, 6 denied, 70 a bug in nacre.";
}

/// The verbs that begin with this word; empty when there are none.
std::string help_of_group(const std::string& word) {
  std::string out;
  for (const Verb& verb : all_verbs())
    if (verb.name.starts_with(word + " ")) out += fmt::format("  nacre {:<18} {}\n", verb.name, verb.summary);
  return out.empty() ? out : out + fmt::format("\n`nacre {} COMMAND --help` says more.", word);
}

}  // namespace

std::vector<Option> with_common(const Verb& verb) {
  std::vector<Option> out = verb.options;
  out.push_back({"--json", OptionType::kFlag, "", "", "print the answer as JSON", Completion::kNone});
  out.push_back({"--quiet", OptionType::kFlag, "", "", "no progress on stderr", Completion::kNone});
  out.push_back({"--help", OptionType::kFlag, "", "", "show this page", Completion::kNone});
  return out;
}

std::pair<const Verb*, std::size_t> find_verb(const std::vector<std::string>& words) {
  const Verb* found = nullptr;
  std::size_t taken = 0;
  for (const Verb& verb : all_verbs()) {
    if (words.empty() || !verb.name.starts_with(words[0])) continue;
    const std::vector<std::string> parts = split(verb.name, ' ');
    if (parts.size() > words.size() || parts.size() <= taken) continue;
    if (!std::equal(parts.begin(), parts.end(), words.begin())) continue;
    found = &verb;
    taken = parts.size();
  }
  return {found, taken};
}

std::string_view program_version() { return kVersion; }

bool Arguments::flag(const std::string& name) const {
  const auto found = values.find(name);
  return found != values.end() && !found->second.empty();
}

std::string Arguments::text(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> Arguments::list(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

long Arguments::number(const std::string& name) const {
  const std::string value = text(name);
  long out = 0;
  std::from_chars(value.data(), value.data() + value.size(), out);
  return out;
}

void Session::print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::string help_of(const Verb* verb) {
  if (verb == nullptr) return overview();
  std::string out = fmt::format("nacre {}: {}\n\nusage: nacre {} [OPTION …]", verb->name, verb->summary, verb->name);
  for (const Argument& argument : verb->arguments)
    out += fmt::format("{}{}{}{}", argument.required ? " " : " [", argument.name,
                       argument.repeated ? " …" : "", argument.required ? "" : "]");
  out += '\n';
  for (const Argument& argument : verb->arguments) out += fmt::format("  {:<24} {}\n", argument.name, argument.help);
  out += "options:\n";
  for (const Option& option : with_common(*verb)) {
    const std::string left = option.value_name.empty() ? option.name : option.name + " " + option.value_name;
    out += fmt::format("  {:<24} {}", left, option.help);
    if (!option.fallback.empty()) out += fmt::format(" (default: {})", option.fallback);
    out += '\n';
  }
  return out;
}

Result<Call> parse_command_line(const std::vector<std::string>& words) {
  Call call;
  if (words.empty() || words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    const std::vector<std::string> topic(words.empty() ? words.begin() : words.begin() + 1, words.end());
    const Verb* verb = find_verb(topic).first;
    const bool own = topic.empty() || topic[0] == "help" || topic[0] == "version";
    const std::string group = verb == nullptr && topic.size() == 1 ? help_of_group(topic[0]) : std::string();
    if (verb == nullptr && !own && group.empty()) return unknown_verb(topic);
    call.message = group.empty() ? help_of(verb) : group;
    return call;
  }
  if (words[0] == "version" || words[0] == "--version") {
    call.message = fmt::format("nacre {}", kVersion);
    if (words.size() > 1 && words[1] == "--json") {
      call.message = fmt::format(R"({{"version":"{}"}})", kVersion);
    } else if (words.size() > 1) {
      return Error::make(ErrorKind::kInvalid, "`nacre version` takes nothing but --json, got '{}'", words[1]);
    }
    return call;
  }
  const auto [verb, taken] = find_verb(words);
  if (verb == nullptr) return unknown_verb(words);
  const std::vector<Option> options = with_common(*verb);
  std::vector<std::string> plain;
  for (std::size_t at = taken; at < words.size();) {
    const bool mark = words[at] == "--";
    if (mark || (verb->options_first && !plain.empty())) {
      plain.insert(plain.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + (mark ? 1 : 0), words.end());
      break;
    }
    if (words[at].size() > 1 && words[at][0] == '-')
      TRY(read_option(*verb, options, words, at, call.arguments));
    else
      plain.push_back(words[at++]);
  }
  if (call.arguments.flag("--help")) {
    call.message = help_of(verb);
    return call;
  }
  for (const Option& option : options)
    if (!option.fallback.empty()) call.arguments.values.try_emplace(option.name, std::vector{option.fallback});
  TRY(place_arguments(*verb, plain, call.arguments));
  call.verb = verb;
  call.json = call.arguments.flag("--json");
  call.quiet = call.arguments.flag("--quiet");
  return call;
}

}  // namespace nacre::cli
