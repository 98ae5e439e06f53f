#include "base/text.h"
#include "build/fetch.h"
#include "os/process.h"

#include <algorithm>
#include <cstdlib>

namespace nacre::build {

namespace {

std::vector<std::string> ask_apt(Env& env) {
  os::Command command;
  command.argv = {"apt-get", "indextargets", "--format", "$(REPO_URI)"};
  command.inherit_env = true;
  command.timeout_seconds = 30;
  std::vector<std::string> known;
  const auto exit = env.processes.run(command, env.stop);
  if (!exit || !exit->ok()) return known;  // No Debian, no archive.
  for (std::string base : split_words(exit->out)) {
    while (base.ends_with('/')) base.pop_back();
    const bool usable =
        base.starts_with("http://") || base.starts_with("https://") || base.starts_with("file:/");
    if (usable && std::find(known.begin(), known.end(), base) == known.end())
      known.push_back(std::move(base));
  }
  return known;
}

}  // namespace

const std::vector<std::string>& AptArchives::bases(Env& env) const {
  std::call_once(once_, [&] { bases_ = ask_apt(env); });
  return bases_;
}

FetchPlaces places_of_machine() {
  FetchPlaces places;
  if (const char* mirrors = std::getenv("NACRE_SOURCE_MIRRORS"))
    for (const std::string& folder : split(mirrors, ':'))
      if (!folder.empty()) places.directories.emplace_back(folder);
  places.apt = std::make_shared<AptArchives>();
  return places;
}

}  // namespace nacre::build
