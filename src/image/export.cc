#include "image/export.h"

#include "base/events.h"
#include "codec/gzip.h"
#include "image/contents.h"
#include "image/layer.h"
#include "image/read.h"

#include <optional>
#include <vector>

namespace nacre::image {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;  ///< Of one that is read into memory.
constexpr std::uint64_t kMaxCpio = 0xffffffff;                    ///< The format's numbers have eight digits.

/// Contents of the files that the image shows, in one file on disk.
class RootContents {
 public:
  RootContents(const ImageParts& parts, const FileMap& files) : parts_(parts), files_(files) {}

  Result<> gather(const os::Path& file, Env& env) {
    std::set<FileMap::Source> wanted;
    for (const auto& [path, node] : files_.nodes())
      if (node.header.type == '0') wanted.insert(node.source);
    file_ = file;
    os::AtomicFile out = TRY(os::AtomicFile::create(file));
    std::uint64_t at = 0;
    for (std::size_t layer = 0; layer < parts_.layers.size(); ++layer) {
      FileMap::Source source{layer + 1, 0};
      bool keep = false;
      const auto on_entry = [&](const codec::TarHeader&) -> Result<> {
        keep = wanted.contains(source);
        if (keep) offsets_[source] = at;
        ++source.entry;
        return {};
      };
      const auto on_data = [&](std::string_view bytes) -> Result<> {
        if (!keep) return {};
        at += bytes.size();
        return out.write(bytes);
      };
      TRY(read_layer(parts_, layer, Check::kYes, {on_entry, on_data}, env));
    }
    return out.commit();
  }
  Result<> write(const FileMap::Node& node, const codec::Sink& sink) const {
    const auto at = offsets_.find(node.source);
    if (at == offsets_.end() || node.header.size == 0) return {};
    return read_range(file_, at->second, node.header.size, sink);
  }

 private:
  const ImageParts& parts_;
  const FileMap& files_;
  os::Path file_;
  std::map<FileMap::Source, std::uint64_t> offsets_;
};

/// Names of each file, in order: hard links.
using Names = std::map<FileMap::Source, std::vector<std::string>>;

Result<> write_tar(const FileMap& files, const RootContents& contents, Names& names, const codec::Sink& sink) {
  for (const auto& [path, node] : files.nodes()) {
    codec::TarHeader header = node.header;
    header.path = path;
    const bool file = header.type == '0';
    const std::string& first = file ? names[node.source].front() : path;
    if (file && first != path) {
      header.type = '1';
      header.link = first;
      header.size = 0;
    }
    std::erase_if(header.pax, [](const auto& record) { return !record.first.starts_with("SCHILY.xattr."); });
    const std::string block = TRY(codec::tar_header(header));
    TRY(sink(block));
    if (header.type != '0') continue;
    TRY(contents.write(node, sink));
    TRY(sink(std::string(codec::tar_padding(header.size), '\0')));
  }
  return sink(codec::tar_end());
}

class Cpio {
 public:
  explicit Cpio(const codec::Sink& sink) : sink_(sink) {}

  Result<> entry(const std::string& path, const codec::TarHeader& header, std::uint64_t inode, std::size_t links,
                 std::uint64_t size) {
    const std::uint64_t numbers[] = {inode, mode_of(header), header.uid,       header.gid,       links,
                                     static_cast<std::uint64_t>(header.mtime), size, 0, 0, header.dev_major,
                                     header.dev_minor, path.size() + 1, 0};
    std::string out = "070701";
    for (const std::uint64_t number : numbers) {
      if (number > kMaxCpio)
        return Error::make(ErrorKind::kInvalid, "'{}' has a number that an initramfs cannot hold: {}", path, number);
      out += fmt::format("{:08x}", number);
    }
    return padded(out + path + '\0');
  }
  Result<> padded(std::string bytes) {
    bytes.append((4 - bytes.size() % 4) % 4, '\0');
    return sink_(bytes);
  }

 private:
  static std::uint64_t mode_of(const codec::TarHeader& header) {
    switch (header.type) {
      case '2': return 0120777;
      case '3': return 0020000 | header.mode;
      case '4': return 0060000 | header.mode;
      case '5': return 0040000 | header.mode;
      case '6': return 0010000 | header.mode;
      default: return 0100000 | header.mode;
    }
  }
  const codec::Sink& sink_;
};

Result<> write_cpio(const FileMap& files, const RootContents& contents, Names& names, const codec::Sink& sink) {
  Cpio out(sink);
  std::map<FileMap::Source, std::uint64_t> inodes;
  std::uint64_t next = 1;
  for (const auto& [path, node] : files.nodes()) {
    const codec::TarHeader& header = node.header;
    if (header.type == '2') {
      TRY(out.entry(path, header, next++, 1, header.link.size()));
      TRY(out.padded(header.link));
      continue;
    }
    if (header.type != '0') {
      TRY(out.entry(path, header, next++, header.type == '5' ? 2 : 1, 0));
      continue;
    }
    // The content stands with the last name.
    const std::vector<std::string>& all = names[node.source];
    const auto [inode, fresh] = inodes.try_emplace(node.source, next);
    if (fresh) ++next;
    const bool last = all.back() == path;
    TRY(out.entry(path, header, inode->second, all.size(), last ? header.size : 0));
    if (!last) continue;
    TRY(contents.write(node, sink));
    TRY(sink(std::string((4 - header.size % 4) % 4, '\0')));
  }
  return out.entry("TRAILER!!!", codec::TarHeader{.type = '-', .mode = 0}, 0, 1, 0);
}

}  // namespace

Result<> export_root(const Sha256& manifest, RootFormat format, const os::Path& file, Env& env) {
  Task task(env.events, "export " + file.filename().string());
  const ImageParts parts = TRY(read_parts(manifest, env));
  const FileMap files = TRY(read_file_map(parts, env), "reading image {}", manifest.oci());
  const os::TempDir folder = TRY(scratch(env));
  RootContents contents(parts, files);
  TRY(contents.gather(folder.path() / "contents", env));
  Names names;
  for (const auto& [path, node] : files.nodes())
    if (node.header.type == '0') names[node.source].push_back(path);

  os::AtomicFile out = TRY(os::AtomicFile::create(file));
  const codec::Sink plain = [&](std::string_view bytes) { return out.write(bytes); };
  std::optional<codec::GzipWriter> gzip;
  if (file.extension() == ".gz" || file.extension() == ".tgz") gzip.emplace(plain);
  const codec::Sink sink = [&](std::string_view bytes) { return gzip ? gzip->write(bytes) : plain(bytes); };
  TRY(format == RootFormat::kTar ? write_tar(files, contents, names, sink) : write_cpio(files, contents, names, sink));
  if (gzip) TRY(gzip->finish());
  TRY(out.commit());
  task.finish(fmt::format("{} files", files.nodes().size()));
  return {};
}

Result<std::map<std::string, std::string>> read_files(const Sha256& manifest, const std::set<std::string>& paths,
                                                      Env& env) {
  std::map<std::string, std::string> out;
  const ImageParts parts = TRY(read_parts(manifest, env));
  for (std::size_t layer = 0; layer < parts.layers.size(); ++layer) {
    std::string* current = nullptr;
    const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
      const TreePath path = TRY(TreePath::parse(header.path));
      current = nullptr;
      if (!paths.contains(path.str())) return {};
      if (header.size > kMaxFileBytes)
        return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, more than {}", path.str(), header.size,
                           kMaxFileBytes);
      out.erase(path.str());
      if (header.type == '0' || header.type == '7') current = &out[path.str()];
      return {};
    };
    const auto on_data = [&](std::string_view bytes) -> Result<> {
      if (current != nullptr) current->append(bytes);
      return {};
    };
    TRY(read_layer(parts, layer, Check::kNo, {on_entry, on_data}, env));
  }
  return out;
}

}  // namespace nacre::image
