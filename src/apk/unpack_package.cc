#include "apk/package_file.h"
#include "apk/unpack_tar.h"
#include "os/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>

namespace nacre::apk {
namespace {

/// What becomes of owners and modes.
enum class Keeping { kAll, kModes, kNeither };

/// Writes the entries of a data segment beneath one folder. Every directory is reached through openat2 without
/// following a symlink, and every entry is made new, so nothing that an archive says can touch what it did not make
/// itself.
class Unpacker {
 public:
  Unpacker(os::Fd root, Keeping keeping) : root_(std::move(root)), keeping_(keeping) {}

  Result<> on_entry(const codec::TarHeader& header) {
    TRY(finish_file());
    const TreePath path = TRY(TreePath::parse(header.path));
    switch (header.type) {
      case '0': return begin_file(path, header);
      case '1': return make_hard_link(path, header);
      case '2': return make_symlink(path, header);
      case '5': return make_directory(path, header);
      default: return {};  // devices and fifos are not ours to make
    }
  }

  Result<> on_data(std::string_view bytes) {
    while (file_ && !bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fault("write", file_header_.path);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  /// Modes and times of directories come last: a read-only one could not have been filled.
  Result<> finish() {
    TRY(finish_file());
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
      const os::Fd fd = TRY(open_folder(folder->first, O_RDONLY));
      TRY(set_attributes(fd.get(), folder->second));
    }
    return {};
  }

 private:
  static Error fault(std::string_view what, std::string_view path) {
    if (errno == EEXIST) return Error::make(ErrorKind::kInvalid, "'{}' takes the place of another entry", path);
    return os::system_error(errno, fmt::format("{} '{}'", what, path));
  }

  /// The directory at `path`, which must be there, be no symlink and have none on the way.
  Result<os::Fd> open_folder(const TreePath& path, unsigned flags) {
    open_how how{};
    how.flags = flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    const std::string text = path.is_root() ? "." : path.str();
    const long fd = ::syscall(SYS_openat2, root_.get(), text.c_str(), &how, sizeof how);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
      return Error::make(ErrorKind::kInvalid,
                         "an entry lies beneath '{}', which is no directory or leads through a symlink", path.str());
    if (fd < 0) return fault("open the directory", text);
    return os::Fd(static_cast<int>(fd));
  }

  /// Opens the directory that holds the entry; the one used last is kept open. What the archive left out is made, with
  /// the time of the entry that needs it.
  Result<int> parent_of(const TreePath& path, std::int64_t mtime) {
    const TreePath parent = path.parent();
    if (parent_ && parent_path_ == parent) return parent_.get();
    for (std::size_t end = 0; end != std::string::npos && !parent.is_root();) {
      end = parent.str().find('/', end + 1);
      const TreePath step = TRY(TreePath::parse(parent.str().substr(0, end)));
      TRY(make_missing(step, mtime));
    }
    parent_ = TRY(open_folder(parent, O_RDONLY));
    parent_path_ = parent;
    return parent_.get();
  }

  Result<> make_missing(const TreePath& path, std::int64_t mtime) {
    const os::Fd above = TRY(open_folder(path.parent(), O_PATH));
    if (::mkdirat(above.get(), std::string(path.name()).c_str(), 0700) == 0)
      folders_[path] = {.path = path.str(), .type = '5', .mode = 0755, .mtime = mtime};
    else if (errno != EEXIST)
      return fault("make the directory", path.str());
    return {};
  }

  Result<> make_directory(const TreePath& path, const codec::TarHeader& header) {
    const int parent = TRY(parent_of(path, header.mtime));
    if (::mkdirat(parent, std::string(path.name()).c_str(), 0700) != 0 && errno != EEXIST)
      return fault("make the directory", path.str());
    const os::Fd made = TRY(open_folder(path, O_RDONLY));  // refuses what was there and is none
    folders_[path] = header;
    return {};
  }

  Result<> begin_file(const TreePath& path, const codec::TarHeader& header) {
    const int parent = TRY(parent_of(path, header.mtime));
    file_ = os::Fd(::openat(parent, std::string(path.name()).c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_) return fault("create", path.str());
    file_header_ = header;
    return {};
  }

  Result<> finish_file() {
    if (!file_) return {};
    TRY(set_attributes(file_.get(), file_header_));
    file_.reset();
    return {};
  }

  Result<> make_symlink(const TreePath& path, const codec::TarHeader& header) {
    const int parent = TRY(parent_of(path, header.mtime));
    const std::string name(path.name());
    if (header.link.empty() || header.link.find('\0') != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "the symlink '{}' has no usable target", path.str());
    if (::symlinkat(header.link.c_str(), parent, name.c_str()) != 0) return fault("make the symlink", path.str());
    if (keeping_ == Keeping::kAll) {
      const Owner owner = TRY(owner_of(header));
      if (::fchownat(parent, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fault("set the owner of", path.str());
    }
    const timespec times[2] = {{header.mtime, 0}, {header.mtime, 0}};
    if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return fault("set the time of", path.str());
    return {};
  }

  Result<> make_hard_link(const TreePath& path, const codec::TarHeader& header) {
    auto target = TreePath::parse(header.link);
    if (!target || header.link.starts_with('/'))
      return Error::make(ErrorKind::kInvalid, "the hard link '{}' leads outside, to '{}'", path.str(), header.link);
    const os::Fd folder = TRY(open_folder(target->parent(), O_PATH), "linking '{}'", path.str());
    const std::string from(target->name()), name(path.name());
    struct stat status {};
    if (::fstatat(folder.get(), from.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      return Error::make(ErrorKind::kInvalid, "the hard link '{}' names '{}', which is no earlier file", path.str(),
                         header.link);
    const int parent = TRY(parent_of(path, header.mtime));
    if (::linkat(folder.get(), from.c_str(), parent, name.c_str(), 0) != 0) return fault("make the link", path.str());
    return {};
  }

  struct Owner {
    uid_t uid;
    gid_t gid;
  };
  static Result<Owner> owner_of(const codec::TarHeader& header) {
    constexpr std::uint64_t kLargest = 0xfffffffe;  // the one above means "leave as it is"
    if (header.uid > kLargest || header.gid > kLargest)
      return Error::make(ErrorKind::kInvalid, "'{}' belongs to {}:{}, which is no owner", header.path, header.uid,
                         header.gid);
    return Owner{static_cast<uid_t>(header.uid), static_cast<gid_t>(header.gid)};
  }

  /// Owner first: changing it clears the setuid bit.
  Result<> set_attributes(int fd, const codec::TarHeader& header) const {
    unsigned mode = header.mode & 07777;
    if (keeping_ == Keeping::kAll) {
      const Owner owner = TRY(owner_of(header));
      if (::fchown(fd, owner.uid, owner.gid) != 0) return fault("set the owner of", header.path);
    } else if (keeping_ == Keeping::kNeither) {
      mode &= 01777;
    }
    if (::fchmod(fd, mode) != 0) return fault("set the mode of", header.path);
    const timespec times[2] = {{header.mtime, 0}, {header.mtime, 0}};
    if (::futimens(fd, times) != 0) return fault("set the time of", header.path);
    return {};
  }

  os::Fd root_;
  Keeping keeping_;
  os::Fd file_, parent_;
  TreePath parent_path_;
  codec::TarHeader file_header_;
  std::map<TreePath, codec::TarHeader> folders_;
};

}  // namespace

Result<> unpack_package(const std::filesystem::path& path, const std::filesystem::path& folder, Owners owners,
                        const ReadLimits& limits) {
  os::Fd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return os::system_error(errno, fmt::format("open '{}'", folder.string()));
  Unpacker unpacker(std::move(root), owners == Owners::kKeep ? Keeping::kAll : Keeping::kNeither);
  const codec::TarReader::Visitor visitor = {
      [&](const codec::TarHeader& header) { return unpacker.on_entry(header); },
      [&](std::string_view bytes) { return unpacker.on_data(bytes); }};
  TRY(read_package(path, &visitor, limits), "unpacking into '{}'", folder.string());
  return unpacker.finish();
}

Result<> unpack_tar(const std::filesystem::path& tar, const std::filesystem::path& folder, TarOwners owners,
                    const codec::TarLimits& limits) {
  os::Fd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return os::system_error(errno, fmt::format("open '{}'", folder.string()));
  const os::Fd file(::open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return os::system_error(errno, fmt::format("open '{}'", tar.string()));
  Unpacker unpacker(std::move(root), owners == TarOwners::kAsGiven ? Keeping::kAll : Keeping::kModes);
  const codec::TarReader::Visitor visitor = {
      [&](const codec::TarHeader& header) -> Result<> {
        if (header.type != '0' && header.type != '1' && header.type != '2' && header.type != '5')
          return Error::make(ErrorKind::kInvalid, "'{}' is no file, link or directory", header.path);
        return unpacker.on_entry(header);
      },
      [&](std::string_view bytes) { return unpacker.on_data(bytes); }};
  codec::TarReader reader(visitor, limits);
  std::string buffer(256u << 10, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", tar.string()));
    if (got == 0) break;
    TRY(reader.push(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
  TRY(reader.finish());
  return unpacker.finish();
}

}  // namespace nacre::apk
