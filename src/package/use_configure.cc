#include "package/use_configure.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace nacre::package {
namespace {

bool in_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9'); }

/// The delimiter of the here-document that begins in the line; empty: none.
std::string_view heredoc(std::string_view line) {
  for (std::size_t at = line.find("<<"); at != std::string_view::npos; at = line.find("<<", at + 2)) {
    std::size_t from = at + 2;
    if (from < line.size() && line[from] == '<') continue;
    while (from < line.size() && (line[from] == '-' || line[from] == ' ')) ++from;
    if (from < line.size() && (line[from] == '\\' || line[from] == '\'' || line[from] == '"')) ++from;
    std::size_t to = from;
    while (to < line.size() && in_name(line[to])) ++to;
    if (to > from && !(line[from] >= '0' && line[from] <= '9')) return line.substr(from, to - from);
  }
  return {};
}

/// $name and ${name…}.
void variables_in(std::string_view text, std::set<std::string_view>& out) {
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    std::size_t from = at + 1;
    if (from < text.size() && text[from] == '{') ++from;
    std::size_t to = from;
    while (to < text.size() && in_name(text[to])) ++to;
    if (to > from) out.insert(text.substr(from, to - from));
  }
}

/// NAME of "  NAME=…"; empty: no assignment.
std::string_view assigned(std::string_view line) {
  while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
  std::size_t to = 0;
  while (to < line.size() && in_name(line[to])) ++to;
  return to > 0 && to < line.size() && line[to] == '=' ? line.substr(0, to) : std::string_view();
}

/// Follows the quotes of a shell from line to line.
class Quotes {
 public:
  void add(std::string_view line) {
    goes_on_ = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\' && open_ != '\'') {
        goes_on_ = ++i == line.size();
      } else if (open_ == '\0' && (line[i] == '"' || line[i] == '\'')) {
        open_ = line[i];
      } else if (line[i] == open_) {
        open_ = '\0';
      }
    }
  }
  /// Whether the lines so far end a command's word.
  bool closed() const { return open_ == '\0' && !goes_on_; }

 private:
  char open_ = '\0';
  bool goes_on_ = false;
};

constexpr std::size_t kMostLines = 2000;  ///< Of one value.

/// "# include <x.h>", no comment of a shell.
bool is_directive(std::string_view line) {
  if (!line.starts_with('#')) return false;
  line.remove_prefix(std::min(line.size(), line.find_first_not_of("# \t")));
  static constexpr std::array<std::string_view, 9> kNames = {"include", "define", "if",     "undef", "el",
                                                             "endif",   "error",  "pragma", "line"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) { return line.starts_with(name); });
}

/// What stands in a configure itself, not in a program of it: a quote was taken for another.
bool is_of_shell(std::string_view line) {
  static constexpr std::array<std::string_view, 6> kSigns = {"ac_fn_", "as_fn_", "conftest", "LINENO", "esac", "then"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return line.find(sign) != std::string_view::npos; });
}

class Reader {
 public:
  explicit Reader(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      lines_.push_back(line);
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
  }

  ConfigurePrograms run() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (const std::size_t last = end_of_held(i); last > i) {
        out_.held[assigned(lines_[i])].push_back({between(i, last), {}, false});
        i = last;
        continue;
      }
      const std::string_view end = heredoc(lines_[i]);
      if (!end.empty() && program(i, end)) continue;
      line(i);
      variables_in(lines_[i], outside_);
    }
    for (auto& [name, texts] : out_.held)
      for (ConfigurePrograms::Text& text : texts) tell_variables(text);
    for (ConfigurePrograms::Text& text : out_.programs) tell_variables(text);
    for (auto& [name, texts] : out_.held) {
      if (outside_.contains(name)) out_.values_bring.push_back(name);
      else if (!variables_.contains(name))  // by a way that cannot be seen
        for (const ConfigurePrograms::Text& text : texts) add_value(text.text);
    }
    for (bool more = true; more;) {
      more = false;
      for (const auto& [name, starts] : assignments_) {
        if (!variables_.contains(name)) continue;
        for (const std::size_t start : starts) more = value(start) || more;
      }
    }
    return std::move(out_);
  }

 private:
  /// A here-document from the line behind `at` on; moves `at` to its end. False: it does not end.
  bool program(std::size_t& at, std::string_view end) {
    std::size_t last = at + 1;
    while (last < lines_.size()) {
      std::string_view line = lines_[last];
      while (line.starts_with('\t')) line.remove_prefix(1);
      if (line == end) break;
      ++last;
    }
    if (last == lines_.size()) return false;
    (void)value(at);
    if (last > at + 1) {
      const char* const from = lines_[at + 1].data();
      const std::string_view body(from, static_cast<std::size_t>(lines_[last].data() - from));
      out_.programs.push_back({body, {}, false});
      variables_in(body, variables_);
    }
    at = last;
    return true;
  }

  void line(std::size_t at) {
    const std::string_view text = lines_[at];
    const auto has = [&](std::string_view what) { return text.find(what) != std::string_view::npos; };
    const std::size_t word = std::min(text.find_first_not_of(" \t"), text.size());
    if (has("ac_fn_") || has("#include") || has("conftest") || has("as_fn_append") ||
        text.substr(word).starts_with("for ") || text.substr(word).starts_with('#'))
      (void)value(at);
    if (const std::string_view name = assigned(text); !name.empty()) assignments_[name].push_back(at);
  }

  /// The lines from there on until quotes are closed. False: they were taken before.
  bool value(std::size_t at) {
    if (!taken_.insert(at).second) return false;
    std::size_t last = at;
    Quotes quotes;
    if (heredoc(lines_[at]).empty() && !lines_[at].starts_with('#'))
      for (quotes.add(lines_[at]); !quotes.closed() && last + 1 < lines_.size() && last - at < kMostLines;)
        quotes.add(lines_[++last]);
    add_value(between(at, last));
    return true;
  }

  std::string_view between(std::size_t first, std::size_t last) const {
    const char* const from = lines_[first].data();
    return {from, static_cast<std::size_t>(lines_[last].data() + lines_[last].size() - from)};
  }

  /// The last line of an assignment of several lines of a program ("x='…", with a directive or a statement among them);
  /// `at`: it is none.
  std::size_t end_of_held(std::size_t at) const {
    if (assigned(lines_[at]).empty()) return at;
    Quotes quotes;
    bool program = false;
    for (std::size_t last = at; last < lines_.size() && last - at < kMostLines; ++last) {
      const std::string_view line = lines_[last];
      if (!heredoc(line).empty() || is_of_shell(line)) return at;
      if (last > at) program = program || is_directive(line) || line.ends_with(';');
      quotes.add(line);
      if (quotes.closed()) return program ? last : at;
    }
    return at;
  }

  void tell_variables(ConfigurePrograms::Text& text) {
    std::set<std::string_view> names;
    variables_in(text.text, names);
    variables_.insert(names.begin(), names.end());
    for (const std::string_view name : names) {
      const bool held = out_.held.contains(name);
      if (held) text.brings.push_back(name);
      // It may be given something else, too.
      if (!held || assignments_.contains(name)) text.takes_values = true;
    }
  }

  void add_value(std::string_view text) {
    out_.values += text;
    out_.values += '\n';
    variables_in(text, variables_);
  }

  std::vector<std::string_view> lines_;
  std::map<std::string_view, std::vector<std::size_t>> assignments_;
  std::set<std::string_view> variables_, outside_;  ///< Outside of programs and of lines that a variable holds.
  std::set<std::size_t> taken_;
  ConfigurePrograms out_;
};

}  // namespace

bool is_from_autoconf(std::string_view text) {
  return text.starts_with("#!") && text.substr(0, 4096).find("Generated by GNU Autoconf") != std::string_view::npos;
}

ConfigurePrograms programs_of(std::string_view text) { return Reader(text).run(); }

}  // namespace nacre::package
