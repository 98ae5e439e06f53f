#include "image/resolve.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace nacre::image {
namespace {

constexpr int kMaxLinks = 40;
constexpr std::size_t kMaxPathBytes = 4096;

/// Puts the components of `path` onto `pending`, the first one on top.
void push_components(std::string_view path, std::vector<std::string>& pending) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view part = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!part.empty() && part != ".") pending.emplace_back(part);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
}

/// Whether no component of `path` is special and none leads elsewhere.
bool is_plain(std::string_view path, Last last, const LinkLookup& link_at) {
  if (path.size() > kMaxPathBytes) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    if ((end < path.size() || last == Last::kFollow) && link_at(path.substr(0, end)) != nullptr) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

/// Paths of one tree have long beginnings in common: these are compared eight bytes at a time.
bool TreeOrder::operator()(std::string_view a, std::string_view b) const {
  const std::size_t both = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= both; at += sizeof(std::uint64_t)) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    if (x != y) break;
  }
  while (at < both && a[at] == b[at]) ++at;
  if (at == both) return a.size() < b.size();
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return rank(a[at]) < rank(b[at]);
}

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

std::string name_of_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

bool is_beneath(std::string_view path, std::string_view folder) {
  if (folder.empty()) return !path.empty();
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

Result<std::string> resolve(std::string_view path, Last last, const LinkLookup& link_at) {
  if (is_plain(path, last, link_at)) return std::string(path);
  std::vector<std::string> pending;
  push_components(path, pending);
  std::string out;
  int links = 0;
  while (!pending.empty()) {
    const std::string part = std::move(pending.back());
    pending.pop_back();
    if (part == "..") {
      out = parent_of(out);
      continue;
    }
    std::string next = out.empty() ? part : out + "/" + part;
    const bool follow = !pending.empty() || last == Last::kFollow;
    const std::string* target = follow ? link_at(next) : nullptr;
    if (target == nullptr) {
      out = std::move(next);
    } else {
      if (++links > kMaxLinks || target->size() > kMaxPathBytes)
        return Error::make(ErrorKind::kInvalid, "'{}' leads through too many levels of symlinks", path);
      if (target->starts_with('/')) out.clear();
      push_components(*target, pending);
    }
    if (out.size() > kMaxPathBytes)
      return Error::make(ErrorKind::kInvalid, "'{}' leads to a path of over {} bytes", path, kMaxPathBytes);
  }
  return out;
}

}  // namespace nacre::image
