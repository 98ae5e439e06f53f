#include "package/tree.h"

#include "base/text.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <utility>

namespace nacre::package {
namespace {

constexpr int kMaxLinks = 40;  // As the kernel has it.

void push_parts(std::deque<std::string>& front, std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  front.insert(front.begin(), parts.begin(), parts.end());
}

}  // namespace

Result<MappedFile> MappedFile::open(const os::Path& root, const TreePath& path) {
  const os::Fd fd = TRY(os::open_beneath(root, path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    return os::system_error(errno, fmt::format("stat '{}'", path.str()));
  MappedFile out;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return out;
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (memory == MAP_FAILED) return os::system_error(errno, fmt::format("map '{}'", path.str()));
  out.bytes_ = {static_cast<const char*>(memory), size};
  return out;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

Result<PackageTree> PackageTree::walk(const os::Path& root) {
  PackageTree out;
  out.root = root;
  out.entries = TRY(os::walk_tree(root));
  out.by_path_.reserve(out.entries.size());
  for (std::size_t i = 0; i < out.entries.size(); ++i) out.by_path_.emplace(out.entries[i].path.str(), i);
  return out;
}

const os::TreeEntry* PackageTree::find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &entries[found->second];
}

const os::TreeEntry* PackageTree::resolve(std::string_view path) const {
  std::deque<std::string> left;
  push_parts(left, path);
  std::string here;
  const os::TreeEntry* entry = nullptr;
  for (int links = 0; !left.empty();) {
    const std::string part = std::move(left.front());
    left.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const std::size_t slash = here.rfind('/');
      here.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    const std::string next = here.empty() ? part : here + "/" + part;
    entry = find(next);
    if (entry == nullptr) return nullptr;
    if (entry->type == os::FileType::kSymlink) {
      if (++links > kMaxLinks) return nullptr;
      if (entry->link_target.starts_with('/')) here.clear();
      push_parts(left, entry->link_target);
      continue;
    }
    if (entry->type != os::FileType::kDirectory && !left.empty()) return nullptr;
    here = next;
  }
  return find(here);
}

}  // namespace nacre::package
