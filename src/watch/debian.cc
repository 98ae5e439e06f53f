#include "watch/debian.h"

#include "base/events.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <re2/re2.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace nacre::watch {
namespace {

constexpr double kFreshSeconds = 3600;
constexpr std::uint64_t kMaxListBytes = std::uint64_t{512} << 20;

/// Value of `key` in a stanza: the rest of its line and the continuation lines.
std::string_view field(std::string_view stanza, std::string_view key) {
  std::size_t at = stanza.starts_with(key) ? 0 : stanza.find(fmt::format("\n{}", key));
  if (at == std::string_view::npos) return {};
  at += at == 0 && stanza.starts_with(key) ? key.size() : key.size() + 1;
  std::size_t end = at;
  do {
    end = stanza.find('\n', end + 1);
  } while (end != std::string_view::npos && end + 1 < stanza.size() && stanza[end + 1] == ' ');
  return stanza.substr(at, end == std::string_view::npos ? end : end - at);
}

bool is_upstream_tarball(std::string_view name) {
  const bool tar = name.find(".tar.") != std::string_view::npos && !name.ends_with(".asc") && !name.ends_with(".sig");
  return tar && name.find(".debian.tar.") == std::string_view::npos && name.find(".orig-") == std::string_view::npos;
}

void take_tarball(std::string_view checksums, std::string_view directory, DebianSource& out) {
  for (const std::string& line : split(checksums, '\n')) {
    const std::vector<std::string> words = split_words(line);
    if (words.size() != 3 || !is_upstream_tarball(words[2])) continue;
    const auto digest = parse_sha256(words[0]);
    std::uint64_t size = 0;
    const auto read = std::from_chars(words[1].data(), words[1].data() + words[1].size(), size);
    if (!digest || read.ec != std::errc{}) continue;
    out.sha256 = *digest;
    out.size_bytes = size;
    out.file = words[2];
    out.pool = fmt::format("{}/{}", directory, words[2]);
    return;
  }
}

std::vector<std::string> apt_options(const os::Path& folder) {
  return {"-o", "Dir::State::Lists=" + (folder / "lists").string(),
          "-o", "Dir::Etc::SourceList=" + (folder / "sources.list").string(),
          "-o", "Dir::Etc::SourceParts=/nonexistent",
          "-o", "Dir::Cache=" + (folder / "cache").string(),
          "-o", "APT::Sandbox::User=root",
          "-o", "Acquire::GzipIndexes=false",
          "-o", "Acquire::Languages=none",
          "-o", "Debug::NoLocking=true"};
}

bool is_fresh(const os::Path& mark, Env& env) {
  struct stat status {};
  return ::stat(mark.c_str(), &status) == 0 &&
         static_cast<double>(env.clock.now_seconds() - status.st_mtime) < kFreshSeconds;
}

/// Suites are taken from the first archive that has "debian" without "security" in its address.
std::string archive_of(const Feeds& feeds, Env& env) {
  if (!feeds.archives) return {};
  for (const std::string& base : feeds.archives->bases(env))
    if (base.find("security") == std::string::npos) return base;
  return {};
}

Result<> refresh(const os::Path& folder, const Feeds& feeds, Env& env) {
  const std::string base = archive_of(feeds, env);
  if (base.empty()) return Error::make(ErrorKind::kUnavailable, "apt names no Debian archive on this machine");
  for (const char* name : {"lists/partial", "cache/archives/partial"}) TRY(os::make_dirs(folder / name));
  std::string list;
  for (const std::string& suite : feeds.debian_suites)
    // Archives that lag behind serve Release files past their date; the signature still counts.
    list += fmt::format("deb-src [check-valid-until=no] {} {} main\n", base, suite);
  TRY(os::write_file(folder / "sources.list", list));
  Task task(env.events, "Debian's source indexes");
  os::Command command;
  command.inherit_env = true;
  command.argv = {"apt-get", "-qq"};
  const std::vector<std::string> options = apt_options(folder);
  command.argv.insert(command.argv.end(), options.begin(), options.end());
  command.argv.push_back("update");
  command.timeout_seconds = 300;
  const os::Exit exit = TRY(env.processes.run(command, env.stop));
  if (!exit.ok()) return Error::make(ErrorKind::kUnavailable, "apt could not update its lists of sources");
  TRY(os::write_file(folder / "fresh", ""));
  task.finish();
  return {};
}

}  // namespace

std::string upstream_version(std::string_view debian_version, bool* repacked) {
  static const RE2 kMarks("(?i)[.+~-]?(dfsg|ds|repack|deb)[0-9.]*$");
  std::string_view rest = debian_version;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) rest.remove_prefix(colon + 1);
  rest = rest.substr(0, rest.rfind('-'));
  bool marked = rest.find("dfsg") != std::string_view::npos || rest.find("+ds") != std::string_view::npos;
  if (const std::size_t really = rest.find("really"); really != std::string_view::npos) rest.remove_prefix(really + 6);
  std::string out(rest);
  marked = RE2::Replace(&out, kMarks, "") || marked;
  if (repacked != nullptr) *repacked = marked;
  return out;
}

void parse_sources(std::string_view text, std::string_view suite, DebianIndex& index) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    const std::string_view stanza = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    const std::string name(trim(field(stanza, "Package:")));
    if (name.empty()) continue;
    DebianSource source;
    source.debian_version = trim(field(stanza, "Version:"));
    source.version = upstream_version(source.debian_version, &source.repacked);
    source.suite = suite;
    take_tarball(field(stanza, "Checksums-Sha256:"), trim(field(stanza, "Directory:")), source);
    if (!source.file.empty()) index.sources[name].push_back(std::move(source));
  }
}

std::string debian_name(const build::LockedSource& source) {
  const std::vector<std::string> parts = split(source.debian_pool, '/');
  return parts.size() > 2 ? parts[parts.size() - 2] : std::string();
}

Result<std::shared_ptr<const DebianIndex>> debian_index(const Feeds& feeds, Env& env) {
  if (auto known = feeds.memory->debian()) return known;
  const os::Path folder = env.store.home() / "cache/debian";
  if (!is_fresh(folder / "fresh", env)) TRY(refresh(folder, feeds, env));
  auto index = std::make_shared<DebianIndex>();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "lists", error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with("_Sources")) continue;
    const std::string text = TRY(os::read_file(entry.path(), kMaxListBytes));
    for (const std::string& suite : feeds.debian_suites)
      if (name.find("_" + suite + "_") != std::string::npos) parse_sources(text, suite, *index);
  }
  if (index->sources.empty()) return Error::make(ErrorKind::kUnavailable, "apt's lists hold no sources");
  feeds.memory->set_debian(index);
  return std::shared_ptr<const DebianIndex>(std::move(index));
}

}  // namespace nacre::watch
