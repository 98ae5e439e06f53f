#include "base/text.h"
#include "build/fetch.h"
#include "os/process.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::build {

FetchPlaces places_of_machine(Env& env) {
  FetchPlaces places;
  if (const char* mirrors = std::getenv("NACRE_SOURCE_MIRRORS"))
    for (const std::string& folder : split(mirrors, ':'))
      if (!folder.empty()) places.directories.emplace_back(folder);
  os::Command command;
  command.argv = {"apt-get", "indextargets", "--format", "$(REPO_URI)"};
  command.inherit_env = true;
  command.timeout_seconds = 30;
  const auto exit = env.processes.run(command, env.stop);
  if (!exit || !exit->ok()) return places;  // No Debian, no archive.
  for (std::string base : split_words(exit->out)) {
    while (base.ends_with('/')) base.pop_back();
    const bool usable =
        base.starts_with("http://") || base.starts_with("https://") || base.starts_with("file:/");
    const auto& known = places.debian_bases;
    if (usable && std::find(known.begin(), known.end(), base) == known.end())
      places.debian_bases.push_back(std::move(base));
  }
  return places;
}

}  // namespace nacre::build
