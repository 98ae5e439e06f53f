#include "build/snapshot.h"

#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace nacre::build {
namespace {

using os::Path;

/// The kernel stamps files with the time of its last tick. Whatever changed this shortly before a look may change again
/// under the same stamp.
constexpr std::int64_t kTickNs = 30'000'000;

std::int64_t ns_of(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// As a path that names the entry itself whatever it is.
std::string by_descriptor(int at, const char* name) { return fmt::format("/proc/self/fd/{}/{}", at, name); }

/// What says something of the file, not of the overlay mount that it stood in.
bool matters(std::string_view attribute) {
  return !attribute.starts_with("user.overlay.") || attribute == "user.overlay.opaque";
}

Result<std::vector<std::pair<std::string, std::string>>> attributes_of(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> out;
  char names[4096];
  const ssize_t size = ::llistxattr(path.c_str(), names, sizeof names);
  if (size < 0 && (errno == ENOTSUP || errno == ENODATA)) return out;
  if (size < 0) return os::system_error(errno, "list extended attributes");
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::strlen(names + at)) + 1) {
    if (!matters(names + at)) continue;
    char value[4096];
    const ssize_t count = ::lgetxattr(path.c_str(), names + at, value, sizeof value);
    if (count < 0) return os::system_error(errno, fmt::format("read the extended attribute '{}'", names + at));
    out.emplace_back(names + at, std::string(value, static_cast<std::size_t>(count)));
  }
  return out;
}

/// Shares blocks where the file system can; else the kernel copies.
Result<> copy_bytes(int in, int out) {
  if (::ioctl(out, FICLONE, in) == 0) return {};
  for (;;) {
    const ssize_t count = ::copy_file_range(in, nullptr, out, nullptr, 1u << 30, 0);
    if (count == 0) return {};
    if (count < 0 && errno != EINTR) return os::system_error(errno, "copy a file");
  }
}

Result<> copy_file(const Path& from, const Path& to, unsigned mode) {
  const os::Fd in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME));
  const os::Fd again(in ? -1 : ::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in && !again) return os::system_error(errno, fmt::format("open '{}'", from.string()));
  const os::Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!out) return os::system_error(errno, fmt::format("make '{}'", to.string()));
  return copy_bytes(in ? in.get() : again.get(), out.get());
}

Result<> make_entry(const SavedEntry& entry, const Path& path, const Path& work, const Path& snapshots) {
  int failed = 0;
  switch (entry.type) {
    case 'd': failed = ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST ? -1 : 0; break;
    case 'f': return copy_file(snapshots / entry.target, path, 0600);
    case 'h': failed = ::link((work / entry.target).c_str(), path.c_str()); break;
    case 'l': failed = ::symlink(entry.target.c_str(), path.c_str()); break;
    case 'p': failed = ::mkfifo(path.c_str(), 0600); break;
    case 'c': failed = ::mknod(path.c_str(), S_IFCHR | 0600, entry.device); break;
    default: return Error::make(ErrorKind::kInternal, "an entry of type '{}'", entry.type);
  }
  if (failed != 0) return os::system_error(errno, fmt::format("make '{}'", path.string()));
  return {};
}

/// Owner, then mode (which a change of owner narrows), then attributes (which it drops), then time.
Result<> dress(const SavedEntry& entry, const Path& path) {
  const auto bad = [&](const char* what) {
    return os::system_error(errno, fmt::format("{} '{}'", what, path.string()));
  };
  if (::geteuid() == 0 && ::lchown(path.c_str(), entry.uid, entry.gid) != 0) return bad("own");
  if (entry.type != 'l' && ::chmod(path.c_str(), entry.mode) != 0) return bad("set the mode of");
  for (const auto& [name, value] : entry.attributes)
    if (::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) return bad("set an attribute of");
  timespec times[2];
  times[0].tv_sec = times[1].tv_sec = entry.mtime_ns / 1'000'000'000;
  times[0].tv_nsec = times[1].tv_nsec = entry.mtime_ns % 1'000'000'000;
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return bad("set the time of");
  return {};
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

Result<Change> Tracker::look() {
  entries_.clear();
  inodes_.clear();
  seen_.clear();
  change_ = {};
  std::map<std::uint64_t, std::string> links;
  const os::Fd top(::open(work_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return os::system_error(errno, fmt::format("open '{}'", work_.string()));
  for (const std::string& folder : folders_) TRY(one(top.get(), folder.c_str(), folder, links));
  change_.entries = entries_.size();
  return change_;
}

Result<> Tracker::walk(int at, const std::string& path, std::map<std::uint64_t, std::string>& links) {
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(at));
  if (folder == nullptr) return os::system_error(errno, fmt::format("list '{}'", path));
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    TRY(one(::dirfd(folder.get()), entry->d_name, fmt::format("{}/{}", path, name), links));
  }
  return {};
}

Result<> Tracker::one(int at, const char* name, const std::string& path,
                      std::map<std::uint64_t, std::string>& links) {
  struct stat status {};
  if (::fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return os::system_error(errno, fmt::format("look at '{}'", path));
  SavedEntry entry;
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.mtime_ns = ns_of(status.st_mtim);
  entry.path = path;
  entry.attributes = TRY(attributes_of(by_descriptor(at, name)));
  const std::uint64_t inode = status.st_ino;
  if (S_ISDIR(status.st_mode)) {
    entry.type = 'd';
    entries_.push_back(std::move(entry));
    inodes_.push_back(inode);
    const int inner = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) return os::system_error(errno, fmt::format("open '{}'", path));
    return walk(inner, path, links);
  }
  if (status.st_nlink > 1) {
    const auto [first, is_new] = links.emplace(inode, path);
    if (!is_new) {
      entry.type = 'h';
      entry.target = first->second;
      entry.attributes.clear();
      entries_.push_back(std::move(entry));
      inodes_.push_back(inode);
      return {};
    }
  }
  if (S_ISLNK(status.st_mode)) {
    char target[4097];
    const ssize_t size = ::readlinkat(at, name, target, sizeof target);
    if (size < 0) return os::system_error(errno, fmt::format("read the link '{}'", path));
    entry.type = 'l';
    entry.target.assign(target, static_cast<std::size_t>(size));
  } else if (S_ISREG(status.st_mode)) {
    const Known now{static_cast<std::uint64_t>(status.st_size), ns_of(status.st_ctim), {}};
    const auto known = known_.find(inode);
    if (known != known_.end() && known->second.size == now.size && known->second.ctime_ns == now.ctime_ns) {
      entry.target = known->second.copy;
    } else {
      ++change_.files;
      change_.bytes += now.size;
    }
    seen_[inode] = now;
  } else if (S_ISFIFO(status.st_mode)) {
    entry.type = 'p';
  } else if (S_ISCHR(status.st_mode)) {
    entry.type = 'c';
    entry.device = status.st_rdev;
  } else {
    return Error::make(ErrorKind::kUnavailable, "'{}' is a socket or a device", path);
  }
  entries_.push_back(std::move(entry));
  inodes_.push_back(inode);
  return {};
}

Result<> Tracker::copy(const Path& folder, const std::string& key) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::uint64_t number = 0;
  std::unordered_map<std::uint64_t, Known> copied;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    SavedEntry& entry = entries_[i];
    if (entry.type != 'f') continue;
    if (entry.target.empty()) {
      const std::string name = std::to_string(number++);
      TRY(copy_file(work_ / entry.path, folder / name, 0600));
      entry.target = key + "/" + name;
    }
    Known known = seen_[inodes_[i]];
    known.copy = entry.target;
    // Too young: the next look takes it for changed.
    if (known.ctime_ns + kTickNs < ns_of(now)) copied[inodes_[i]] = std::move(known);
  }
  known_ = std::move(copied);
  return {};
}

Result<> Tracker::restore(const std::vector<SavedEntry>& entries, const Path& snapshots) {
  for (const std::string& folder : folders_) TRY(os::remove_tree(work_ / folder));
  for (const SavedEntry& entry : entries) {
    const Path path = work_ / entry.path;
    TRY(make_entry(entry, path, work_, snapshots));
    if (entry.type != 'd' && entry.type != 'h') TRY(dress(entry, path));
  }
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)  // content changes a directory's time
    if (entry->type == 'd') TRY(dress(*entry, work_ / entry->path));
  known_.clear();
  for (const SavedEntry& entry : entries) {
    struct stat status {};
    if (entry.type != 'f' || ::lstat((work_ / entry.path).c_str(), &status) != 0) continue;
    known_[status.st_ino] = {static_cast<std::uint64_t>(status.st_size), ns_of(status.st_ctim), entry.target};
  }
  // Whatever the next step writes must have another stamp than what stands here now.
  timespec tick{0, kTickNs};
  ::nanosleep(&tick, nullptr);
  return {};
}

std::string to_text(const std::vector<SavedEntry>& entries) {
  std::string out;
  const auto add = [&](std::string_view field) {
    out += field;
    out += '\0';
  };
  for (const SavedEntry& entry : entries) {
    add(fmt::format("{} {} {} {} {} {} {}", entry.type, entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.device,
                    entry.attributes.size()));
    add(entry.path);
    add(entry.target);
    for (const auto& [name, value] : entry.attributes) {
      add(name);
      std::string hex;
      for (const char c : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
      add(hex);
    }
  }
  return out;
}

Result<std::vector<SavedEntry>> entries_from_text(std::string_view text) {
  const auto torn = [] { return Error::make(ErrorKind::kInvalid, "a torn list of files"); };
  std::vector<SavedEntry> out;
  std::size_t at = 0;
  bool whole = true;
  const auto field = [&] {
    const std::size_t end = text.find('\0', at);
    whole = whole && end != std::string_view::npos;
    if (!whole) return std::string();
    std::string value(text.substr(at, end - at));
    at = end + 1;
    return value;
  };
  const auto number = [&](const std::string& word) {
    std::int64_t value = 0;
    const auto [stop, status] = std::from_chars(word.data(), word.data() + word.size(), value);
    whole = whole && status == std::errc{} && stop == word.data() + word.size();
    return value;
  };
  while (whole && at < text.size()) {
    SavedEntry entry;
    const std::vector<std::string> words = split(field(), ' ');
    if (words.size() != 7 || words[0].size() != 1) return torn();
    entry.type = words[0][0];
    entry.mode = static_cast<unsigned>(number(words[1]));
    entry.uid = static_cast<unsigned>(number(words[2]));
    entry.gid = static_cast<unsigned>(number(words[3]));
    entry.mtime_ns = number(words[4]);
    entry.device = static_cast<std::uint64_t>(number(words[5]));
    const std::int64_t attributes = number(words[6]);
    entry.path = field();
    entry.target = field();
    for (std::int64_t i = 0; whole && i < attributes; ++i) {
      std::string name = field(), value;
      const std::string hex = field();
      for (std::size_t digit = 0; digit + 1 < hex.size(); digit += 2) {
        unsigned byte = 0;
        std::from_chars(hex.data() + digit, hex.data() + digit + 2, byte, 16);
        value += static_cast<char>(byte);
      }
      entry.attributes.emplace_back(std::move(name), std::move(value));
    }
    if (!whole || entry.path.empty()) return torn();
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace nacre::build
