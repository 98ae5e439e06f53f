#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Which names ## can make of words. Patterns: package/use_source.h.
namespace nacre::package {

/// Whether there is a word with this hash (word_hash).
using HasWord = std::function<bool(std::uint64_t)>;

/// Whether the name fits one of the patterns, with anything for each '*'.
bool fits_any(std::string_view name, const std::vector<std::string>& patterns);

/// Whether ## can make the name by one of the patterns, of words and of what ## makes of words.
bool can_paste(std::string_view name, const std::vector<std::string>& patterns, const HasWord& has);

}  // namespace nacre::package
