#include "package/deb.h"

#include "base/text.h"
#include "codec/digest.h"
#include "os/process.h"
#include "store/store.h"

#include <algorithm>
#include <array>

namespace nacre::package {
namespace {

/// apt on an empty system: a status file of our own, packages into `archives`, the host's sources and keys unless
/// `place` says others.
os::Command apt_get(const os::Path& work, const std::vector<std::string>& place, std::vector<std::string> arguments) {
  os::Command command;
  command.inherit_env = true;
  command.env = {"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"};
  command.argv = {"apt-get", "-qq", "-y",
                  "-o", "Dir::State::status=" + (work / "status").string(),
                  "-o", "Dir::Cache::archives=" + (work / "archives").string() + "/",
                  "-o", "APT::Install-Recommends=false",
                  "-o", "APT::Sandbox::User=root",
                  "-o", "Debug::NoLocking=true"};
  command.argv.insert(command.argv.end(), place.begin(), place.end());
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return command;
}

constexpr std::string_view kDebianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Options that make apt see `suite` alone, after it brought that suite's lists. The address of Debian's archive is
/// apt's own and is written nowhere but into the private source list.
Result<std::vector<std::string>> place_of_suite(const std::string& suite, const os::Path& work, Env& env) {
  os::Command ask;
  ask.inherit_env = true;
  ask.env = {"LC_ALL=C"};
  ask.argv = {"apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"};
  const std::string bases = TRY(os::run_or_fail(env.processes, ask, env.stop), "asking apt for Debian's archive");
  const std::vector<std::string> words = split_words(bases);
  if (words.empty())
    return Error::make(ErrorKind::kUnavailable, "apt of this machine knows no archive of Debian")
        .hint("suite '" + suite + "' of a stage 0 table comes from there");
  const os::Path home = env.store.work_dir() / "stage0" / ("apt-" + suite);
  TRY(os::make_dirs(home / "lists/partial"));
  const std::string line = fmt::format("deb [signed-by={}] {} {} main\n", kDebianKeys, words.front(), suite);
  TRY(os::write_file(home / "debian.list", line));
  const std::vector<std::string> place = {
      "-o", "Dir::Etc::sourcelist=" + (home / "debian.list").string(), "-o", "Dir::Etc::sourceparts=-",
      "-o", "Dir::Etc::preferences=-", "-o", "Dir::Etc::preferencesparts=-",
      "-o", "Dir::State::lists=" + (home / "lists").string() + "/",
      "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Acquire::Languages=none"};
  TRY(os::run_or_fail(env.processes, apt_get(work, place, {"update"}), env.stop),
      "bringing apt's lists of suite '{}'", suite);
  return place;
}

/// "'ADDRESS' FILE SIZE HASH" lines -> names of files.
std::vector<std::string> files_of(std::string_view uris) {
  std::vector<std::string> out;
  for (const std::string& line : split(uris, '\n')) {
    const std::vector<std::string> words = split_words(line);
    if (words.size() >= 3 && words[0].starts_with('\'')) out.push_back(words[1]);
  }
  return out;
}

/// NAME_VERSION_ARCH.deb, as apt writes it ("%3a" for the colon of an epoch).
DebFile name_parts(const std::string& file_name) {
  DebFile out;
  out.file_name = file_name;
  const std::vector<std::string> parts = split(file_name.substr(0, file_name.size() - 4), '_');
  if (parts.size() == 3) {
    out.name = parts[0];
    out.version = replace_all(parts[1], "%3a", ":");
    out.arch = parts[2];
  }
  return out;
}

Result<bool> take_known(DebFile& file, store::Store& store) {
  const auto known = TRY(store.state().get("deb", file.file_name));
  if (!known) return false;
  file.sha256 = TRY(parse_sha256(*known));
  const bool there = TRY(store.holds(file.sha256));
  if (there) file.path = TRY(store.local(file.sha256));
  return there;
}

}  // namespace

Result<std::vector<DebFile>> download_debs(const std::vector<std::string>& debs, const std::string& suite, Env& env) {
  const os::TempDir work = TRY(os::TempDir::create(std::filesystem::temp_directory_path(), "nacre-apt-"));
  TRY(os::make_dirs(work.path() / "archives/partial"));
  TRY(os::write_file(work.path() / "status", ""));
  std::vector<std::string> place;
  if (!suite.empty()) place = TRY(place_of_suite(suite, work.path(), env));
  std::vector<std::string> install = {"install"};
  install.insert(install.end(), debs.begin(), debs.end());
  std::vector<std::string> ask = install;
  ask.push_back("--print-uris");
  const std::string uris = TRY(os::run_or_fail(env.processes, apt_get(work.path(), place, ask), env.stop),
                               "asking apt for the closure of {} packages", debs.size());

  std::vector<DebFile> out;
  bool all_known = true;
  for (const std::string& name : files_of(uris)) {
    DebFile file = name_parts(name);
    if (!TRY(take_known(file, env.store))) all_known = false;
    out.push_back(std::move(file));
  }
  if (all_known) return out;

  for (const DebFile& file : out)  // apt takes what it finds there after checking it, and asks for the rest
    if (!file.path.empty() && os::exists(file.path))
      std::filesystem::copy_file(file.path, work.path() / "archives" / file.file_name);
  install.push_back("--download-only");
  TRY(os::run_or_fail(env.processes, apt_get(work.path(), place, install), env.stop), "downloading stage0 with apt");
  for (DebFile& file : out) {
    file.sha256 = TRY(env.store.put_file(work.path() / "archives" / file.file_name, store::Store::Take::kMove));
    file.path = env.store.blob_path(file.sha256);
    TRY(env.store.state().put("deb", file.file_name, file.sha256.hex()));
  }
  return out;
}

Result<DebControl> read_deb_control(const DebFile& file, Env& env) {
  os::Command command;
  command.inherit_env = true;
  command.env = {"LC_ALL=C"};
  command.argv = {"dpkg-deb",     "-f",      file.path.string(), "Package", "Version",
                  "Architecture", "Depends", "Pre-Depends",      "Provides"};
  const std::string text = TRY(os::run_or_fail(env.processes, command, env.stop), "reading '{}'", file.file_name);
  DebControl out;
  out.file = file;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, colon), value = line.substr(colon + 2);
    if (key == "Package") out.file.name = value;
    if (key == "Version") out.file.version = value;
    if (key == "Architecture") out.file.arch = value;
    if (key == "Depends" || key == "Pre-Depends")
      for (auto& group : parse_debian_depends(value)) out.depends.push_back(std::move(group));
    if (key == "Provides")
      for (const auto& group : parse_debian_depends(value)) out.provides.push_back(group.front());
  }
  return out;
}

Result<> unpack_deb(const DebFile& file, const os::Path& folder, Env& env) {
  os::Command command;
  command.inherit_env = true;
  command.argv = {"dpkg-deb", "-x", file.path.string(), folder.string()};
  TRY(os::run_or_fail(env.processes, command, env.stop), "unpacking '{}'", file.file_name);
  return {};
}

std::string apk_version_of(std::string_view debian_version) {
  std::string_view rest = debian_version;
  const std::size_t colon = rest.find(':');
  if (colon != std::string_view::npos) rest.remove_prefix(colon + 1);
  std::string out;
  std::size_t at = 0;
  while (at < rest.size() && (std::isdigit(static_cast<unsigned char>(rest[at])) != 0 ||
                              (rest[at] == '.' && at + 1 < rest.size() && at > 0 && rest[at - 1] != '.' &&
                               std::isdigit(static_cast<unsigned char>(rest[at + 1])) != 0)))
    out += rest[at++];
  if (out.empty()) out = "0";
  // What is left (letters, revision) cannot be said in apk's grammar: its digest keeps different versions different.
  if (at < rest.size() || colon != std::string_view::npos) {
    const Sha256 digest = codec::sha256(debian_version);
    const unsigned tail = unsigned{digest.bytes[0]} << 16U | unsigned{digest.bytes[1]} << 8U | digest.bytes[2];
    out += fmt::format("_p{}", tail);
  }
  return out;
}

std::vector<std::vector<std::string>> parse_debian_depends(std::string_view field) {
  std::vector<std::vector<std::string>> out;
  for (const std::string& group : split(field, ',')) {
    std::vector<std::string> names;
    for (const std::string& alternative : split(group, '|')) {
      std::string name(trim(alternative));
      name = name.substr(0, name.find_first_of(" (:"));
      if (!name.empty()) names.push_back(name);
    }
    if (!names.empty()) out.push_back(std::move(names));
  }
  return out;
}

std::string merged_path(std::string_view path) {
  constexpr std::array<std::string_view, 7> kLeftOut = {
      "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
      "usr/share/bash-completion", "usr/share/doc-base"};
  for (const std::string_view folder : kLeftOut)
    if (path == folder || (path.starts_with(folder) && path[folder.size()] == '/')) return {};
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kMerged = {{
      {"usr/sbin", "usr/bin"}, {"usr/lib64", "usr/lib"}, {"bin", "usr/bin"},
      {"sbin", "usr/bin"}, {"lib64", "usr/lib"}, {"lib", "usr/lib"}}};
  for (const auto& [from, to] : kMerged)
    if (path == from || (path.starts_with(from) && path[from.size()] == '/'))
      return std::string(to) + std::string(path.substr(from.size()));
  return std::string(path);
}

}  // namespace nacre::package
