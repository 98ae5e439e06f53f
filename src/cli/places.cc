#include "cli/places.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace nacre::cli {

using os::Path;

Path home_dir() {
  if (const char* home = std::getenv("NACRE_HOME"); home != nullptr && *home != '\0')
    return std::filesystem::absolute(home);
  if (::getuid() == 0) return "/var/lib/nacre";
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0')
    return Path(data) / "nacre";
  const char* user = std::getenv("HOME");
  return Path(user != nullptr ? user : "/tmp") / ".local/share/nacre";
}

Path os_dir() {
  if (const char* dir = std::getenv("NACRE_OS_DIR"); dir != nullptr && *dir != '\0')
    return std::filesystem::absolute(dir);
  const Path here = std::filesystem::current_path() / "os";
  return os::exists(here / "packages") ? here : Path(NACRE_SOURCE_DIR) / "os";
}

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

}  // namespace

std::string shared_state() { return environment("NACRE_STATE"); }
std::string artifact_place() { return environment("NACRE_ARTIFACTS"); }

std::string farm_database(const std::string& option, const Path& home) {
  if (!option.empty()) return option;
  if (std::string named = environment("NACRE_FARM_DATABASE"); !named.empty()) return named;
  if (std::string shared = shared_state(); !shared.empty()) return shared;
  return "sqlite:" + (home / "farm" / "farm.db").string();
}

std::set<std::string> names_in(const Path& folder) {
  std::set<std::string> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".yaml") out.insert(entry.path().stem().string());
  return out;
}

}  // namespace nacre::cli
