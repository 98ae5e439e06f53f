#include "sandbox/copied_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>

namespace nacre::sandbox {
namespace {

constexpr std::int64_t kNano = 1'000'000'000;
constexpr const char* kOpaque = "user.overlay.opaque";

enum class Whiteouts { kApply, kKeep };

Error trouble(std::string_view what, const Path& path) {
  return os::system_error(errno, fmt::format("{} '{}'", what, path.string()));
}

bool is_whiteout(const os::TreeEntry& entry) {
  return entry.type == os::FileType::kCharDevice && entry.dev_major == 0 && entry.dev_minor == 0;
}

Result<> copy_bytes(const Path& from, const Path& to, unsigned mode) {
  const os::Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source) return trouble("open", from);
  const os::Fd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0700));
  if (!target) return trouble("make", to);
  ssize_t got = 0;
  while ((got = ::copy_file_range(source.get(), nullptr, target.get(), nullptr, 1 << 30, 0)) > 0) {
  }
  char buffer[1 << 16];
  // Also after copy_file_range: it may not know the pair of file systems.
  while ((got = ::read(source.get(), buffer, sizeof buffer)) > 0)
    if (::write(target.get(), buffer, static_cast<std::size_t>(got)) != got)
      return trouble("write", to);
  if (got < 0) return trouble("read", from);
  return {};
}

/// Owner, mode, time. Owners only root can give; for others everything is their own.
Result<> set_status(const os::TreeEntry& entry, const Path& to) {
  if (::geteuid() == 0 && ::lchown(to.c_str(), entry.uid, entry.gid) != 0)
    return trouble("own", to);
  if (entry.type != os::FileType::kSymlink && ::chmod(to.c_str(), entry.mode) != 0)
    return trouble("set the mode of", to);
  const timespec times[2] = {{entry.mtime, 0}, {entry.mtime, 0}};
  if (::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return trouble("set the time of", to);
  return {};
}

Result<> copy_one(const Path& from, const os::TreeEntry& entry, const Path& to) {
  switch (entry.type) {
    case os::FileType::kDirectory:
      if (::mkdir(to.c_str(), 0700) != 0 && errno != EEXIST) return trouble("make", to);
      return {};
    case os::FileType::kSymlink:
      if (::symlink(entry.link_target.c_str(), to.c_str()) != 0) return trouble("link", to);
      return {};
    case os::FileType::kRegular: return copy_bytes(from, to, entry.mode);
    default:
      const mode_t type = entry.type == os::FileType::kFifo         ? S_IFIFO
                          : entry.type == os::FileType::kSocket     ? S_IFSOCK
                          : entry.type == os::FileType::kCharDevice ? S_IFCHR
                                                                    : S_IFBLK;
      if (::mknod(to.c_str(), type | 0600, ::makedev(entry.dev_major, entry.dev_minor)) != 0)
        return trouble("make", to);
      return {};
  }
}

/// Lays one tree over another, as an overlay would show them.
Result<> lay_over(const Path& tree, const Path& root, Whiteouts whiteouts) {
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree));
  std::unordered_map<std::uint64_t, Path> linked;
  for (const os::TreeEntry& entry : entries) {
    const Path from = tree / entry.path.str(), to = root / entry.path.str();
    struct stat there {};
    const bool taken = ::lstat(to.c_str(), &there) == 0;
    const bool folder = entry.type == os::FileType::kDirectory;
    char mark = 0;
    const bool opaque = folder && ::getxattr(from.c_str(), kOpaque, &mark, 1) == 1 && mark == 'y';
    if (taken && (!folder || !S_ISDIR(there.st_mode) || opaque)) TRY(os::remove_tree(to));
    if (whiteouts == Whiteouts::kApply && is_whiteout(entry)) continue;
    const auto [first, fresh] = linked.try_emplace(entry.inode, to);
    if (entry.type == os::FileType::kRegular && !fresh) {
      if (::link(first->second.c_str(), to.c_str()) != 0) return trouble("link", to);
      continue;
    }
    TRY(copy_one(from, entry, to));
    if (!folder) TRY(set_status(entry, to));
  }
  // Deepest first, for a directory may be closed to us once it has its mode, and entries change its
  // time.
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
    if (entry->type == os::FileType::kDirectory) TRY(set_status(*entry, root / entry->path.str()));
  return {};
}

}  // namespace

Result<std::map<TreePath, CopiedRoot::Mark>> CopiedRoot::marks() const {
  std::map<TreePath, Mark> out;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(path()));
  for (const os::TreeEntry& entry : entries) {
    struct statx status {};
    const Path file = path() / entry.path.str();
    if (::statx(AT_FDCWD, file.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
                &status) != 0)
      return trouble("look at", file);
    Mark& mark = out[entry.path];
    mark.inode = entry.inode;
    mark.born = status.stx_btime.tv_sec * kNano + status.stx_btime.tv_nsec;
    // A directory's ctime changes with its entries, which are compared themselves.
    if (entry.type == os::FileType::kDirectory) mark.status = {entry.mode, entry.uid, entry.gid};
    else mark.status = {status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec, 0};
  }
  return out;
}

Result<CopiedRoot> CopiedRoot::make(const RootSpec& root) {
  const Path upper = std::filesystem::absolute(root.upper).lexically_normal();
  TRY(os::make_dirs(upper));
  os::TempDir folder =
      TRY(os::TempDir::create(upper.parent_path(), upper.filename().string() + ".root-"));
  CopiedRoot copied(std::move(folder), upper);
  if (::chmod(copied.path().c_str(), 0755) != 0) return trouble("set the mode of", copied.path());
  for (const Path& tree : root.lower) TRY(lay_over(tree, copied.path(), Whiteouts::kApply));
  TRY(lay_over(upper, copied.path(), Whiteouts::kApply));
  for (const char* name : {"proc", "dev", "tmp"})
    if (!os::exists(copied.path() / name)) TRY(os::make_dirs(copied.path() / name));
  copied.before_ = TRY(copied.marks());
  return copied;
}

/// One entry after the other, a directory before its content.
Result<> CopiedRoot::keep_changes() {
  const std::map<TreePath, Mark> after = TRY(marks());
  std::map<TreePath, os::TreeEntry> entries;
  std::vector<os::TreeEntry> listed = TRY(os::walk_tree(path()));
  for (os::TreeEntry& entry : listed) entries.emplace(entry.path, std::move(entry));
  std::vector<TreePath> folders;
  for (const auto& [name, mark] : before_)
    if (!after.contains(name) && (name.parent().is_root() || after.contains(name.parent()))) {
      TRY(reach(name.parent(), folders));
      TRY(os::remove_tree(upper_ / name.str()));
      if (::mknod((upper_ / name.str()).c_str(), S_IFCHR, 0) != 0)
        return trouble("mark as deleted", upper_ / name.str());
    }
  for (const auto& [name, mark] : after) {
    const auto old = before_.find(name);
    if (old != before_.end() && old->second == mark) continue;
    TRY(reach(name.parent(), folders));
    const Path kept = upper_ / name.str();
    const bool replaced =
        old != before_.end() && (old->second.inode != mark.inode || old->second.born != mark.born);
    if (entries.at(name).type != os::FileType::kDirectory) {
      TRY(os::remove_tree(kept));
      TRY(os::rename(path() / name.str(), kept));
      continue;
    }
    if (replaced) TRY(os::remove_tree(kept));
    TRY(reach(name, folders));
    folders.push_back(name);
    if (replaced && ::setxattr(kept.c_str(), kOpaque, "y", 1, 0) != 0)
      return trouble("mark as new", kept);
  }
  for (auto name = folders.rbegin(); name != folders.rend(); ++name)
    TRY(set_status(entries.at(*name), upper_ / name->str()));
  return {};
}

Result<> CopiedRoot::reach(const TreePath& folder, std::vector<TreePath>& made) const {
  if (folder.is_root()) return {};
  TRY(reach(folder.parent(), made));
  const Path kept = upper_ / folder.str();
  struct stat status {};
  const bool there = ::lstat(kept.c_str(), &status) == 0;
  if (there && S_ISDIR(status.st_mode)) return {};
  if (there) TRY(os::remove_tree(kept));
  if (::mkdir(kept.c_str(), 0700) != 0) return trouble("make", kept);
  made.push_back(folder);
  return {};
}

}  // namespace nacre::sandbox
