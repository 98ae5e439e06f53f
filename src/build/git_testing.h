#pragma once

#include "base/text.h"
#include "os/file.h"
#include "os/process.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

/// For tests of rooms that read git repositories: the real git, with a date and an author of its own.
namespace nacre::build {

/// What git prints, without blanks at its ends. A failure is the test's.
inline std::string git_in(const os::Path& folder, const std::vector<std::string>& arguments) {
  os::SystemProcesses processes;
  os::Command command;
  command.argv = {"git", "-C", folder.string(), "-c", "user.name=A", "-c", "user.email=a@example.org",
                  "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", "-c", "safe.directory=*"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.inherit_env = true;
  command.env = {"GIT_AUTHOR_DATE=@1700000000 +0000", "GIT_COMMITTER_DATE=@1700000000 +0000"};
  const auto out = os::run_or_fail(processes, command);
  EXPECT_TRUE(out) << (out ? "" : out.error().render());
  return out ? std::string(trim(*out)) : "";
}

/// Adds or changes a file; the commit, whose message is the file's name.
inline std::string commit_file(const os::Path& folder, const std::string& file, const std::string& text) {
  EXPECT_TRUE(os::write_file(folder / file, text));
  git_in(folder, {"add", "-A"});
  git_in(folder, {"commit", "-q", "-m", file});
  return git_in(folder, {"rev-parse", "HEAD"});
}

}  // namespace nacre::build
