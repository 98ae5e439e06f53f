#include "package/pasting.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "package/header_items.h"

namespace nacre::package {
namespace {

bool is_number(std::string_view part) { return part.find_first_not_of("0123456789") == std::string_view::npos; }

/// Whether the name is 1 to 6 words one behind the other, of which one at most is a single letter.
bool can_split(std::string_view name, const HasWord& has) {
  constexpr int kParts = 6;
  // reach[letters][parts]: ends that so many parts, with so many single letters among them, lead to.
  std::array<std::array<std::vector<char>, kParts + 1>, 2> reach;
  for (auto& row : reach)
    for (auto& one : row) one.assign(name.size() + 1, 0);
  reach[0][0][0] = 1;
  for (std::size_t from = 0; from < name.size(); ++from) {
    bool any = false;
    for (const auto& row : reach)
      for (int parts = 0; parts < kParts; ++parts) any = any || row[static_cast<std::size_t>(parts)][from] != 0;
    if (!any) continue;
    for (std::size_t to = from + 1; to <= name.size(); ++to) {
      const std::string_view part = name.substr(from, to - from);
      const bool digits = is_number(part);
      if (!digits && !has(word_hash(part))) continue;
      const bool letter = part.size() == 1 && part[0] != '_' && !digits;
      for (std::size_t letters = 0; letters + (letter ? 1 : 0) < reach.size(); ++letters)
        for (std::size_t parts = 0; parts < kParts; ++parts)
          if (reach[letters][parts][from] != 0) reach[letters + (letter ? 1 : 0)][parts + 1][to] = 1;
    }
  }
  for (const auto& row : reach)
    for (std::size_t parts = 1; parts <= kParts; ++parts)
      if (row[parts][name.size()] != 0) return true;
  return false;
}

/// Whether the name fits the pattern, with `good` for what each '*' stands for. Patterns come from foreign sources and
/// may have any number of stars: time grows with that number, and with the square of the name.
bool fits(std::string_view name, std::string_view pattern, const std::function<bool(std::string_view)>& good) {
  const auto take_fixed = [&]() {
    const std::string_view fixed = pattern.substr(0, pattern.find('*'));
    pattern.remove_prefix(fixed.size());
    return fixed;
  };
  const std::string_view head = take_fixed();
  if (!name.starts_with(head)) return false;
  std::vector<char> ends(name.size() + 1, 0);  // where in the name the pattern so far may end
  ends[head.size()] = 1;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const std::string_view fixed = take_fixed();
    std::vector<char> next(name.size() + 1, 0);
    for (std::size_t from = 0; from <= name.size(); ++from)
      for (std::size_t to = from; ends[from] != 0 && to <= name.size(); ++to) {
        const std::size_t end = to + fixed.size();
        if (end <= name.size() && next[end] == 0 && name.substr(to).starts_with(fixed))
          next[end] = good(name.substr(from, to - from)) ? 1 : 0;
      }
    ends = std::move(next);
  }
  return ends[name.size()] != 0;
}

}  // namespace

bool fits_any(std::string_view name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fits(name, pattern, [](std::string_view) { return true; });
  });
}

bool can_paste(std::string_view name, const std::vector<std::string>& patterns, const HasWord& has) {
  if (name.size() > 200 || name.size() < 2) return false;
  const auto is_word = [&](std::string_view part) { return is_number(part) || has(word_hash(part)); };
  std::map<std::string_view, bool> known;
  const auto is_part = [&](std::string_view part) {
    if (part.size() == name.size()) return false;
    const auto [found, made] = known.emplace(part, false);
    if (made) found->second = is_word(part) || (part.size() > 2 && fits_any(part, patterns) && can_split(part, has));
    return found->second;
  };
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.find('*') == std::string::npos) return name == pattern;
    return fits(name, pattern, is_part);
  });
}

}  // namespace nacre::package
