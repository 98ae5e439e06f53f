#include "image/file_map.h"

#include "base/tree_path.h"

namespace nacre::image {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";  ///< Further marks of old storage drivers; nothing to us.

}  // namespace

Result<std::string> FileMap::resolved(std::string_view path, Last last) const {
  return resolve(path, last, [this](std::string_view at) -> const std::string* {
    const auto found = nodes_.find(at);
    return found != nodes_.end() && found->second.header.type == '2' ? &found->second.header.link : nullptr;
  });
}

/// Removes what is beneath `path`, and itself, as far as lower layers made it.
void FileMap::remove(std::string_view path, bool with_self, std::size_t before_layer) {
  auto at = path.empty() ? nodes_.begin() : nodes_.lower_bound(path);
  bool kept_inside = false;
  std::vector<std::map<std::string, Node, TreeOrder>::iterator> gone;
  for (; at != nodes_.end() && (at->first == path || is_beneath(at->first, path)); ++at) {
    if (at->first == path && !with_self) continue;
    if (at->second.layer < before_layer) gone.push_back(at);
    else kept_inside = true;
  }
  if (!kept_inside) {
    for (const auto& node : gone) nodes_.erase(node);
    return;
  }
  // Folders of what the layer itself brought stay.
  for (auto node = gone.rbegin(); node != gone.rend(); ++node) {
    const auto next = std::next(*node);
    const bool needed = next != nodes_.end() && is_beneath(next->first, (*node)->first);
    if (!needed) nodes_.erase(*node);
  }
}

Result<> FileMap::add_folders(std::string_view path) {
  for (std::string folder = parent_of(path); !folder.empty(); folder = parent_of(folder)) {
    const auto found = nodes_.find(folder);
    if (found != nodes_.end()) {
      if (found->second.header.type == '5') return {};
      return Error::make(ErrorKind::kInvalid, "layer {} has '{}', and '{}' is no directory", layer_, path,
                         folder);
    }
    codec::TarHeader header;
    header.path = folder;
    header.type = '5';
    header.mode = 0755;
    TRY(add_node(folder, header, {layer_, 0}));
  }
  return {};
}

Result<> FileMap::add_node(std::string path, const codec::TarHeader& header, Source source) {
  if (nodes_.size() >= limits_.max_nodes)
    return Error::make(ErrorKind::kInvalid, "the image has more than {} files", limits_.max_nodes);
  nodes_.insert_or_assign(std::move(path), Node{header, source, layer_});
  return {};
}

Result<> FileMap::add(const codec::TarHeader& header) {
  const Source source{layer_, next_++};
  const TreePath path = TRY(TreePath::parse(header.path));
  if (path.is_root()) return {};
  const std::string folder = TRY(resolved(path.parent().str(), Last::kFollow));
  const std::string_view name = path.name();
  const std::string prefix = folder.empty() ? "" : folder + "/";
  if (name == kOpaque) {
    remove(folder, false, layer_);
    return {};
  }
  if (name.starts_with(kAufs)) return {};
  if (name.starts_with(kWhiteout)) {
    if (name == kWhiteout || name == ".wh.." || name == ".wh...")
      return Error::make(ErrorKind::kInvalid, "layer {} deletes '{}', which names no file", layer_, path.str());
    remove(prefix + std::string(name.substr(kWhiteout.size())), true, layer_);
    return {};
  }

  const std::string at = prefix + std::string(name);
  TRY(add_folders(at));
  codec::TarHeader entry = header;
  Source content = source;
  if (header.type == '1') {
    const TreePath link = TRY(TreePath::parse(header.link));
    const std::string target = TRY(resolved(link.str(), Last::kKeep));
    const auto found = nodes_.find(target);
    if (found == nodes_.end() || found->second.header.type == '5')
      return Error::make(ErrorKind::kInvalid, "layer {} has the hard link '{}' to '{}', which is no file",
                         layer_, at, target);
    entry = found->second.header;
    content = found->second.source;
  }
  if (entry.type == '7') entry.type = '0';
  const auto old = nodes_.find(at);
  if (old != nodes_.end() && old->second.header.type == '5' && entry.type != '5') remove(at, true, layer_ + 1);
  return add_node(at, entry, content);
}

}  // namespace nacre::image
