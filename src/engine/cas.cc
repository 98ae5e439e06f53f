#include "engine/cas.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "codec/digest.h"
#include "store/store.h"

namespace nacre::engine {

Blob blob_of(std::string bytes) {
  Blob out;
  out.digest = digest_of(bytes);
  out.bytes = std::move(bytes);
  return out;
}

Result<std::uint64_t> Cas::upload(std::span<const Blob> blobs) {
  std::vector<Digest> digests;
  for (const Blob& blob : blobs) digests.push_back(blob.digest);
  const std::vector<Digest> lacks = TRY(missing(digests), "asking what the engine has");
  std::set<Digest> wanted(lacks.begin(), lacks.end());
  std::vector<Blob> out;
  std::uint64_t bytes = 0;
  for (const Blob& blob : blobs) {
    if (wanted.erase(blob.digest) == 0) continue;
    bytes += blob.digest.size;
    out.push_back(blob);
  }
  TRY(put(out), "sending {} inputs to the engine", out.size());
  return bytes;
}

Result<> Cas::fetch(const Digest& digest, const Sink& sink) {
  codec::Hasher hasher;
  std::uint64_t left = digest.size;
  const auto checked = [&](std::string_view bytes) -> Result<> {
    if (bytes.size() > left)
      return Error::make(ErrorKind::kDenied, "the engine sends more than the {} bytes of {}", digest.size,
                         digest.hash.oci());
    left -= bytes.size();
    hasher.update(bytes);
    return sink(bytes);
  };
  TRY(read(digest, checked), "fetching {}", digest.hash.oci());
  if (left > 0)
    return Error::make(ErrorKind::kDenied, "the engine sent {} bytes of {}, which has {}", digest.size - left,
                       digest.hash.oci(), digest.size);
  if (const Sha256 found = hasher.finish_sha256(); found != digest.hash)
    return Error::make(ErrorKind::kDenied, "the engine sent other bytes: expected {}, found {}", digest.hash.oci(),
                       found.oci());
  return {};
}

Result<std::string> Cas::get(const Digest& digest, std::uint64_t max_bytes) {
  if (digest.size > max_bytes)
    return Error::make(ErrorKind::kInvalid, "{} has {} bytes, at most {} were expected", digest.hash.oci(), digest.size,
                       max_bytes);
  std::string out;
  TRY(fetch(digest, [&](std::string_view bytes) -> Result<> {
    out += bytes;
    return {};
  }));
  return out;
}

Result<> Cas::get_into(const Digest& digest, store::Store& store) {
  if (store.has(digest.hash)) {
    const std::uint64_t size = TRY(store.size(digest.hash));
    if (size == digest.size) return {};
    return Error::make(ErrorKind::kDenied, "the engine says that {} has {} bytes; it has {}", digest.hash.oci(),
                       digest.size, size);
  }
  os::AtomicFile file = TRY(os::AtomicFile::create(store.partial_path(), 0444));
  TRY(fetch(digest, [&](std::string_view bytes) { return file.write(bytes); }));
  return store.adopt(std::move(file), digest.hash, store::Store::Durability::kNow);
}

Result<std::vector<Digest>> LocalCas::missing(std::span<const Digest> digests) {
  std::set<Digest> out;
  for (const Digest& digest : digests)
    if (!store_.has(digest.hash)) out.insert(digest);
  return std::vector<Digest>(out.begin(), out.end());
}

Result<> LocalCas::put(std::span<const Blob> blobs) {
  for (const Blob& blob : blobs) {
    const Sha256 found = TRY(blob.file.empty() ? store_.put_bytes(blob.bytes, store::Store::Durability::kLater)
                                               : store_.put_file(blob.file, store::Store::Take::kCopy));
    if (found != blob.digest.hash)
      return Error::make(ErrorKind::kDenied, "'{}' is no longer what it was: expected {}, found {}", blob.file.string(),
                         blob.digest.hash.oci(), found.oci());
  }
  return {};
}

Result<> LocalCas::read(const Digest& digest, const Sink& sink) {
  const os::Path path = store_.blob_path(digest.hash);
  const os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return os::system_error(errno, fmt::format("open '{}'", path.string()));
  std::string buffer(256u << 10, '\0');
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", path.string()));
    if (got == 0) return {};
    TRY(sink(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
}

Result<> InputTree::add(const TreePath& path, Blob blob, Mode mode) {
  Node* node = &root_;
  std::string_view rest = path.str();
  for (std::size_t slash = rest.find('/'); slash != rest.npos; slash = rest.find('/')) {
    const std::string name(rest.substr(0, slash));
    if (node->files.contains(name))
      return Error::make(ErrorKind::kConflict, "'{}' is a file, so '{}' cannot be beneath it", name, path.str());
    node = &node->folders[name];
    rest.remove_prefix(slash + 1);
  }
  const std::string name(rest);
  if (name.empty() || node->folders.contains(name) ||
      !node->files.emplace(name, std::pair(std::move(blob), mode)).second)
    return Error::make(ErrorKind::kConflict, "the input root has '{}' already", path.str());
  return {};
}

Digest InputTree::finish(const Node& node, std::vector<Blob>& blobs) {
  Directory directory;
  for (const auto& [name, file] : node.files) {
    directory.files.push_back({name, file.first.digest, file.second == Mode::kExecutable});
    blobs.push_back(file.first);
  }
  for (const auto& [name, folder] : node.folders) directory.folders.push_back({name, finish(folder, blobs)});
  blobs.push_back(blob_of(to_wire(directory)));
  return blobs.back().digest;
}

Digest InputTree::finish(std::vector<Blob>& blobs) const { return finish(root_, blobs); }

Result<StagedTree> tree(Cas& cas, const Digest& root, const TreeBounds& bounds) {
  struct Pending {
    TreePath path;
    Digest digest;
    std::size_t depth;
  };
  StagedTree out;
  std::vector<Pending> pending = {{TreePath(), root, 0}};
  while (!pending.empty()) {
    const Pending here = std::move(pending.back());
    pending.pop_back();
    if (here.depth > bounds.max_depth)
      return Error::make(ErrorKind::kInvalid, "a tree has more than {} levels", bounds.max_depth);
    const std::string bytes = TRY(cas.get(here.digest, bounds.max_directory_bytes), "reading '{}'", here.path.str());
    const Directory directory = TRY(directory_from_wire(bytes), "reading '{}'", here.path.str());
    for (const File& file : directory.files) {
      TreePath path = TRY(here.path.join(file.path));
      out.files.push_back({std::move(path), file.digest, file.executable});
    }
    for (const Directory::Link& link : directory.links) {
      TreePath path = TRY(here.path.join(link.name));
      out.links.emplace_back(std::move(path), link.target);
    }
    for (const Directory::Folder& folder : directory.folders) {
      TreePath path = TRY(here.path.join(folder.name));
      out.folders.push_back(path);
      pending.push_back({std::move(path), folder.digest, here.depth + 1});
    }
    if (out.files.size() + out.folders.size() + out.links.size() > bounds.max_entries)
      return Error::make(ErrorKind::kInvalid, "a tree has more than {} entries", bounds.max_entries);
  }
  return out;
}

}  // namespace nacre::engine
