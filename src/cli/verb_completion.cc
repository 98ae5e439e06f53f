#include "cli/completion.h"
#include "cli/places.h"
#include "cli/verbs.h"

#include <cstdio>

namespace nacre::cli {
namespace {

Result<int> run_completion(const Arguments& arguments, std::stop_token) {
  const std::string shell = arguments.text("SHELL");
  if (shell == "candidates") {
    for (const Candidate& one : candidates(arguments.list("WORD"), os_dir()))
      std::printf("%s\t%s\n", one.text.c_str(), one.help.c_str());
    return 0;
  }
  const std::string script = TRY(completion_script(shell.empty() ? "bash" : shell));
  std::fputs(script.c_str(), stdout);
  return 0;
}

}  // namespace

Verb verb_completion() {
  Verb verb;
  verb.name = "completion";
  verb.summary = "print the completion script of a shell";
  verb.arguments = {{"SHELL", "bash (also when not given), zsh or fish", false, false, Completion::kNone},
                    {"WORD", "after `candidates` in place of a shell: a call as far as it was typed", false, true,
                     Completion::kNone}};
  verb.options_first = true;
  verb.run_alone = run_completion;
  return verb;
}

}  // namespace nacre::cli
