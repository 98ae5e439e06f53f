#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nacre::definition {

/// One simple command of a shell script, as written: nothing is expanded.
struct ScriptCommand {
  std::vector<std::string> words;   ///< Without quotes; assignments before the name are left out.
  std::vector<std::string> reads;   ///< Files behind <.
  std::vector<std::string> writes;  ///< Files behind > and >>.
  bool here_document = false;       ///< Gets one on its input.
  bool appends = false;             ///< One of `writes` is behind >>.
  int line = 0;                     ///< Of the script, from 0.
};

/// The commands of a script in order, those in $( ) left out. For reports: what it does not understand it reads as
/// words, and never fails.
std::vector<ScriptCommand> script_commands(std::string_view script);

/// The words of one line of switches, as a shell would part them; variables stay as written.
std::vector<std::string> shell_words(std::string_view text);

/// "/usr/bin/sed" -> "sed"
std::string_view base_name(std::string_view word);

}  // namespace nacre::definition
