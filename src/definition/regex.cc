#include "definition/regex.h"

#include "base/ascii.h"

#include <re2/re2.h>

#include <charconv>
#include <memory>
#include <vector>

namespace nacre::definition {
namespace {

constexpr std::size_t kMaxResultBytes = 1u << 20;

Result<std::unique_ptr<RE2>> compile(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  auto regex = std::make_unique<RE2>(pattern, options);
  if (!regex->ok())
    return Error::make(ErrorKind::kInvalid, "'{}' is not a regular expression: {}", pattern,
                       regex->error());
  return regex;
}

/// The name behind a dollar sign, and how many characters it takes; empty when there is none.
std::pair<std::string_view, std::size_t> group_name(std::string_view rest) {
  const bool braces = rest.starts_with('{');
  const std::size_t start = braces ? 1 : 0;
  std::size_t end = start;
  while (end < rest.size() && is_word_character(rest[end])) ++end;
  if (end == start || (braces && (end == rest.size() || rest[end] != '}'))) return {};
  return {rest.substr(start, end - start), end + start};
}

std::string_view group_text(const RE2& regex, const std::vector<re2::StringPiece>& groups,
                            std::string_view name) {
  std::size_t index = groups.size();
  const auto [stop, status] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (status != std::errc{} || stop != name.data() + name.size()) {
    const auto& named = regex.NamedCapturingGroups();
    const auto found = named.find(std::string(name));
    index = found == named.end() ? groups.size() : static_cast<std::size_t>(found->second);
  }
  if (index >= groups.size() || !groups[index].data()) return {};
  return {groups[index].data(), groups[index].size()};
}

void append_replacement(std::string& out, const RE2& regex,
                        const std::vector<re2::StringPiece>& groups, std::string_view replacement) {
  while (!replacement.empty()) {
    const std::size_t dollar = std::min(replacement.find('$'), replacement.size());
    out += replacement.substr(0, dollar);
    replacement.remove_prefix(dollar);
    if (replacement.empty()) return;
    replacement.remove_prefix(1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const auto [name, taken] = group_name(replacement);
    if (name.empty()) out += '$';
    else out += group_text(regex, groups, name);
    replacement.remove_prefix(taken);
  }
}

}  // namespace

Result<std::string> replace_matches(std::string_view text, const std::string& pattern,
                                    std::string_view replacement) {
  const auto regex = TRY(compile(pattern));
  const re2::StringPiece whole(text.data(), text.size());
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) +
                                       1);
  std::string out;
  std::size_t from = 0, copied = 0;
  bool first = true;
  while (from <= text.size() && regex->Match(whole, from, text.size(), RE2::UNANCHORED,
                                             groups.data(), static_cast<int>(groups.size()))) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    out += text.substr(copied, begin - copied);
    // An empty match right behind another match does not count.
    if (end > copied || first) append_replacement(out, *regex, groups, replacement);
    if (out.size() > kMaxResultBytes)
      return Error::make(ErrorKind::kInvalid, "the replacement gives more than {} bytes",
                         kMaxResultBytes);
    first = false;
    copied = end;
    from = end > from ? end : from + 1;
  }
  if (copied < text.size()) out += text.substr(copied);
  return out;
}

Result<bool> matches(std::string_view text, const std::string& pattern) {
  const auto regex = TRY(compile(pattern));
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex);
}

}  // namespace nacre::definition
