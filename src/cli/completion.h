#pragma once

#include "cli/command.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::cli {

/// What a shell may offer for the word at the cursor.
struct Candidate {
  std::string text;  ///< ":files" and ":folders": what the shell itself finds.
  std::string help;  ///< One line, or nothing.
};

/// What may stand for the last of `words` (all words after the program's name; the last is what was typed of it, maybe
/// nothing): commands, options, values of the kind that the table of verbs names. Packages and images are those of the
/// distribution in `os_dir`. Nothing where the words are no call.
std::vector<Candidate> candidates(const std::vector<std::string>& words, const Path& os_dir);

/// The script for "bash", "zsh" or "fish" that asks `nacre completion candidates` at each tab. kInvalid for others.
Result<std::string> completion_script(std::string_view shell);

// Of command.cc, which parses by them.

/// The verb that the first one or two words name, and how many words that took; nullptr when none does.
std::pair<const Verb*, std::size_t> find_verb(const std::vector<std::string>& words);
/// The options of a verb, and those that each has.
std::vector<Option> with_common(const Verb& verb);

}  // namespace nacre::cli
