#include "package/use_versions.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>

namespace nacre::package {
namespace {

constexpr std::size_t kMostNumbers = 20'001, kMostPlaces = 64;
constexpr std::size_t kNear = 1000, kLinesNear = 5;  ///< Bytes and lines to both sides.

bool in_name(char c) { return is_word_character(c) || c == '-' || c == '+' || c == '.'; }

void words_of(std::string_view text, std::set<std::string>& out) {
  for (std::size_t at = 0; at < text.size();) {
    if (!in_name(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && in_name(text[end])) ++end;
    std::string word = small_letters(text.substr(at, end - at));
    if (word.size() <= 64) {
      // Of autoconf's own program, and no version of libacl.
      if (!word.empty() && !word.starts_with("aclocal")) out.insert(std::move(word));
    } else {
      out.insert("*");  // not looked at: near anything
    }
    at = end;
  }
}

/// The lines around, some of them and some bytes to each side.
std::string_view around(std::string_view text, std::size_t at, std::size_t lines) {
  std::size_t from = at, to = at;
  for (std::size_t seen = 0; from > 0 && at - from < kNear; --from)
    if (text[from - 1] == '\n' && seen++ == lines) break;
  for (std::size_t seen = 0; to < text.size() && to - at < kNear; ++to)
    if (text[to] == '\n' && seen++ == lines) break;
  // Whole words.
  while (from > 0 && in_name(text[from - 1])) --from;
  while (to < text.size() && in_name(text[to])) ++to;
  return text.substr(from, to - from);
}

/// Whether a dotted number stands at the beginning, behind blanks and quotes.
bool begins_with_number(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t'\"v=");
  if (at == std::string_view::npos || !is_digit(text[at])) return false;
  return true;
}

class Reader {
 public:
  Reader(VersionTexts& out, std::string_view text) : out_(out), text_(text) {}

  void run() {
    numbers();
    for (const std::string_view sign : {">=", "<=", "==", "!=", "> ", "< ", "= ", ">", "<"}) comparisons(sign);
    for (const std::string_view sign : {"atleast", "exact-version", "max-version", "VERSION_LESS", "VERSION_GREATER",
                                        "VERSION_EQUAL", "version_compare", "versionCompare", "version:", "version :"})
      words_before_versions(sign);
    finders();
    for (const std::string_view sign : {"modversion", "max-version", "exact-version"}) taken(sign);
  }

 private:
  void numbers() {
    for (std::size_t at = 0; at < text_.size();) {
      if (!is_digit(text_[at]) || (at > 0 && (is_digit(text_[at - 1]) || text_[at - 1] == '.'))) {
        ++at;
        continue;
      }
      std::size_t end = at, dots = 0;
      while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) dots += text_[end++] == '.' ? 1 : 0;
      std::string number(text_.substr(at, end - at));
      while (number.ends_with('.')) {
        number.pop_back();
        --dots;
      }
      if (dots >= 1 && number.size() <= 24 && out_.numbers.size() <= kMostNumbers) {
        // Often in one file: near anything.
        if (++seen_[number] > kMostPlaces) out_.numbers[number].insert("*");
        else words_of(around(text_, at, kLinesNear), out_.numbers[number]);
      }
      at = end;
    }
  }

  /// "zlib >= $WANTED": compared with what is no number.
  void comparisons(std::string_view sign) {
    for (std::size_t at = text_.find(sign); at != std::string_view::npos; at = text_.find(sign, at + sign.size())) {
      const std::string_view behind = text_.substr(at + sign.size(), 64);
      const std::size_t first = behind.find_first_not_of(" \t'\"");
      const std::string_view begins = sign.find('=') == 1 ? "$@%{+" : "$@";
      if (first == std::string_view::npos || begins.find(behind[first]) == std::string_view::npos) continue;
      words_of(around(text_, at, 1), out_.by_variable);
    }
  }

  void words_before_versions(std::string_view sign) {
    for (std::size_t at = text_.find(sign); at != std::string_view::npos; at = text_.find(sign, at + 1)) {
      std::string_view behind = text_.substr(at + sign.size(), 80);
      while (!behind.empty() && in_name(behind[0])) behind.remove_prefix(1);
      const std::size_t first = behind.find_first_not_of(" \t'\"=<>![(,:");
      if (first != std::string_view::npos && begins_with_number(behind.substr(first))) continue;
      words_of(around(text_, at, kLinesNear), out_.by_variable);
    }
  }

  /// find_package(ZLIB ${WANTED})
  void finders() {
    for (const std::string_view call : {"find_package", "FIND_PACKAGE", "find_dependency"})
      for (std::size_t at = text_.find(call); at != std::string_view::npos; at = text_.find(call, at + 1)) {
        const std::string_view inside = text_.substr(at, text_.substr(at, kNear).find(')'));
        if (inside.find('$') != std::string_view::npos) words_of(inside, out_.by_variable);
      }
  }

  /// pkg-config --modversion zlib
  void taken(std::string_view sign) {
    for (std::size_t at = text_.find(sign); at != std::string_view::npos; at = text_.find(sign, at + 1)) {
      std::size_t from = at + sign.size();
      const bool shell = from < text_.size() && text_[from] == ' ';
      while (from < text_.size() && text_[from] == ' ') ++from;
      const bool quoted = from < text_.size() && text_[from] == '"';
      if (quoted) ++from;
      std::size_t to = from;
      while (to < text_.size() && in_name(text_[to])) ++to;
      const char end = to < text_.size() ? text_[to] : '\n';
      const bool plain = to > from && std::string_view("\n`)\";|").find(end) != std::string_view::npos;
      // "--modversion zlib 2>/dev/null"
      const bool redirected =
          to > from && end == ' ' &&
          std::string_view("2>|&`);").find(to + 1 < text_.size() ? text_[to + 1] : ';') != std::string_view::npos;
      if (shell && (plain || redirected)) out_.taken.emplace(text_.substr(from, to - from));
      else out_.taken.insert("*");
    }
  }

  VersionTexts& out_;
  std::string_view text_;
  std::map<std::string, std::size_t> seen_;
};

}  // namespace

std::string small_letters(std::string_view word) {
  std::string out;
  for (const char c : word)
    if (is_letter(c)) out += static_cast<char>(c | 0x20);
  return out;
}

void VersionTexts::add(std::string_view name, std::string_view text) {
  Reader(*this, text).run();
  if (!name.starts_with("meson")) return;
  // z = dependency('zlib'), here or in another file, and z.version().
  constexpr std::string_view kCall = ".version(", kDependency = "dependency(";
  for (std::size_t at = text.find(kCall); at != std::string_view::npos; at = text.find(kCall, at + 1)) {
    std::size_t from = at;
    while (from > 0 && is_word_character(text[from - 1])) --from;
    const std::string_view who = text.substr(from, at - from);
    if (who != "meson" && !who.ends_with("compiler") && who != "cc" && who != "cpp" && who != "cxx")
      asked_.emplace(who);
  }
  for (std::size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    if (text.substr(at, 2) == "==" || (at > 0 && std::string_view("=!<>").find(text[at - 1]) != std::string_view::npos))
      continue;
    std::size_t to = at;
    while (to > 0 && (text[to - 1] == ' ' || text[to - 1] == '+')) --to;
    std::size_t from = to;
    while (from > 0 && is_word_character(text[from - 1])) --from;
    if (from == to) continue;
    std::set<std::string>& modules = assigned_[std::string(text.substr(from, to - from))];
    const std::size_t value = std::min(text.find_first_not_of(" \t", at + 1), text.size());
    std::string_view rest = text.substr(value);
    std::size_t quote = std::string_view::npos;
    if (rest.starts_with(kDependency)) quote = rest.find_first_not_of(" \t\r\n", kDependency.size());
    if (quote == std::string_view::npos || rest[quote] != '\'') {
      modules.insert("*");
      continue;
    }
    rest.remove_prefix(quote + 1);
    const std::string_view module = rest.substr(0, rest.find('\''));
    modules.emplace(std::all_of(module.begin(), module.end(), in_name) ? module : std::string_view("*"));
  }
}

void VersionTexts::finish() {
  for (const std::string& variable : asked_)
    if (const auto found = assigned_.find(variable); found != assigned_.end())
      taken.insert(found->second.begin(), found->second.end());
    else taken.insert("*");
}

}  // namespace nacre::package
