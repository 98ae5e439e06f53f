#include "image/resolve.h"

#include <algorithm>
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

}  // namespace

bool TreeOrder::operator()(std::string_view a, std::string_view b) const {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
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
