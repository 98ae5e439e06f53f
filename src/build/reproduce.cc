#include "build/reproduce.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

namespace nacre::build {
namespace {

using os::Path;
using os::TreeEntry;

/// One entry, and the first name of the file that it is a link to.
struct Item {
  const TreeEntry* entry = nullptr;
  std::string same_as;
};

std::map<TreePath, Item> index(const std::vector<TreeEntry>& entries) {
  std::map<TreePath, Item> out;
  std::map<std::uint64_t, std::string> first;
  for (const TreeEntry& entry : entries) {
    const bool file = entry.type == os::FileType::kRegular;
    const std::string name =
        file ? first.emplace(entry.inode, entry.path.str()).first->second : entry.path.str();
    out[entry.path] = {&entry, name};
  }
  return out;
}

std::string_view name_of(os::FileType type) {
  switch (type) {
    case os::FileType::kRegular: return "a file";
    case os::FileType::kDirectory: return "a directory";
    case os::FileType::kSymlink: return "a symlink";
    case os::FileType::kCharDevice: return "a character device";
    case os::FileType::kBlockDevice: return "a block device";
    case os::FileType::kFifo: return "a fifo";
    case os::FileType::kSocket: return "a socket";
  }
  return "something";
}

Result<std::string> read_some(const os::Fd& fd, const TreePath& path) {
  std::string buffer(1u << 18, '\0');
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t count = ::read(fd.get(), buffer.data() + size, buffer.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os::system_error(errno, fmt::format("read '{}'", path.str()));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  buffer.resize(size);
  return buffer;
}

/// Offset of the first byte that differs.
Result<std::optional<std::uint64_t>> first_difference(const Path& a, const Path& b,
                                                      const TreePath& path) {
  const os::Fd in_a = TRY(os::open_beneath(a, path));
  const os::Fd in_b = TRY(os::open_beneath(b, path));
  for (std::uint64_t offset = 0;;) {
    const std::string part_a = TRY(read_some(in_a, path));
    const std::string part_b = TRY(read_some(in_b, path));
    const auto [at, other] =
        std::mismatch(part_a.begin(), part_a.end(), part_b.begin(), part_b.end());
    if (at != part_a.end() || other != part_b.end())
      return std::optional(offset + static_cast<std::uint64_t>(at - part_a.begin()));
    if (part_a.empty()) return std::optional<std::uint64_t>();
    offset += part_a.size();
  }
}

/// What differs between two entries of one path; empty for nothing.
Result<std::string> difference(const Path& root_a, const Item& a, const Path& root_b,
                               const Item& b) {
  const TreeEntry &x = *a.entry, &y = *b.entry;
  if (x.type != y.type) return fmt::format("{} and {}", name_of(x.type), name_of(y.type));
  if (x.mode != y.mode) return fmt::format("mode {:04o} and {:04o}", x.mode, y.mode);
  if (x.uid != y.uid || x.gid != y.gid)
    return fmt::format("owner {}:{} and {}:{}", x.uid, x.gid, y.uid, y.gid);
  if (x.link_target != y.link_target)
    return fmt::format("leads to '{}' and to '{}'", x.link_target, y.link_target);
  if (x.dev_major != y.dev_major || x.dev_minor != y.dev_minor)
    return fmt::format("device {}:{} and {}:{}", x.dev_major, x.dev_minor, y.dev_major,
                       y.dev_minor);
  if (a.same_as != b.same_as)
    return fmt::format("one file with '{}' and with '{}'", a.same_as, b.same_as);
  if (x.type != os::FileType::kRegular) return std::string();
  if (x.size_bytes != y.size_bytes)
    return fmt::format("{} and {} bytes", x.size_bytes, y.size_bytes);
  const auto offset = TRY(first_difference(root_a, root_b, x.path));
  return offset ? fmt::format("byte {} of {} differs", *offset, x.size_bytes) : std::string();
}

}  // namespace

Result<std::vector<std::string>> compare_trees(const Path& a, const Path& b) {
  const std::vector<TreeEntry> entries_a = TRY(os::walk_tree(a));
  const std::vector<TreeEntry> entries_b = TRY(os::walk_tree(b));
  const std::map<TreePath, Item> in_a = index(entries_a), in_b = index(entries_b);
  std::map<TreePath, std::string> found;
  for (const auto& [path, item] : in_a) {
    const auto other = in_b.find(path);
    if (other == in_b.end()) {
      found[path] = "only in the first";
      continue;
    }
    std::string text = TRY(difference(a, item, b, other->second));
    if (!text.empty()) found[path] = std::move(text);
  }
  for (const auto& [path, item] : in_b)
    if (!in_a.contains(path)) found[path] = "only in the second";
  std::vector<std::string> out;
  for (const auto& [path, text] : found) out.push_back(path.str() + ": " + text);
  return out;
}

}  // namespace nacre::build
