#include "base/tree_path.h"

#include <cstdio>
#include <cstdlib>

namespace nacre {
namespace {

constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxNameBytes = 255;

std::string_view strip_edges(std::string_view text) {
  while (text.starts_with("./") || text.starts_with('/'))
    text.remove_prefix(text.front() == '/' ? 1 : 2);
  if (text.ends_with('/')) text.remove_suffix(1);
  return text == "." ? std::string_view{} : text;
}

}  // namespace

Result<TreePath> TreePath::parse(std::string_view text) {
  const std::string_view path = strip_edges(text);
  if (path.size() > kMaxPathBytes)
    return Error::make(ErrorKind::kInvalid, "path of {} bytes is longer than {}", path.size(),
                       kMaxPathBytes);
  if (path.find('\0') != std::string_view::npos)
    return Error::make(ErrorKind::kInvalid, "path '{}' contains a NUL byte",
                       path.substr(0, path.find('\0')));
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part.empty() || part == "." || part == "..")
      return Error::make(ErrorKind::kInvalid, "path '{}' has the component '{}'", text, part);
    if (part.size() > kMaxNameBytes)
      return Error::make(ErrorKind::kInvalid, "path has a component of {} bytes, more than {}",
                         part.size(), kMaxNameBytes);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return TreePath(std::string(path));
}

TreePath TreePath::literal(std::string_view text) {
  auto path = parse(text);
  if (!path) {
    std::fprintf(stderr, "nacre: bad literal path: %s\n", path.error().render().c_str());
    std::abort();
  }
  return *std::move(path);
}

TreePath TreePath::parent() const {
  const std::size_t slash = text_.rfind('/');
  return slash == std::string::npos ? TreePath() : TreePath(text_.substr(0, slash));
}

std::string_view TreePath::name() const {
  const std::size_t slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view(text_)
                                    : std::string_view(text_).substr(slash + 1);
}

bool TreePath::is_under(const TreePath& folder) const {
  if (folder.is_root()) return !is_root();
  return text_.size() > folder.text_.size() && text_.starts_with(folder.text_) &&
         text_[folder.text_.size()] == '/';
}

Result<TreePath> TreePath::join(std::string_view child) const {
  return parse(is_root() ? std::string(child) : text_ + "/" + std::string(child));
}

}  // namespace nacre
