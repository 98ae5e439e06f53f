#include "draft/text.h"

#include "apk/version.h"
#include "base/ascii.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>

namespace nacre::draft {
namespace {

/// The end of a text in quotes that begins at `at`: behind its closing quote, or at the end of everything.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == quote) return i + 1;
  }
  return text.size();
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string one_line(std::string_view text, std::size_t max) {
  std::string out = join(split_words(text.substr(0, 4096)), " ");
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
  out = replace_all(out, "${{", "{{");  // No variable of ours.
  if (out.size() > max) {
    const std::size_t cut = out.rfind(' ', max);
    out.resize(cut == std::string::npos || cut == 0 ? max : cut);
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
  }
  return out;
}

std::string apk_version(std::string_view version) {
  std::string text = lower(trim(version));
  if (text.starts_with('v')) text.erase(0, 1);
  for (const char* end : {"-release", "-final", ".final"})
    if (text.ends_with(end)) text.resize(text.size() - std::string_view(end).size());
  text = text.substr(0, text.find('+'));  // Build metadata orders nothing.
  if (apk::is_valid_version(text) && text.find("-r") == std::string::npos) return text;
  static constexpr std::pair<std::string_view, std::string_view> kMarks[] = {
      {"alpha", "_alpha"}, {"beta", "_beta"}, {"preview", "_pre"}, {"pre", "_pre"}, {"rc", "_rc"}, {"dev", "_alpha"}};
  for (const auto& [mark, sign] : kMarks) {
    const std::size_t at = text.find(mark);
    if (at == std::string::npos || at == 0) continue;
    std::size_t before = at;
    while (before > 0 && std::string_view("-._").find(text[before - 1]) != std::string_view::npos) --before;
    std::size_t after = at + mark.size();
    while (after < text.size() && std::string_view("-._").find(text[after]) != std::string_view::npos) ++after;
    const std::string made = text.substr(0, before) + std::string(sign) + text.substr(after);
    return apk::is_valid_version(made) && made.find("-r") == std::string::npos ? made : "";
  }
  text = replace_all(replace_all(text, "-", "."), "_", ".");
  return apk::is_valid_version(text) ? text : "";
}

std::string package_name(std::string_view name) {
  std::string out = lower(trim(name));
  for (char& c : out)
    if (!is_alphanumeric(c) && std::string_view("+_.-").find(c) == std::string_view::npos)
      c = '-';
  while (!out.empty() && !is_alphanumeric(out[0])) out.erase(0, 1);
  while (out.ends_with('-') || out.ends_with('.')) out.pop_back();
  return out.substr(0, 100);
}

std::optional<std::string> quoted_after(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at > 0 && (is_word_character(text[at - 1]) || text[at - 1] == '-')) continue;
    std::size_t end = at + name.size();
    if (end < text.size() && (is_word_character(text[end]) || text[end] == '-')) continue;
    if (end < text.size() && (text[end] == '"' || text[end] == '\'')) ++end;  // A key in quotes itself.
    const std::size_t start = text.find_first_not_of(" \t=:>(", end);
    if (start == std::string_view::npos || start == end || start - end > 40) continue;
    if (text[start] != '"' && text[start] != '\'') continue;
    const std::size_t close = end_of_quoted(text, start);
    std::string found(text.substr(start + 1, close - start - 2));
    if (close > text.size() || found.find('\n') != std::string::npos || found.find('$') != std::string::npos ||
        found.find('{') != std::string::npos || found.find('%') != std::string::npos)
      continue;
    return found;
  }
  return std::nullopt;
}

std::vector<std::string> all_quoted(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '#') at = std::min(text.find('\n', at), text.size());
    else if (text[at] == '"' || text[at] == '\'') {
      const std::size_t end = end_of_quoted(text, at);
      if (end >= at + 2) out.emplace_back(text.substr(at + 1, end - at - 2));
      at = end;
    } else {
      ++at;
    }
  }
  return out;
}

std::string_view block_after(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at > 0 && is_word_character(text[at - 1])) continue;
    std::size_t open = at + name.size();
    if (open < text.size() && (text[open] == '"' || text[open] == '\'')) ++open;
    open = text.find_first_not_of(" \t=:>", open);
    if (open == std::string_view::npos || std::string_view("[({").find(text[open]) == std::string_view::npos) continue;
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '"' || c == '\'') i = end_of_quoted(text, i) - 1;
      else if (c == '[' || c == '(' || c == '{') ++depth;
      else if ((c == ']' || c == ')' || c == '}') && --depth == 0) return text.substr(open + 1, i - open - 1);
    }
    return {};
  }
  return {};
}

std::vector<Call> find_calls(std::string_view text, Language language) {
  std::vector<Call> out;
  std::vector<std::pair<Call, std::size_t>>
      open;  // The call (an empty name: mere brackets), and where its inside begins.
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dnl = language == Language::kM4 && text.substr(i).starts_with("dnl") &&
                     (i == 0 || !is_word_character(text[i - 1])) &&
                     (i + 3 >= text.size() || !is_word_character(text[i + 3]));
    if (c == '#' || dnl) {
      i = std::min(text.find('\n', i), text.size());
    } else if ((c == '"' && language == Language::kCMake) || (c == '\'' && language == Language::kMeson)) {
      i = end_of_quoted(text, i) - 1;
    } else if (c == '(') {
      std::size_t end = i;
      if (language != Language::kM4)
        while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
      std::size_t start = end;
      while (start > 0 && is_word_character(text[start - 1])) --start;
      open.emplace_back(Call{text.substr(start, end - start), {}, start}, i + 1);
    } else if (c == ')' && !open.empty()) {
      auto [call, inside] = open.back();
      open.pop_back();
      call.inside = text.substr(inside, i - inside);
      if (!call.name.empty()) out.push_back(call);
    }
  }
  std::sort(out.begin(), out.end(), [](const Call& a, const Call& b) { return a.at < b.at; });
  return out;
}

std::vector<std::string> arguments_of(const Call& call, Language language) {
  std::vector<std::string> out;
  std::string now;
  bool quoted = false;
  const auto add = [&] {
    std::string text(language == Language::kCMake ? now : std::string(trim(now)));
    if (language == Language::kM4 && text.size() > 1 && text.front() == '[' && text.back() == ']')
      text = std::string(trim(std::string_view(text).substr(1, text.size() - 2)));
    if (language != Language::kCMake || quoted || !text.empty()) out.push_back(std::move(text));
    now.clear();
    quoted = false;
  };
  int depth = 0;
  const std::string_view text = call.inside.substr(0, 64u << 10);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (language == Language::kCMake) {
      if (c == '#') i = std::min(text.find('\n', i), text.size());
      else if (c == '"') {
        const std::size_t end = end_of_quoted(text, i);
        now += replace_all(std::string(text.substr(i + 1, end - i - 2)), "\\\"", "\"");
        quoted = true;
        i = end - 1;
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == ';') add();
      else now += c;
      continue;
    }
    if (language == Language::kMeson && c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (language == Language::kMeson && c == '\'') {
      const std::size_t end = end_of_quoted(text, i);
      now += text.substr(i, end - i);
      i = end - 1;
      continue;
    }
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == ',' && depth <= 0) add();
    else now += c;
  }
  if (!trim(now).empty() || quoted) add();
  return out;
}

int line_at(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  return static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
}

}  // namespace nacre::draft
