#include "build/guest.h"

#include "base/text.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

namespace nacre::build {
namespace {

using os::Path;

constexpr const char* kIgnoreFile = ".melangeignore";

/// A pattern without '/' matches a name anywhere, one with '/' the path from the top; a folder
/// takes its content along.
bool is_ignored(const std::vector<std::string>& patterns, const TreePath& path) {
  for (TreePath at = path; !at.is_root(); at = at.parent()) {
    for (const std::string& pattern : patterns) {
      const bool whole = pattern.find('/') != std::string::npos;
      const std::string subject = whole ? at.str() : std::string(at.name());
      const std::string text = pattern.starts_with('/') ? pattern.substr(1) : pattern;
      if (::fnmatch(text.c_str(), subject.c_str(), FNM_PATHNAME) == 0) return true;
    }
  }
  return false;
}

Result<std::vector<std::string>> ignore_patterns(const Path& folder) {
  std::vector<std::string> out;
  if (!os::exists(folder / kIgnoreFile)) return out;
  const std::string text = TRY(os::read_beneath(folder, TreePath::literal(kIgnoreFile), 1u << 20));
  for (const std::string& line : split(text, '\n')) {
    std::string pattern(trim(line));
    while (pattern.ends_with('/')) pattern.pop_back();
    if (!pattern.empty() && !pattern.starts_with('#')) out.push_back(std::move(pattern));
  }
  return out;
}

/// In a workspace that nobody reads yet, so without the detour of os::write_file.
Result<> write_dated(const Path& target, std::string_view bytes, unsigned mode, std::int64_t mtime) {
  const os::Fd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!out || ::fchmod(out.get(), mode) != 0)
    return os::system_error(errno, fmt::format("create '{}'", target.string()));
  TRY(write_whole(out.get(), bytes, target));
  const timespec times[2] = {{mtime, 0}, {mtime, 0}};
  if (::futimens(out.get(), times) != 0)
    return os::system_error(errno, fmt::format("set the time of '{}'", target.string()));
  return {};
}

/// The compilers' files first: a side file of that name takes their place.
Result<> fill_workspace(const GuestSpec& spec, const Path& workspace) {
  Path made;
  for (const CompilerFile& file : spec.compiler_files) {
    const Path target = workspace / file.path;
    if (target.parent_path() != made) TRY(os::make_dirs(made = target.parent_path()));
    TRY(write_dated(target, file.text, 0644, spec.source_date_epoch));
  }
  const std::vector<os::TreeEntry> files = TRY(side_files(spec.source_dir));
  for (const os::TreeEntry& file : files) {
    const std::string bytes = TRY(os::read_beneath(spec.source_dir, file.path));
    const Path target = workspace / file.path.str();
    TRY(os::make_dirs(target.parent_path()));
    TRY(write_dated(target, bytes, file.mode & 0777, spec.source_date_epoch));
  }
  return {};
}

/// Empty directories for this run; an earlier run's go.
Result<> clear_work(const Path& work) {
  TRY(os::make_dirs(work));
  for (const char* name : {"workspace", "tmp", "upper", "upper.work", "log"})
    TRY(os::remove_tree(work / name));
  for (const char* name : {"workspace", "tmp", "upper"}) TRY(os::make_dirs(work / name));
  if (::chmod((work / "tmp").c_str(), 01777) != 0 || ::chmod((work / "upper").c_str(), 0755) != 0)
    return os::system_error(errno, fmt::format("set modes in '{}'", work.string()));
  return {};
}

/// Steps of another user write where root made the files.
Result<> give_to(const Path& folder, Ids ids) {
  if (ids.uid == 0 || ::geteuid() != 0) return {};
  std::vector<Path> paths = {folder};
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
  for (const os::TreeEntry& entry : entries) paths.push_back(folder / entry.path.str());
  for (const Path& path : paths)
    if (::lchown(path.c_str(), ids.uid, ids.gid) != 0)
      return os::system_error(errno, fmt::format("own '{}'", path.string()));
  return {};
}

/// The stricter of what the machine grants and what the definition says that it needs.
template <class T>
T stricter(T granted, T asked) {
  if (granted == 0 || asked == 0) return std::max(granted, asked);
  return std::min(granted, asked);
}

/// What the definition says of a resource; 0 when it says nothing.
Result<double> wanted_of(const definition::Definition& definition, std::string_view key, const std::string& text) {
  if (text.empty()) return 0;
  auto out = parse_quantity(text);
  if (out) return *out;
  return std::move(out).error().while_doing("reading resources.{}", key).at(
      definition::place_of(definition, {"package", "resources", key}));
}

Result<> set_limits(Guest& guest, const GuestSpec& spec) {
  sandbox::Limits& limits = guest.base.limits;
  limits = spec.limits;
  const definition::Resources& wanted = spec.definition->resources;
  const double memory = TRY(wanted_of(*spec.definition, "memory", wanted.memory));
  limits.memory_bytes = stricter(limits.memory_bytes, static_cast<std::uint64_t>(memory));
  const double cpus = TRY(wanted_of(*spec.definition, "cpu", wanted.cpu));
  limits.cpus = stricter(limits.cpus, cpus);
  const double disk = TRY(wanted_of(*spec.definition, "disk", wanted.disk));
  limits.disk_bytes = stricter(limits.disk_bytes, static_cast<std::uint64_t>(disk));
  guest.base.measured = {guest.workspace, guest.base.root.upper, guest.work / "tmp"};
  limits.cpus = stricter(limits.cpus, static_cast<double>(spec.jobs));
  if (const std::int64_t timeout = spec.definition->timeout_nanoseconds; timeout > 0)
    limits.timeout_seconds = stricter(limits.timeout_seconds, static_cast<double>(timeout) / 1e9);
  // A quota does not show in the affinity that nproc counts; this does.
  if (limits.cpus > 0)
    guest.env["OMP_NUM_THREADS"] =
        fmt::format("{}", std::max(1L, std::lround(std::ceil(limits.cpus))));
  return {};
}

/// Caches of the field's package managers, as a build's environment names them.
constexpr const char* kCacheFolder = "var/cache/melange";
constexpr const char* kCaches[] = {"gomodcache", "uv", "pip", "composer", "npm"};

/// Each subdirectory, the well-known ones made when they lack; files in it are sources, and those come by digest.
Result<> bind_caches(Guest& guest, const Path& folder) {
  // Steps run under any id, and the directory above is ours alone.
  TRY(os::make_dirs(folder, 0700));
  std::set<std::string> names(std::begin(kCaches), std::end(kCaches));
  for (const std::string& name : names) {
    if (os::exists(folder / name)) continue;
    TRY(os::make_dirs(folder / name));
    if (::chmod((folder / name).c_str(), 01777) != 0)
      return os::system_error(errno, fmt::format("set the mode of '{}'", (folder / name).string()));
  }
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
    if (entry.is_directory() && !entry.is_symlink()) names.insert(entry.path().filename().string());
  if (failed) return os::system_error(failed.value(), fmt::format("list '{}'", folder.string()));
  for (const std::string& name : names) {
    TreePath inside = TRY(TreePath::parse(fmt::format("{}/{}", kCacheFolder, name)));
    guest.base.binds.push_back({folder / name, std::move(inside), true});
  }
  return {};
}

}  // namespace

Result<> write_whole(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("write '{}'", path.string()));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> add_network(Guest& guest, const NetworkGrant& grant) {
  guest.base.network = true;
  if (os::exists("/etc/resolv.conf"))
    guest.base.binds.push_back({"/etc/resolv.conf", TreePath::literal("etc/resolv.conf"), false});
  for (const HostFile& file : grant.files) guest.base.binds.push_back({file.host, file.inside, false});
  for (const std::string& name : grant.environment) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    guest.env[name] = value;
    guest.passed_on.push_back(name);
    if (std::string_view(value).size() >= 8) guest.masks.push_back(value);
  }
  if (grant.caches.empty()) return {};
  return bind_caches(guest, std::filesystem::absolute(grant.caches));
}

Result<double> parse_quantity(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"", 1},
                                                                   {"m", 1e-3},
                                                                   {"k", 1e3},
                                                                   {"K", 1e3},
                                                                   {"M", 1e6},
                                                                   {"G", 1e9},
                                                                   {"T", 1e12},
                                                                   {"Ki", 1024},
                                                                   {"Mi", 1 << 20},
                                                                   {"Gi", 1 << 30},
                                                                   {"Ti", 1099511627776.0}};
  double number = 0;
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  for (const auto& [name, factor] : kUnits)
    if (status == std::errc{} && unit == name && number > 0 && number < 1e15)
      return number * factor;
  return Error::make(ErrorKind::kInvalid, "expected a quantity such as 2, 500m or 512Mi, got '{}'",
                     text);
}

std::vector<std::string> env_list(const std::map<std::string, std::string>& env) {
  std::vector<std::string> out;
  for (const auto& [name, value] : env) out.push_back(name + "=" + value);
  return out;
}

Result<std::vector<os::TreeEntry>> side_files(const Path& source_dir) {
  std::vector<os::TreeEntry> out;
  if (source_dir.empty() || !os::exists(source_dir)) return out;
  const std::vector<std::string> patterns = TRY(ignore_patterns(source_dir));
  std::vector<os::TreeEntry> entries = TRY(os::walk_tree(source_dir), "reading the side files");
  for (os::TreeEntry& entry : entries)
    if (entry.type == os::FileType::kRegular && !is_ignored(patterns, entry.path))
      out.push_back(std::move(entry));
  return out;
}

Result<Guest> make_guest(const GuestSpec& spec) {
  Guest guest;
  guest.name = spec.name;
  guest.work = std::filesystem::absolute(spec.work);
  guest.workspace = guest.work / "workspace";
  TRY(clear_work(guest.work), "preparing '{}'", guest.work.string());
  TRY(fill_workspace(spec, guest.workspace));

  sandbox::SandboxCommand& base = guest.base;
  for (const RootPackage& package : spec.root) base.root.lower.push_back(package.tree);
  base.root.upper = guest.work / "upper";
  base.binds = {{guest.work / "tmp", TreePath::literal("tmp"), true},
                {guest.workspace, TreePath::literal("home/build"), true}};
  TRY(set_limits(guest, spec));
  TRY(add_accounts(base.root.lower, base.root.upper, *spec.environment), "adding accounts");
  auto account = ids_of(*spec.environment);
  if (!account)
    return std::move(account).error().at(
        definition::place_of(*spec.definition, {"environment", "accounts", "run-as"}));
  const Ids ids = *account;
  base.uid = ids.uid;
  base.gid = ids.gid;
  base.keep_capabilities = spec.definition->capabilities_add;

  guest.env["HOME"] = kWorkspace;
  guest.env["SOURCE_DATE_EPOCH"] = fmt::format("{}", spec.source_date_epoch);
  for (const auto& [name, value] : spec.variables) guest.env[name] = value;
  guest.env["PATH"] = kPath;
  if (spec.network != nullptr) TRY(add_network(guest, *spec.network), "giving the steps network");
  guest.secrets = spec.secrets;
  for (const Secret& secret : spec.secrets)
    for (std::string& form : forms_of(secret.value)) guest.masks.push_back(std::move(form));
  TRY(give_to(guest.workspace, ids));
  return guest;
}

}  // namespace nacre::build
