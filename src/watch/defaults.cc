#include "watch/defaults.h"

#include "base/text.h"
#include "watch/delta_steps.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

namespace nacre::watch {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

/// yes, no, auto, or the text itself.
std::string plain_value(std::string_view text) {
  const std::string low = lower(text);
  for (const char* word : {"yes", "on", "true", "enabled", "enable", "1", "y"})
    if (low == word) return "yes";
  for (const char* word : {"no", "off", "false", "disabled", "disable", "0", "n", "none"})
    if (low == word) return "no";
  for (const char* word : {"auto", "check", "maybe", "autodetect", "autodetected", "detect", "try"})
    if (low == word) return "auto";
  return std::string(text);
}

/// "--without-x" -> "with-x", no. Nothing for other switches.
struct Given {
  std::string key, value;
};
std::optional<Given> read_switch(std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string value = equals == std::string_view::npos ? "yes" : plain_value(word.substr(equals + 1));
  for (const char* kind : {"enable", "with"}) {
    const std::string off = std::string(kind) == "enable" ? "--disable-" : "--without-";
    if (name.starts_with(off)) return Given{fmt::format("{}-{}", kind, name.substr(off.size())), "no"};
    const std::string on = fmt::format("--{}-", kind);
    if (name.starts_with(on)) return Given{fmt::format("{}-{}", kind, name.substr(on.size())), value};
  }
  return std::nullopt;
}

/// One entry of a help text.
struct Help {
  std::string word, about;
};

/// What the text says of its default; empty: nothing.
std::string said_default(const std::string& about) {
  static const re2::RE2 kAfter(R"((?i)\bdefaults?(?:\s+(?:is|are|to|value)|\s*[=:])*\s*[=:`'"]?\s*([a-z0-9_./+-]+))");
  static const re2::RE2 kBefore(R"((?i)\b(enabled?|disabled?|on|off|yes|no|auto)\s+by\s+default)");
  std::string word;
  if (re2::RE2::PartialMatch(about, kBefore, &word)) return plain_value(word);
  if (!re2::RE2::PartialMatch(about, kAfter, &word)) return {};
  const std::string value = plain_value(word);
  return value;
}

std::vector<Help> help_entries(std::string_view text) {
  std::vector<Help> out;
  bool open = false;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view bare = std::string_view(line).substr(indent);
    if (indent >= 1 && indent <= 4 && bare.starts_with("--")) {
      const std::size_t end = std::min(bare.find_first_of(" \t"), bare.size());
      out.push_back({std::string(bare.substr(0, end)), std::string(trim(bare.substr(end)))});
      open = true;
    } else if (open && indent > 8 && !bare.empty()) {
      out.back().about += " " + std::string(trim(bare));
    } else {
      open = false;
    }
  }
  return out;
}

void add_autoconf(std::string_view text, Defaults& out) {
  std::map<std::string, std::vector<std::pair<std::string, Help>>> entries;
  for (const Help& help : help_entries(text)) {
    std::string word = help.word.substr(0, help.word.find_first_of("[="));
    const auto given = read_switch(word);
    if (given) entries[given->key].emplace_back(given->value, help);
  }
  for (const auto& [key, list] : entries) {
    if (out.autoconf.contains(key)) continue;
    std::string value;
    for (const auto& [changes_to, help] : list)
      if (value.empty()) value = said_default(help.about);
    // Told by what the switch would change. Where both forms stand, the text does not tell.
    if (value.empty() && list.size() == 1) {
      const auto& [changes_to, help] = list.front();
      const std::string about = lower(help.about);
      if (changes_to == "no") value = "yes";
      else if (key.starts_with("enable-") || about.starts_with("enable ") || about.starts_with("build ")) value = "no";
    }
    if (!value.empty() && value.find('$') == std::string::npos) out.autoconf.emplace(key, value);
  }
}

std::string without_quotes(std::string text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

void add_cmake(std::string_view text, Defaults& out) {
  static const re2::RE2 kOption(
      R"re((?im)^[ \t]*(option|cmake_dependent_option)\s*\(\s*([A-Za-z0-9_]+))re"
      R"re(\s+("(?:[^"\\]|\\.)*"|[^\s()]+)\s*("[^"]*"|[^\s()]*))re");
  static const re2::RE2 kSet(R"re((?im)^[ \t]*set\s*\(\s*([A-Za-z0-9_]+)\s+("[^"]*"|[^\s()]+)\s+CACHE\s+)re");
  const auto add = [&](const std::string& name, std::string value) {
    value = without_quotes(std::move(value));
    if (value.find('$') == std::string::npos) out.cmake.emplace(name, value);
  };
  std::string kind, name, about, value;
  re2::StringPiece rest(text.data(), text.size());
  while (re2::RE2::FindAndConsume(&rest, kOption, &kind, &name, &about, &value))
    add(name, value.empty() ? "OFF" : value);
  rest = re2::StringPiece(text.data(), text.size());
  while (re2::RE2::FindAndConsume(&rest, kSet, &name, &value)) add(name, value);
}

/// "option('name', type : 'boolean', value : true, …)": name and value; a choice without a value is its first.
void add_meson(std::string_view text, Defaults& out) {
  static const re2::RE2 kOption(R"re((?m)^[ \t]*option\s*\(\s*'([^']+)'\s*,)re");
  static const re2::RE2 kType(R"(\btype\s*:\s*'([a-z]+)')");
  static const re2::RE2 kValue(R"(\bvalue\s*:\s*('[^']*'|[A-Za-z0-9_-]+))");
  static const re2::RE2 kFirst(R"(\bchoices\s*:\s*\[\s*'([^']*)')");
  re2::StringPiece rest(text.data(), text.size());
  std::string name;
  while (re2::RE2::FindAndConsume(&rest, kOption, &name)) {
    // To the parenthesis that closes it; texts may hold some.
    std::size_t end = 0;
    bool quoted = false;
    for (int depth = 1; end < rest.size() && depth > 0; ++end) {
      const char c = rest[end];
      if (c == '\'') quoted = !quoted;
      if (quoted) continue;
      if (c == '(') ++depth;
      if (c == ')') --depth;
    }
    const re2::StringPiece body(rest.data(), end);
    std::string type, value;
    (void)re2::RE2::PartialMatch(body, kType, &type);
    if (re2::RE2::PartialMatch(body, kValue, &value)) value = without_quotes(value);
    else if (type == "boolean") value = "true";
    else if (type == "feature") value = "auto";
    else if (type == "combo") (void)re2::RE2::PartialMatch(body, kFirst, &value);
    else if (type != "string") continue;
    out.meson.emplace(name, value);
  }
}

/// What CMake and Meson themselves do when a project says nothing.
const std::map<std::string, std::string, std::less<>> kMesonOwn = {
    {"buildtype", "debug"},    {"default_library", "shared"},
    {"auto_features", "auto"}, {"b_lto", "false"},
    {"b_ndebug", "false"},     {"b_pie", "false"},
    {"strip", "false"},        {"unity", "off"},
    {"warning_level", "1"},    {"werror", "false"},
    {"wrap_mode", "default"},  {"b_staticpic", "true"},
    {"b_asneeded", "true"},    {"b_lundef", "true"}};

bool is_place(Switch::Tool tool, std::string_view name) {
  if (tool == Switch::Tool::kCMake)
    return name.starts_with("CMAKE_INSTALL_") || name == "CMAKE_PREFIX_PATH" || name.ends_with("_DIR") ||
           name.ends_with("_INSTALL_PREFIX");
  static const std::string_view kNames[] = {"prefix", "exec-prefix", "host", "build", "target", "cache-file", "srcdir"};
  return name.ends_with("dir") || name.ends_with("-path") || name.ends_with("-prefix") ||
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

void add_one(Switch::Tool tool, std::string text, std::string_view name, const Place& place, std::vector<Switch>& out) {
  const auto known = [&](const Switch& other) { return other.tool == tool && other.text == text; };
  if (std::any_of(out.begin(), out.end(), known)) return;
  Switch one;
  one.tool = tool;
  one.place = place;
  if (is_place(tool, name)) one.verdict = Switch::Verdict::kPlace;
  one.text = std::move(text);
  out.push_back(std::move(one));
}

/// Upstream's default and what was given, in one spelling; nothing: not known.
std::optional<std::pair<std::string, std::string>> look_up(const Switch& one, const Defaults& defaults) {
  if (one.tool == Switch::Tool::kAutoconf) {
    const auto given = read_switch(one.text);
    if (!given) return std::nullopt;
    const auto found = defaults.autoconf.find(given->key);
    if (found == defaults.autoconf.end()) return std::nullopt;
    return std::pair(found->second, given->value);
  }
  std::string_view text = one.text;
  text.remove_prefix(2);
  const std::size_t equals = text.find('=');
  std::string_view name = text.substr(0, equals);
  const std::string value(equals == std::string_view::npos ? "" : text.substr(equals + 1));
  if (one.tool == Switch::Tool::kCMake) {
    name = name.substr(0, name.find(':'));
    const auto found = defaults.cmake.find(name);
    if (found == defaults.cmake.end()) return std::nullopt;
    return std::pair(plain_value(found->second), plain_value(value));
  }
  for (const auto* table : {&defaults.meson, &kMesonOwn})
    if (const auto found = table->find(name); found != table->end())
      return std::pair(plain_value(found->second), plain_value(value));
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Switch::Verdict verdict) {
  switch (verdict) {
    case Switch::Verdict::kStated: return "stated";
    case Switch::Verdict::kDefault: return "default";
    case Switch::Verdict::kDiffers: return "differs";
    case Switch::Verdict::kPlace: return "place";
  }
  return "";
}

std::optional<Switch::Tool> tool_of(std::string_view uses) {
  if (uses == "autoconf/configure") return Switch::Tool::kAutoconf;
  if (uses == "cmake/configure") return Switch::Tool::kCMake;
  if (uses == "meson/configure") return Switch::Tool::kMeson;
  return std::nullopt;
}

std::optional<Switch::Tool> tool_of_command(std::string_view name) {
  if (name == "configure") return Switch::Tool::kAutoconf;
  if (name == "cmake") return Switch::Tool::kCMake;
  if (name == "meson") return Switch::Tool::kMeson;
  return std::nullopt;
}

void add_switches(Switch::Tool tool, const std::vector<std::string>& words, const Place& place,
                  std::vector<Switch>& out) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (tool == Switch::Tool::kAutoconf) {
      const std::string_view name = std::string_view(word).substr(std::min<std::size_t>(2, word.size()));
      if (word.starts_with("--") && word.size() > 2) add_one(tool, word, name.substr(0, name.find('=')), place, out);
      continue;
    }
    if (word == "-D" && i + 1 < words.size()) word += words[++i];
    const bool own = tool == Switch::Tool::kMeson && word.starts_with("--") && word.find('=') != std::string::npos;
    if (!word.starts_with("-D") && !own) continue;
    const std::string_view name = std::string_view(word).substr(2);
    add_one(tool, word, name.substr(0, name.find_first_of("=:")), place, out);
  }
}

bool says_defaults(std::string_view path) {
  const std::string_view name = definition::base_name(path);
  return name == "configure" || name == "meson_options.txt" || name == "meson.options" || name == "CMakeLists.txt" ||
         name.ends_with(".cmake") || path.ends_with("auto/options");
}

void add_defaults(std::string_view path, std::string_view text, Defaults& out) {
  const std::string_view name = definition::base_name(path);
  if (name == "configure" || name == "options") add_autoconf(text, out);
  else if (name.starts_with("meson")) add_meson(text, out);
  else add_cmake(text, out);
}

void judge_switches(std::vector<Switch>& switches, const Defaults& defaults) {
  for (Switch& one : switches) {
    if (one.verdict != Switch::Verdict::kStated) continue;
    const auto found = look_up(one, defaults);
    if (!found) continue;
    one.fallback = found->first;
    one.verdict = found->first == found->second ? Switch::Verdict::kDefault : Switch::Verdict::kDiffers;
  }
}

}  // namespace nacre::watch
