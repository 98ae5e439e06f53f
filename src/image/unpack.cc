#include "base/events.h"
#include "image/read.h"
#include "os/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace nacre::image {
namespace {

/// Opens a directory beneath `root`; nothing in the tree can lead out of it.
Result<os::Fd> open_folder(const os::Fd& root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  os::Fd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof how)));
  if (!fd) return os::system_error(errno, fmt::format("open '{}' of the image", path));
  return fd;
}

/// Writes the files of a FileMap: folders first, then contents layer by layer, then modes and times of
/// folders. The map's paths have no symlinks among their folders, so that each name is made once, under a
/// real directory.
class Unpacker {
 public:
  Unpacker(const ImageParts& parts, const FileMap& files, os::Fd root, Env& env)
      : parts_(parts), files_(files), root_(std::move(root)), env_(env) {}

  Result<> run() {
    for (const auto& [path, node] : files_.nodes()) {
      if (node.header.type == '5') TRY(make_folder(path));
      else if (node.header.type == '0') names_[node.source].push_back(path);
      else if (node.header.type == '2') TRY(make_link(path, node.header));
      // Devices and pipes are left out: runtimes bring their own.
    }
    for (std::size_t i = 0; i < parts_.layers.size(); ++i) TRY(write_layer(i));
    for (auto at = files_.nodes().rbegin(); at != files_.nodes().rend(); ++at)
      if (at->second.header.type == '5') TRY(finish_folder(at->first, at->second.header));
    return {};
  }

 private:
  Result<> make_folder(const std::string& path) {
    const os::Fd parent = TRY(open_folder(root_, parent_of(path)));
    if (::mkdirat(parent.get(), name_of_path(path).c_str(), 0700) != 0)
      return os::system_error(errno, fmt::format("create '{}' of the image", path));
    return {};
  }

  Result<> make_link(const std::string& path, const codec::TarHeader& header) {
    const os::Fd parent = TRY(open_folder(root_, parent_of(path)));
    const std::string name = name_of_path(path);
    if (header.link.empty() || header.link.find('\0') != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "symlink '{}' of the image has no target", path);
    if (::symlinkat(header.link.c_str(), parent.get(), name.c_str()) != 0)
      return os::system_error(errno, fmt::format("create '{}' of the image", path));
    if (keep_owner_ && ::fchownat(parent.get(), name.c_str(), static_cast<uid_t>(header.uid),
                                  static_cast<gid_t>(header.gid), AT_SYMLINK_NOFOLLOW) != 0)
      return os::system_error(errno, fmt::format("give '{}' its owner", path));
    const timespec times[2] = {{header.mtime, 0}, {header.mtime, 0}};
    ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return {};
  }

  Result<> write_layer(std::size_t layer) {
    entry_ = 0;
    const auto on_entry = [this, layer](const codec::TarHeader&) -> Result<> {
      TRY(close_file());
      const auto found = names_.find({layer + 1, entry_++});
      return found == names_.end() ? Result<>{} : open_file(found->second);
    };
    const auto on_data = [this](std::string_view bytes) { return file_ ? write(bytes) : Result<>{}; };
    TRY(read_layer(parts_, layer, Check::kNo, {on_entry, on_data}, env_));
    return close_file();
  }

  Result<> open_file(const std::vector<std::string>& paths) {
    current_ = &paths;
    const os::Fd parent = TRY(open_folder(root_, parent_of(paths.front())));
    const std::string name = name_of_path(paths.front());
    file_ = os::Fd(
        ::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_) return os::system_error(errno, fmt::format("create '{}' of the image", paths.front()));
    return {};
  }

  Result<> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(file_.get(), bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return os::system_error(errno, fmt::format("write '{}' of the image", current_->front()));
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    return {};
  }

  /// Owner, mode and time of the file just written, and its further names.
  Result<> close_file() {
    if (!file_) return {};
    const std::string& first = current_->front();
    TRY(set_attributes(file_, first, files_.nodes().find(first)->second.header));
    file_.reset();
    const os::Fd from = TRY(open_folder(root_, parent_of(first)));
    for (std::size_t i = 1; i < current_->size(); ++i) {
      const std::string& path = (*current_)[i];
      const os::Fd to = TRY(open_folder(root_, parent_of(path)));
      if (::linkat(from.get(), name_of_path(first).c_str(), to.get(), name_of_path(path).c_str(), 0) != 0)
        return os::system_error(errno, fmt::format("link '{}' of the image", path));
    }
    return {};
  }

  Result<> finish_folder(const std::string& path, const codec::TarHeader& header) {
    const os::Fd folder = TRY(open_folder(root_, path));
    return set_attributes(folder, path, header);
  }

  Result<> set_attributes(const os::Fd& fd, const std::string& path, const codec::TarHeader& header) {
    if (keep_owner_ && ::fchown(fd.get(), static_cast<uid_t>(header.uid), static_cast<gid_t>(header.gid)) != 0)
      return os::system_error(errno, fmt::format("give '{}' its owner", path));
    if (::fchmod(fd.get(), header.mode & 07777) != 0)
      return os::system_error(errno, fmt::format("set the permissions of '{}'", path));
    // File capabilities; a file system that has none of them leaves the file usable by root.
    const auto capability = header.pax.find("SCHILY.xattr.security.capability");
    if (keep_owner_ && capability != header.pax.end())
      (void)::fsetxattr(fd.get(), "security.capability", capability->second.data(), capability->second.size(),
                        0);
    const timespec times[2] = {{header.mtime, 0}, {header.mtime, 0}};
    ::futimens(fd.get(), times);
    return {};
  }

  const ImageParts& parts_;
  const FileMap& files_;
  os::Fd root_;
  Env& env_;
  const bool keep_owner_ = ::geteuid() == 0;
  std::map<FileMap::Source, std::vector<std::string>> names_;  ///< Paths of each file.
  std::size_t entry_ = 0;
  os::Fd file_;
  const std::vector<std::string>* current_ = nullptr;
};

}  // namespace

Result<> unpack_image(const Sha256& manifest, const os::Path& folder, Env& env) {
  std::error_code error;
  if (!std::filesystem::is_empty(folder, error))
    return error ? os::system_error(error.value(), fmt::format("open '{}'", folder.string()))
                 : Error::make(ErrorKind::kConflict, "'{}' is not empty", folder.string());
  os::Fd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return os::system_error(errno, fmt::format("open '{}'", folder.string()));
  Task task(env.events, "unpack image " + manifest.hex().substr(0, 12));
  const ImageParts parts = TRY(read_parts(manifest, env));
  const FileMap files = TRY(read_file_map(parts, env), "unpacking image {}", manifest.oci());
  Unpacker unpacker(parts, files, std::move(root), env);
  TRY(unpacker.run(), "unpacking image {}", manifest.oci());
  task.finish(fmt::format("{} files", files.nodes().size()));
  return {};
}

}  // namespace nacre::image
