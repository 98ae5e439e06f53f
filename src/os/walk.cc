#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace nacre::os {
namespace {

constexpr std::size_t kMaxEntries = 4'000'000;

FileType type_of(mode_t mode) {
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  if (S_ISCHR(mode)) return FileType::kCharDevice;
  if (S_ISBLK(mode)) return FileType::kBlockDevice;
  if (S_ISFIFO(mode)) return FileType::kFifo;
  if (S_ISSOCK(mode)) return FileType::kSocket;
  return FileType::kRegular;
}

Result<std::vector<std::string>> names_in(int folder, const TreePath& path) {
  Fd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* listing = copy ? ::fdopendir(copy.get()) : nullptr;
  if (listing == nullptr) return system_error(errno, fmt::format("list '{}'", path.str()));
  copy.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(listing);
  std::sort(names.begin(), names.end());
  return names;
}

Result<TreeEntry> entry_at(int folder, const std::string& name, TreePath path) {
  struct stat status {};
  if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return system_error(errno, fmt::format("stat '{}'", path.str()));
  TreeEntry out;
  out.path = std::move(path);
  out.type = type_of(status.st_mode);
  out.mode = status.st_mode & 07777;
  out.uid = status.st_uid;
  out.gid = status.st_gid;
  out.mtime = status.st_mtim.tv_sec;
  out.inode = status.st_ino;
  out.dev_major = ::major(status.st_rdev);
  out.dev_minor = ::minor(status.st_rdev);
  if (out.type == FileType::kRegular || out.type == FileType::kSymlink)
    out.size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (out.type == FileType::kSymlink) {
    char target[4096];
    const ssize_t length = ::readlinkat(folder, name.c_str(), target, sizeof target);
    if (length < 0) return system_error(errno, fmt::format("read the link '{}'", out.path.str()));
    out.link_target.assign(target, static_cast<std::size_t>(length));
  }
  return out;
}

Result<> walk_into(int folder, const TreePath& path, std::vector<TreeEntry>& out) {
  const std::vector<std::string> names = TRY(names_in(folder, path));
  for (const std::string& name : names) {
    TreePath child = TRY(path.join(name));
    out.push_back(TRY(entry_at(folder, name, std::move(child))));
    if (out.size() > kMaxEntries)
      return Error::make(ErrorKind::kInvalid, "the tree has more than {} entries", kMaxEntries);
    if (out.back().type != FileType::kDirectory) continue;
    const Fd below(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below) return system_error(errno, fmt::format("open '{}'", out.back().path.str()));
    const TreePath here = out.back().path;
    TRY(walk_into(below.get(), here, out));
  }
  return {};
}

}  // namespace

Result<std::vector<TreeEntry>> walk_tree(const Path& root) {
  const Fd folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return system_error(errno, fmt::format("open '{}'", root.string()));
  std::vector<TreeEntry> out;
  TRY(walk_into(folder.get(), TreePath(), out), "walking '{}'", root.string());
  return out;
}

}  // namespace nacre::os
