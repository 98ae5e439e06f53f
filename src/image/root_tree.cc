#include "image/root_tree.h"

#include "image/contents.h"
#include "image/resolve.h"
#include "store/store.h"

namespace nacre::image {
namespace {

constexpr std::uint64_t kMaxTextFile = 16u << 20;

}  // namespace

Result<RootTree> RootTree::read(const Sha256& manifest, const os::Path& folder, Env& env) {
  RootTree out;
  out.manifest_ = manifest;
  out.contents_ = folder / "contents";
  const ImageParts parts = TRY(read_parts(manifest, env));
  const FileMap files = TRY(read_file_map(parts, env), "reading image {}", manifest.oci());
  out.nodes_ = files.nodes();
  for (const auto& [path, node] : out.nodes_)
    if (node.header.type == '0') out.names_[node.source].push_back(path);
  TRY(out.gather(parts, env));
  return out;
}

Result<> RootTree::gather(const ImageParts& parts, Env& env) {
  os::AtomicFile out = TRY(os::AtomicFile::create(contents_));
  std::uint64_t at = 0;
  for (std::size_t layer = 0; layer < parts.layers.size(); ++layer) {
    FileMap::Source source{layer + 1, 0};
    bool keep = false;
    const auto on_entry = [&](const codec::TarHeader&) -> Result<> {
      keep = names_.contains(source);
      if (keep) offsets_[source] = at;
      ++source.entry;
      return {};
    };
    const auto on_data = [&](std::string_view bytes) -> Result<> {
      if (!keep) return {};
      at += bytes.size();
      return out.write(bytes);
    };
    TRY(read_layer(parts, layer, Check::kYes, {on_entry, on_data}, env));
  }
  return out.commit();
}

const FileMap::Node* RootTree::find(std::string_view path) const {
  const auto link_at = [this](std::string_view at) -> const std::string* {
    const auto found = nodes_.find(at);
    return found != nodes_.end() && found->second.header.type == '2' ? &found->second.header.link : nullptr;
  };
  const auto real = resolve(path, Last::kFollow, link_at);
  const auto found = real ? nodes_.find(*real) : nodes_.end();
  return found == nodes_.end() ? nullptr : &found->second;
}

Result<> RootTree::write_part(const FileMap::Node& node, std::uint64_t from, std::uint64_t size,
                              const codec::Sink& sink) const {
  if (size == 0) return {};
  if (const auto added = added_.find(node.source); added != added_.end())
    return sink(std::string_view(added->second).substr(from, size));
  return read_range(contents_, offsets_.at(node.source) + from, size, sink);
}

Result<std::string> RootTree::text(std::string_view path) const {
  std::string out;
  const FileMap::Node* node = find(path);
  if (node == nullptr || node->header.type != '0') return out;
  if (node->header.size > kMaxTextFile)
    return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, more than {}", path, node->header.size, kMaxTextFile);
  TRY(write(*node, [&out](std::string_view bytes) -> Result<> {
    out += bytes;
    return {};
  }));
  return out;
}

Result<> RootTree::put(const std::string& path, codec::TarHeader header, std::string content) {
  if (const std::string folder = parent_of(path); !folder.empty()) {
    const auto found = nodes_.find(folder);
    if (found == nodes_.end()) TRY(put(folder, {.path = folder, .type = '5', .mode = 0755}));
    else if (found->second.header.type != '5')
      return Error::make(ErrorKind::kInvalid, "'{}' is no directory, so '{}' cannot be made", folder, path);
  }
  if (const auto old = nodes_.find(path); old != nodes_.end()) {
    if (old->second.header.type == '5' && header.type != '5')
      return Error::make(ErrorKind::kInvalid, "the image has a directory '{}', where something else must stand", path);
    if (old->second.header.type == '0') std::erase(names_.at(old->second.source), path);
  }
  const FileMap::Source source{0, added_.size()};  // layers count from 1
  header.path = path;
  header.size = content.size();
  if (header.type == '0') {
    names_[source] = {path};
    added_[source] = std::move(content);
  }
  nodes_.insert_or_assign(path, FileMap::Node{std::move(header), source, 0});
  return {};
}

unsigned stat_mode(const codec::TarHeader& header) {
  switch (header.type) {
    case '2': return 0120777;
    case '3': return 0020000 | header.mode;
    case '4': return 0060000 | header.mode;
    case '5': return 0040000 | header.mode;
    case '6': return 0010000 | header.mode;
    default: return 0100000 | header.mode;
  }
}

}  // namespace nacre::image
