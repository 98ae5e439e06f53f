#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "apk/unpack_tar.h"
#include "os/file.h"

namespace nacre::apk {
namespace {

/// Not the machine's own: labels of a security module, access lists, an overlay's notes.
Result<> refuse_attributes(const os::Path& path, const TreePath& shown) {
  std::array<char, 65'536> names;  // XATTR_LIST_MAX
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return {};
  if (size < 0) return os::system_error(errno, fmt::format("list the attributes of '{}'", shown.str()));
  for (std::string_view left(names.data(), static_cast<std::size_t>(size)); !left.empty();) {
    const std::string_view name = left.substr(0, left.find('\0'));
    if (name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay.")))
      return Error::make(ErrorKind::kInvalid, "'{}' has the attribute {}, which does not come back from an engine",
                         shown.str(), name)
          .hint("build it without an engine, or give capabilities with `setcap:` of the definition");
    left.remove_prefix(std::min(left.size(), name.size() + 1));
  }
  return {};
}

class Packer {
 public:
  Packer(os::Path folder, os::AtomicFile out, const TarOwner* owner)
      : folder_(std::move(folder)), out_(std::move(out)), owner_(owner) {}

  Result<> add(const os::TreeEntry& entry) {
    codec::TarHeader header;
    header.path = entry.path.str();
    header.mode = entry.mode;
    header.uid = owner_ != nullptr ? owner_->uid : entry.uid;
    header.gid = owner_ != nullptr ? owner_->gid : entry.gid;
    header.mtime = std::max<std::int64_t>(0, entry.mtime);
    const os::Path path = folder_ / header.path;
    switch (entry.type) {
      case os::FileType::kDirectory:
        header.type = '5';
        TRY(refuse_attributes(path, entry.path));
        return head(header);
      case os::FileType::kSymlink:
        header.type = '2';
        header.link = entry.link_target;
        return head(header);
      case os::FileType::kRegular: break;
      default:
        return Error::make(ErrorKind::kInvalid,
                           "'{}' is a device or the like, which does not come back from an "
                           "engine",
                           header.path);
    }
    TRY(refuse_attributes(path, entry.path));
    if (const auto [first, fresh] = links_.emplace(entry.inode, header.path); !fresh) {
      header.type = '1';
      header.link = first->second;
      return head(header);
    }
    header.size = entry.size_bytes;
    TRY(head(header));
    return content(entry);
  }

  Result<> finish() {
    TRY(out_.write(codec::tar_end()));
    return out_.commit();
  }

 private:
  Result<> head(const codec::TarHeader& header) {
    const std::string bytes = TRY(codec::tar_header(header));
    return out_.write(bytes);
  }

  Result<> content(const os::TreeEntry& entry) {
    const os::Fd file = TRY(os::open_beneath(folder_, entry.path));
    std::string buffer(256u << 10, '\0');
    std::uint64_t left = entry.size_bytes;
    while (left > 0) {
      const ssize_t got = ::read(file.get(), buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return os::system_error(errno, fmt::format("read '{}'", entry.path.str()));
      if (got == 0) return Error::make(ErrorKind::kConflict, "'{}' became shorter while it was read", entry.path.str());
      TRY(out_.write(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
      left -= static_cast<std::uint64_t>(got);
    }
    return out_.write(std::string(codec::tar_padding(entry.size_bytes), '\0'));
  }

  os::Path folder_;
  os::AtomicFile out_;
  const TarOwner* owner_;
  std::map<std::uint64_t, std::string> links_;  ///< First path of each inode.
};

}  // namespace

Result<> pack_tar(const std::filesystem::path& folder, const std::filesystem::path& tar, const TarOwner* owner) {
  os::AtomicFile out = TRY(os::AtomicFile::create(tar));
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
  Packer packer(folder, std::move(out), owner);
  for (const os::TreeEntry& entry : entries) TRY(packer.add(entry), "packing '{}'", entry.path.str());
  return packer.finish();
}

}  // namespace nacre::apk
