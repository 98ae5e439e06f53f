#include "image/top.h"

#include "codec/digest.h"
#include "os/file.h"
#include "store/store.h"

#include <optional>
#include <set>

namespace nacre::image {
namespace {

/// A file's own content, or that of its first name for a hard link.
const Node& source_of(const MergedTree& tree, const Node& node) {
  if (node.same_as.empty()) return node;
  const auto found = tree.nodes.find(node.same_as);
  return found == tree.nodes.end() ? node : found->second;
}

/// Path, as the package has it, of the entry that holds a node's content.
const std::string& packaged_path(const std::vector<PackageContents>& packages, const Node& node) {
  const ContentEntry& entry = packages[static_cast<std::size_t>(node.package)].entries[node.entry];
  return entry.type == '1' ? entry.link : entry.path;
}

/// Writes tar entries into one gzip file.
class TarFile {
 public:
  explicit TarFile(os::AtomicFile& file)
      : gzip_([&file](std::string_view bytes) { return file.write(bytes); }) {}

  Result<> add(const codec::TarHeader& header, std::string_view content) {
    const std::string block = TRY(codec::tar_header(header));
    TRY(write(block));
    TRY(write(content));
    return write(std::string(codec::tar_padding(content.size()), '\0'));
  }
  Result<> add_file(const codec::TarHeader& header, const os::Path& content) {
    const std::string block = TRY(codec::tar_header(header));
    TRY(write(block));
    TRY(read_range(content, 0, header.size, [this](std::string_view bytes) { return write(bytes); }));
    return write(std::string(codec::tar_padding(header.size), '\0'));
  }
  Result<Sha256> finish() {
    TRY(write(codec::tar_end()));
    TRY(gzip_.finish());
    return hasher_.finish_sha256();
  }

 private:
  Result<> write(std::string_view bytes) {
    hasher_.update(bytes);
    return gzip_.write(bytes);
  }
  codec::Hasher hasher_;
  codec::GzipWriter gzip_;
};

codec::TarHeader header_of(const std::string& path, const Node& node) {
  codec::TarHeader header;
  header.path = path;
  header.type = node.type;
  header.mode = node.type == '2' ? 0777 : node.mode;
  header.uid = node.uid;
  header.gid = node.gid;
  header.size = node.type == '0' ? node.size : 0;
  header.mtime = node.mtime;
  header.link = node.link;
  header.pax = node.pax;
  return header;
}

}  // namespace

bool TopLayer::has(std::string_view path) const {
  const auto at = tree_.resolved(path, Last::kFollow);
  return at && (at->empty() || tree_.find(*at) != nullptr);
}

/// Where `path` stands, its folders made.
Result<std::string> TopLayer::place(std::string_view path, Last last) {
  std::string at = TRY(tree_.resolved(path, last));
  if (at.empty()) return at;
  TRY(add_folder(parent_of(at), 0755));
  return at;
}

Result<> TopLayer::add_folder(std::string_view path, unsigned mode, std::uint64_t uid, std::uint64_t gid) {
  const std::string at = TRY(tree_.resolved(path, Last::kFollow));
  if (at.empty()) return {};
  if (const Node* old = tree_.find(at)) {
    if (old->type == '5') return {};
    return Error::make(ErrorKind::kConflict, "'{}' should be a directory, and is none", at);
  }
  TRY(add_folder(parent_of(at), 0755));
  Node node;
  node.type = '5';
  node.mode = mode;
  node.uid = uid;
  node.gid = gid;
  node.mtime = mtime_;
  node.top = true;
  tree_.nodes.emplace(at, std::move(node));
  return {};
}

Result<> TopLayer::put_file(std::string_view path, std::string content, unsigned mode) {
  const std::string at = TRY(place(path, Last::kFollow));
  Node node;
  node.mode = mode;
  if (const Node* old = tree_.find(at)) {
    if (old->type != '0') return Error::make(ErrorKind::kConflict, "'{}' should be a file, and is none", at);
    node.mode = old->mode;
    node.uid = old->uid;
    node.gid = old->gid;
  }
  node.size = content.size();
  node.content = std::move(content);
  node.mtime = mtime_;
  node.top = true;
  tree_.nodes[at] = std::move(node);
  return {};
}

Result<> TopLayer::add_symlink(std::string_view path, std::string target) {
  const std::string at = TRY(place(path, Last::kKeep));
  if (const Node* old = tree_.find(at)) {
    if (old->type == '2' && old->link == target) return {};
    return Error::make(ErrorKind::kConflict, "'{}' is there already", at);
  }
  Node node;
  node.type = '2';
  node.mode = 0777;
  node.link = std::move(target);
  node.mtime = mtime_;
  node.top = true;
  tree_.nodes.emplace(at, std::move(node));
  return {};
}

Result<> TopLayer::apply(const PathChange& change) {
  auto done = change_path(change);
  if (!done)
    return std::move(done)
        .error()
        .at(change.place)
        .while_doing("applying {} to '{}'", change.type, change.path);
  return {};
}

Result<> TopLayer::change_path(const PathChange& change) {
  if (change.type == "directory") {
    TRY(add_folder(change.path, change.mode));
  } else if (change.type == "empty-file") {
    TRY(put_file(change.path, "", change.mode));
  } else if (change.type == "symlink") {
    TRY(add_symlink(change.path, change.source));
    const std::string at = TRY(tree_.resolved(change.path, Last::kKeep));
    if (Node* node = tree_.find(at); node != nullptr && change.owner_given) set_owner(*node, change);
    return {};
  } else if (change.type == "hardlink") {
    const std::string at = TRY(place(change.path, Last::kKeep));
    TRY(add_hard_link(change, at));
  }
  const std::string at = TRY(tree_.resolved(change.path, Last::kFollow));
  return change_owner(change, at);
}

Result<> TopLayer::add_hard_link(const PathChange& change, const std::string& path) {
  const std::string from = TRY(tree_.resolved(change.source, Last::kFollow));
  Node* source = tree_.find(from);
  if (source == nullptr)
    return Error::make(ErrorKind::kNotFound, "the image has no file '{}' to link to", change.source);
  if (source->type != '0')
    return Error::make(ErrorKind::kInvalid, "'{}' is no file, and only files have hard links", from);
  if (tree_.find(path) != nullptr) return Error::make(ErrorKind::kConflict, "'{}' is there already", path);
  source->top = true;
  Node link = *source;
  if (link.same_as.empty()) link.same_as = from;
  tree_.nodes.emplace(path, std::move(link));
  return {};
}

void TopLayer::set_owner(Node& node, const PathChange& change) const {
  node.uid = change.uid;
  node.gid = change.gid;
  node.top = true;
}

/// Mode and owner, of everything beneath too when the change is recursive. A hard link and its source are one
/// file.
Result<> TopLayer::change_owner(const PathChange& change, std::string_view path) {
  Node* first = tree_.find(path);
  if (first == nullptr)
    return Error::make(ErrorKind::kNotFound, "the image has no '{}' whose permissions could change",
                       change.path);
  const bool set_mode = change.type != "hardlink" || change.mode != 0;
  const std::string shared = first->same_as.empty() ? std::string(path) : first->same_as;
  for (auto& [at, node] : tree_.nodes) {
    const bool hit = at == path || (node.type == '0' && (at == shared || node.same_as == shared)) ||
                     (change.recursive && is_beneath(at, path));
    if (!hit) continue;
    if (set_mode && node.type != '2') {
      node.mode = change.mode;
      node.top = true;
    }
    if (change.owner_given) set_owner(node, change);
  }
  return {};
}

Result<std::string> TopLayer::read(std::string_view path, Env& env) const {
  const std::string at = TRY(tree_.resolved(path, Last::kFollow));
  const Node* found = tree_.find(at);
  if (found == nullptr) return std::string();
  const Node& node = source_of(tree_, *found);
  if (node.type != '0') return Error::make(ErrorKind::kInvalid, "'{}' is no file", at);
  if (node.content) return *node.content;
  const os::TempDir folder = TRY(scratch(env));
  const PackageContents& package = packages_[static_cast<std::size_t>(node.package)];
  const std::string& inside = packaged_path(packages_, node);
  const auto files = TRY(extract_files(package, {inside}, folder.path(), env));
  std::string content = TRY(os::read_file(files.at(inside)));
  return content;
}

/// Contents of package files that stand in the top layer too, by their path in the image.
Result<std::map<std::string, os::Path>> TopLayer::extract_needed(const os::Path& folder, Env& env) const {
  std::map<int, std::set<std::string>> wanted;
  const auto packaged = [](const Node& node) {
    return node.top && node.type == '0' && !node.content && node.package >= 0;
  };
  for (const auto& [path, node] : tree_.nodes)
    if (packaged(node)) wanted[node.package].insert(packaged_path(packages_, node));
  std::map<int, std::map<std::string, os::Path>> found;
  for (const auto& [package, paths] : wanted)
    found[package] = TRY(extract_files(packages_[static_cast<std::size_t>(package)],
                                       std::vector<std::string>(paths.begin(), paths.end()), folder, env));
  std::map<std::string, os::Path> out;
  for (const auto& [path, node] : tree_.nodes)
    if (packaged(node)) out[path] = found.at(node.package).at(packaged_path(packages_, node));
  return out;
}

Result<Layer> TopLayer::write_top(Env& env) {
  const os::TempDir folder = TRY(scratch(env));
  const auto extracted = TRY(extract_needed(folder.path(), env));
  std::set<std::string, TreeOrder> emitted;
  for (const auto& [path, node] : tree_.nodes)
    for (std::string at = node.top ? path : ""; !at.empty(); at = parent_of(at))
      if (!emitted.insert(at).second) break;

  os::AtomicFile file = TRY(os::AtomicFile::create(folder.path() / "top"));
  TarFile tar(file);
  std::map<std::string, std::string> first_name;  // of each hard-linked file
  for (const std::string& path : emitted) {
    const Node& node = tree_.nodes.find(path)->second;
    codec::TarHeader header = header_of(path, node);
    if (node.type == '0') {
      const std::string shared = node.same_as.empty() ? path : node.same_as;
      const auto [name, fresh] = first_name.try_emplace(shared, path);
      if (!fresh) {
        header.type = '1';
        header.link = name->second;
        header.size = 0;
        TRY(tar.add(header, ""));
        continue;
      }
      if (!node.content) {
        TRY(tar.add_file(header, extracted.at(path)));
        continue;
      }
    }
    TRY(tar.add(header, node.content ? *node.content : ""));
  }
  Layer layer;
  layer.diff_id = TRY(tar.finish());
  TRY(file.commit());
  layer.blob.media_type = kLayerType;
  layer.blob.digest = TRY(env.store.put_file(folder.path() / "top", store::Store::Take::kMove));
  layer.blob.size = TRY(env.store.size(layer.blob.digest));
  return layer;
}

}  // namespace nacre::image
