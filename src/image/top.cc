#include "image/top.h"

#include "base/text.h"
#include "codec/digest.h"
#include "os/file.h"
#include "store/store.h"

#include <charconv>
#include <memory>
#include <optional>
#include <set>

namespace nacre::image {
namespace {

/// Of layers that are written for one image: libdeflate, a member each MiB.
constexpr codec::GzipWriter::Options kFast{.level = 2, .form = codec::GzipWriter::Form::kMembers};
constexpr std::string_view kDatabase = "usr/lib/apk/db/installed";

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

/// What makes two names one file: package and path in it of what holds the content; a path of what no package gave.
using Inode = std::pair<int, std::string_view>;
Inode inode_of(const MergedTree& tree, const std::vector<PackageContents>& packages,
               const MergedTree::Nodes::value_type& row) {
  const Node& node = source_of(tree, row.second);
  if (node.package >= 0 && !node.content) return {node.package, packaged_path(packages, node)};
  return {-1, row.second.same_as.empty() ? row.first : row.second.same_as};
}

/// Writes tar entries into one gzip blob.
class TarFile {
 public:
  TarFile(BlobFile file, codec::GzipWriter::Options options)
      : file_(std::make_unique<BlobFile>(std::move(file))),
        gzip_([out = file_.get()](std::string_view bytes) { return out->write(bytes); }, options) {}

  Result<> add(const codec::TarHeader& header, std::string_view content) {
    const std::string block = TRY(codec::tar_header(header));
    TRY(write(block));
    TRY(write(content));
    return write(codec::tar_end().substr(0, codec::tar_padding(content.size())));
  }
  Result<> add_file(const codec::TarHeader& header, const os::Path& content, std::uint64_t offset = 0) {
    const std::string block = TRY(codec::tar_header(header));
    TRY(write(block));
    TRY(read_range(content, offset, header.size, [this](std::string_view bytes) { return write(bytes); }));
    return write(codec::tar_end().substr(0, codec::tar_padding(header.size)));
  }
  Result<Layer> finish(store::Store::Durability when, Env& env) {
    TRY(write(codec::tar_end()));
    TRY(gzip_.finish());
    Layer layer;
    layer.diff_id = hasher_.finish_sha256();
    layer.blob.media_type = kLayerType;
    layer.blob.size = file_->size();
    layer.blob.digest = TRY(file_->finish(when, env));
    return layer;
  }

 private:
  Result<> write(std::string_view bytes) {
    hasher_.update(bytes);
    return gzip_.write(bytes);
  }
  std::unique_ptr<BlobFile> file_;
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
  header.dev_major = node.dev_major;
  header.dev_minor = node.dev_minor;
  return header;
}

/// A node that no package gave.
Node own(char type, unsigned mode, std::int64_t mtime) {
  Node out;
  out.type = type;
  out.mode = mode;
  out.mtime = mtime;
  out.top = true;
  return out;
}

using Names = std::map<std::uint64_t, std::string>;

/// Number -> name of a file like etc/passwd; the last of equal numbers.
Names names_of(std::string_view text) {
  Names out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> fields = split(line, ':');
    std::uint64_t number = 0;
    if (fields.size() < 3) continue;
    const char* end = fields[2].data() + fields[2].size();
    if (std::from_chars(fields[2].data(), end, number).ptr == end) out[number] = fields[0];
  }
  return out;
}

/// Contents of a package's files, one after the other in one file, and where each begins.
struct Spread {
  os::Path file;
  std::map<std::string, std::uint64_t, std::less<>> offsets;
};

Result<Spread> spread_out(const PackageContents& package, const os::Path& file, Env& env) {
  Spread out;
  out.file = file;
  os::AtomicFile into = TRY(os::AtomicFile::create(file));
  std::uint64_t at = 0;
  const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
    const TreePath path = TRY(TreePath::parse(header.path));
    out.offsets[path.str()] = at;
    return {};
  };
  const auto on_data = [&](std::string_view bytes) {
    at += bytes.size();
    return into.write(bytes);
  };
  const os::Path apk = TRY(env.store.local(package.apk));
  TRY(read_tar_gzip(apk, package.data(), {on_entry, on_data}));
  TRY(into.commit());
  return out;
}

/// One layer under way, with the directories that it has so far.
class LayerFile {
 public:
  explicit LayerFile(BlobFile file) : tar_(std::move(file), kFast) {}
  TarFile& tar() { return tar_; }

  /// The folders of `path` that are not the last ones written here, dated like the entry that needs them.
  template <class Header>
  Result<> align(const std::vector<std::string>& stack, const Header& header_of_folder, std::int64_t mtime,
                 std::string_view but) {
    std::size_t same = 0;
    while (same < stack_.size() && same < stack.size() && stack_[same] == stack[same]) ++same;
    if (same == stack.size()) {
      stack_.resize(same);
      return {};
    }
    stack_ = stack;
    for (std::size_t i = same; i < stack.size(); ++i) {
      if (stack[i] == but) continue;
      codec::TarHeader header = header_of_folder(stack[i]);
      header.mtime = mtime;
      TRY(tar_.add(header, ""));
    }
    return {};
  }

 private:
  std::unique_ptr<os::AtomicFile> file_;
  TarFile tar_;
  std::vector<std::string> stack_;
};

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

bool TopLayer::has_file(std::string_view path) const {
  const auto at = tree_.resolved(path, Last::kFollow);
  const Node* node = at ? tree_.find(*at) : nullptr;
  return node != nullptr && node->type == '0';
}

/// What apko dates a symlink or device by: its folder.
std::int64_t TopLayer::date_in(std::string_view folder) const {
  if (form_ != LayerForm::kReference) return mtime_;
  const Node* node = tree_.find(folder);
  return node == nullptr ? 0 : node->mtime;
}

Result<> TopLayer::add_folder(std::string_view path, unsigned mode, std::uint64_t uid, std::uint64_t gid,
                              unsigned parents) {
  const std::string at = TRY(tree_.resolved(path, Last::kFollow));
  if (at.empty()) return {};
  if (const Node* old = tree_.find(at)) {
    if (old->type == '5') return {};
    return Error::make(ErrorKind::kConflict, "'{}' should be a directory, and is none", at);
  }
  TRY(add_folder(parent_of(at), parents, 0, 0, parents));
  Node node = own('5', mode, mtime_);
  node.uid = uid;
  node.gid = gid;
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
    if (form_ == LayerForm::kReference) {
      node = *old;
      node.same_as.clear();
    }
  }
  const bool keeps_date = form_ == LayerForm::kReference && tree_.find(at) != nullptr;
  node.size = content.size();
  node.content = std::move(content);
  if (!keeps_date) node.mtime = mtime_;
  node.top = true;
  tree_.nodes[at] = std::move(node);
  return {};
}

Result<> TopLayer::put_dated(std::string_view path, std::string content, unsigned mode, std::int64_t mtime) {
  TRY(put_file(path, std::move(content), mode));
  const std::string at = TRY(tree_.resolved(path, Last::kFollow));
  tree_.find(at)->mtime = mtime;
  return {};
}

Result<> TopLayer::add_device(std::string_view path, unsigned mode, unsigned major, unsigned minor) {
  const std::string at = TRY(place(path, Last::kKeep));
  if (tree_.find(at) != nullptr) return {};
  Node node = own('3', mode, mtime_);
  node.dev_major = major;
  node.dev_minor = minor;
  tree_.nodes.emplace(at, std::move(node));
  return {};
}

Result<> TopLayer::add_symlink(std::string_view path, std::string target) {
  const std::string at = TRY(place(path, Last::kKeep));
  if (const Node* old = tree_.find(at)) {
    if (old->type == '2' && old->link == target) return {};
    return Error::make(ErrorKind::kConflict, "'{}' is there already", at);
  }
  Node node = own('2', 0777, date_in(parent_of(at)));
  node.link = std::move(target);
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
  const bool link = change.type == "symlink" || change.type == "hardlink";
  const bool as_apko = form_ == LayerForm::kReference;
  if (!change.mode && !link && !as_apko)
    return Error::make(ErrorKind::kInvalid, "'{}' has no permissions", change.path)
        .hint("write permissions: 0o755, or what it should have");
  const unsigned mode = change.mode.value_or(0);
  // The root itself stands in no layer; what is beneath it does.
  if (change.path.empty()) return change.recursive ? change_owner(change, "") : Result<>{};
  if (change.type == "directory") {
    TRY(add_folder(change.path, mode, 0, 0, as_apko ? mode : 0755));
  } else if (change.type == "empty-file") {
    TRY(put_file(change.path, "", mode));
  } else if (change.type == "symlink") {
    TRY(add_symlink(change.path, change.source));
    const std::string at = TRY(tree_.resolved(change.path, as_apko ? Last::kFollow : Last::kKeep));
    Node* node = tree_.find(at);
    if (!as_apko && node != nullptr && (change.uid || change.gid)) set_owner(*node, change);
    if (!as_apko || node == nullptr) return {};
    return change_owner(change, at);
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
  if (const Node* old = tree_.find(path)) {
    if (form_ != LayerForm::kReference || old->type == '5' || path == from)
      return Error::make(ErrorKind::kConflict, "'{}' is there already", path);
    tree_.nodes.erase(path);
  }
  source->top = true;
  Node link = *source;
  if (link.same_as.empty()) link.same_as = from;
  link.copy = form_ == LayerForm::kReference;
  tree_.nodes.emplace(path, std::move(link));
  return {};
}

void TopLayer::set_owner(Node& node, const PathChange& change) const {
  node.uid = change.uid.value_or(0);
  node.gid = change.gid.value_or(0);
  node.top = true;
}

/// Mode and owner, of everything beneath too when the change is recursive, and of all names of a file.
Result<> TopLayer::change_owner(const PathChange& change, std::string_view path) {
  const Node* first = path.empty() ? nullptr : tree_.find(path);
  const bool whole = path.empty() && change.recursive;
  if (first == nullptr && !whole)
    return Error::make(ErrorKind::kNotFound, "the image has no '{}' whose permissions could change", change.path);
  const bool set_mode = form_ == LayerForm::kReference || change.mode.has_value();
  const auto named = [&](const std::string& at) { return at == path || (change.recursive && is_beneath(at, path)); };
  std::set<Inode> files;         // all names of a file change with one of them
  for (const auto& row : tree_.nodes)
    if (row.second.type == '0' && named(row.first)) files.insert(inode_of(tree_, packages_, row));
  std::set<std::string> beyond;  // where links beneath lead: apko changes that
  for (auto& row : tree_.nodes) {
    const std::string& at = row.first;
    Node& node = row.second;
    const bool hit =
        named(at) || (node.type == '0' && !files.empty() && files.contains(inode_of(tree_, packages_, row)));
    if (!hit) continue;
    if (node.type == '2' && form_ == LayerForm::kReference) {
      const auto target = tree_.resolved(at, Last::kFollow);
      if (target && tree_.find(*target) != nullptr) beyond.insert(*target);
      continue;
    }
    if (set_mode && node.type != '2') {
      node.mode = change.mode.value_or(0);
      node.top = true;
    }
    if (change.uid || change.gid) set_owner(node, change);
  }
  for (const std::string& at : beyond) {
    Node& node = *tree_.find(at);
    if (set_mode) node.mode = change.mode.value_or(0);
    if (change.uid || change.gid) set_owner(node, change);
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
  std::vector<const MergedTree::Nodes::value_type*> packaged;
  for (const auto& row : tree_.nodes) {
    const Node& node = row.second;
    if (!node.top || node.type != '0' || node.content || node.package < 0) continue;
    packaged.push_back(&row);
    wanted[node.package].insert(packaged_path(packages_, node));
  }
  std::map<int, std::map<std::string, os::Path>> found;
  for (const auto& [package, paths] : wanted)
    found[package] = TRY(extract_files(packages_[static_cast<std::size_t>(package)],
                                       std::vector<std::string>(paths.begin(), paths.end()), folder, env));
  std::map<std::string, os::Path> out;
  for (const auto* row : packaged)
    out[row->first] = found.at(row->second.package).at(packaged_path(packages_, row->second));
  return out;
}

Result<Layer> TopLayer::write_top(store::Store::Durability when, Env& env) {
  const os::TempDir folder = TRY(scratch(env));
  const auto extracted = TRY(extract_needed(folder.path(), env));
  std::set<std::string, TreeOrder> emitted;
  for (const auto& [path, node] : tree_.nodes)
    for (std::string at = node.top ? path : ""; !at.empty(); at = parent_of(at))
      if (!emitted.insert(at).second) break;

  BlobFile file = TRY(BlobFile::create(env));
  TarFile tar(std::move(file), foreign_ ? kFast : codec::GzipWriter::Options{});
  std::map<Inode, std::string> first_name;  // of each hard-linked file
  for (const std::string& path : emitted) {
    const auto& row = *tree_.nodes.find(path);
    const Node& node = row.second;
    codec::TarHeader header = header_of(path, node);
    if (node.type == '0') {
      const auto [name, fresh] = first_name.try_emplace(inode_of(tree_, packages_, row), path);
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
  return tar.finish(when, env);
}

Result<std::vector<Layer>> TopLayer::write_whole(const std::vector<std::vector<std::size_t>>& groups,
                                                 const std::vector<std::string>& databases, Env& env) {
  const os::TempDir folder = TRY(scratch(env));
  const std::string passwd = TRY(read("etc/passwd", env)), group_file = TRY(read("etc/group", env));
  const Names users = names_of(passwd), group_names = names_of(group_file);
  std::vector<LayerFile> layers;
  for (std::size_t i = 0; i <= groups.size(); ++i) {
    BlobFile file = TRY(BlobFile::create(env));
    layers.emplace_back(std::move(file));
  }
  std::vector<std::size_t> layer_of_package(packages_.size(), groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const std::size_t package : groups[i]) layer_of_package[package] = i;

  const auto header_for = [&](const std::string& path) {
    const Node& node = tree_.nodes.find(path)->second;
    codec::TarHeader header = header_of(path, node);
    if (const auto name = users.find(header.uid); name != users.end()) header.uname = name->second;
    if (const auto name = group_names.find(header.gid); name != group_names.end()) header.gname = name->second;
    return header;
  };
  std::map<int, Spread> spreads;
  const auto spread_of = [&](int package) -> Result<Spread*> {
    const auto found = spreads.find(package);
    if (found != spreads.end()) return &found->second;
    Spread made = TRY(spread_out(packages_[static_cast<std::size_t>(package)],
                                 folder.path() / fmt::format("package{}", package), env));
    return &spreads.emplace(package, std::move(made)).first->second;
  };
  std::map<Inode, std::string> first_name;
  std::vector<std::string> stack;
  for (const auto& row : tree_.nodes) {
    const auto& [path, node] = row;
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (node.type == '5') {
      while (!stack.empty() && !is_beneath(path, stack.back())) stack.pop_back();
      stack.push_back(path);
    }
    const bool owned = node.type != '5' && node.package >= 0;
    LayerFile& layer = layers[owned ? layer_of_package[static_cast<std::size_t>(node.package)] : groups.size()];
    codec::TarHeader header = header_for(path);
    if (!groups.empty()) TRY(layer.align(stack, header_for, header.mtime, path));
    TarFile& tar = layer.tar();
    const Node& source = source_of(tree_, node);
    // Hard links of one package stay links; the first name in the layer holds the content.
    const Inode shared = node.type == '0' ? inode_of(tree_, packages_, row) : Inode(-1, path);
    const auto first = first_name.find(shared);
    if (node.type == '0' && !node.copy && first == first_name.end()) first_name.emplace(shared, path);
    if (node.type == '0' && !node.copy && first != first_name.end()) {
      header.type = '1';
      header.link = first->second;
      header.size = 0;
      TRY(tar.add(header, ""));
    } else if (node.type == '0' && source.content) {
      header.size = source.content->size();
      TRY(tar.add(header, *source.content));
    } else if (node.type == '0' && header.size > 0) {
      const Spread* spread = TRY(spread_of(source.package));
      const std::string& inside = packaged_path(packages_, source);
      TRY(tar.add_file(header, spread->file, spread->offsets.at(inside)));
    } else {
      TRY(tar.add(header, ""));
    }
    if (path != kDatabase) continue;
    for (std::size_t i = 0; i < groups.size() && i < databases.size(); ++i) {
      TRY(layers[i].align(stack, header_for, header.mtime, ""));
      codec::TarHeader part = header;
      part.size = databases[i].size();
      TRY(layers[i].tar().add(part, databases[i]));
    }
  }
  std::vector<Layer> out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Layer layer = TRY(layers[i].tar().finish(store::Store::Durability::kLater, env));
    if (i < groups.size())
      for (const std::size_t package : groups[i]) layer.packages.push_back(packages_[package].label());
    out.push_back(std::move(layer));
  }
  return out;
}

}  // namespace nacre::image
