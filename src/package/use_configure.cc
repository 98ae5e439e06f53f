#include "package/use_configure.h"

#include <algorithm>
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

/// Whether a quote that begins in the text ends there, too.
bool is_closed(std::string_view text) {
  char open = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && open != '\'') ++i;
    else if (open == '\0' && (text[i] == '"' || text[i] == '\'')) open = text[i];
    else if (text[i] == open) open = '\0';
  }
  return open == '\0' && !text.ends_with('\\');
}

constexpr std::size_t kMostLines = 2000;  ///< Of one value.

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
      const std::string_view end = heredoc(lines_[i]);
      if (!end.empty() && program(i, end)) continue;
      line(i);
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
      out_.programs.push_back(body);
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
    const char* const from = lines_[at].data();
    const auto text = [&] {
      return std::string_view(from, static_cast<std::size_t>(lines_[last].data() + lines_[last].size() - from));
    };
    const bool comment = lines_[at].starts_with('#');
    if (heredoc(lines_[at]).empty() && !comment)
      while (last + 1 < lines_.size() && last - at < kMostLines && !is_closed(text())) ++last;
    out_.values += text();
    out_.values += '\n';
    variables_in(text(), variables_);
    return true;
  }

  std::vector<std::string_view> lines_;
  std::map<std::string_view, std::vector<std::size_t>> assignments_;
  std::set<std::string_view> variables_;
  std::set<std::size_t> taken_;
  ConfigurePrograms out_;
};

}  // namespace

bool is_from_autoconf(std::string_view text) {
  return text.starts_with("#!") && text.substr(0, 4096).find("Generated by GNU Autoconf") != std::string_view::npos;
}

ConfigurePrograms programs_of(std::string_view text) { return Reader(text).run(); }

}  // namespace nacre::package
