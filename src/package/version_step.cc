#include "package/version_step.h"

#include "base/ascii.h"

#include <fmt/format.h>

#include <algorithm>

namespace nacre::package {
namespace {

std::vector<unsigned long> numbers_of(std::string_view version) {
  std::vector<unsigned long> out;
  for (std::size_t i = 0; i < version.size();) {
    if (!is_digit(version[i])) break;
    unsigned long number = 0;
    for (; i < version.size() && is_digit(version[i]); ++i)
      number = std::min(number * 10 + static_cast<unsigned long>(version[i] - '0'), 1'000'000'000'000ul);
    out.push_back(number);
    if (i < version.size() && version[i] == '.') ++i;
    else break;
  }
  while (!out.empty() && out.back() == 0) out.pop_back();  // 1.2.0 is 1.2
  return out;
}

/// Small ones alone.
std::string letters_of(std::string_view word) {
  std::string out;
  for (const char c : word)
    if (c >= 'a' && c <= 'z') out += c;
  return out;
}

}  // namespace

std::string stem_of(std::string_view module) {
  std::string out;
  if (module.starts_with("lib")) module.remove_prefix(3);
  for (const char c : module) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    else if (c >= 'a' && c <= 'z') out += c;
    else if (!out.empty() && is_digit(c)) break;
  }
  return out;
}

std::optional<std::string> VersionStep::touches(const Use& use) const {
  const std::vector<unsigned long> was = numbers_of(from), is = numbers_of(to);
  const std::string step = fmt::format("the version of {}, which went from {} to {}", what,
                                       from.empty() ? "none" : from, to.empty() ? "none" : to);
  if (was.empty() || is.empty() || was[0] != is[0]) return "it may ask for " + step;
  const auto taken = [&](std::string_view name) {
    return std::find(use.taken.begin(), use.taken.end(), name) != use.taken.end();
  };
  if (use.asks_versions || taken("*") || taken(what)) return "it takes versions from pkg-config: " + step;
  const auto is_near = [&](std::uint32_t word) {
    return use.near[word] == "*" || std::any_of(stems.begin(), stems.end(), [&](const std::string& stem) {
             return use.near[word].find(stem) != std::string::npos;
           });
  };
  const bool by_variable = std::any_of(use.by_variable.begin(), use.by_variable.end(), is_near);
  for (std::size_t i = 0; i < use.numbers.size(); ++i) {
    const std::vector<unsigned long> number = numbers_of(use.numbers[i]);
    if (std::min(was, is) <= number && number <= std::max(was, is) &&
        (by_variable || std::any_of(use.near_number[i].begin(), use.near_number[i].end(), is_near)))
      return fmt::format("it says {}, which may be compared with {}", use.numbers[i], step);
  }
  for (const std::string& word : use.versions)
    for (const std::string& stem : stems)
      if (letters_of(word).find(stem) != std::string::npos) return fmt::format("it says {}: {}", word, step);
  if (use.scripts_have("_VERSION") || use.scripts_have("_VERSION_STRING"))
    return "it puts names of versions together: " + step;
  return std::nullopt;
}

}  // namespace nacre::package
