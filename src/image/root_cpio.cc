#include "image/root_tree.h"

namespace nacre::image {
namespace {

constexpr std::uint64_t kMaxNumber = 0xffffffff;  ///< The format's numbers have eight digits.

class Cpio {
 public:
  explicit Cpio(const codec::Sink& sink) : sink_(sink) {}

  Result<> entry(const std::string& path, const codec::TarHeader& header, std::uint64_t inode, std::size_t links,
                 std::uint64_t size) {
    const bool end = links == 0;
    const std::uint64_t numbers[] = {inode, end ? 0 : stat_mode(header), header.uid, header.gid, end ? 1 : links,
                                     static_cast<std::uint64_t>(header.mtime), size, 0, 0, header.dev_major,
                                     header.dev_minor, path.size() + 1, 0};
    std::string out = "070701";
    for (const std::uint64_t number : numbers) {
      if (number > kMaxNumber)
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
  const codec::Sink& sink_;
};

}  // namespace

Result<> write_root_cpio(const RootTree& root, const codec::Sink& sink) {
  Cpio out(sink);
  std::map<FileMap::Source, std::uint64_t> inodes;
  std::uint64_t next = 1;
  for (const auto& [path, node] : root.nodes()) {
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
    const std::vector<std::string>& all = root.names(node);
    const auto [inode, fresh] = inodes.try_emplace(node.source, next);
    if (fresh) ++next;
    const bool last = all.back() == path;
    TRY(out.entry(path, header, inode->second, all.size(), last ? header.size : 0));
    if (!last) continue;
    TRY(root.write(node, sink));
    TRY(sink(std::string((4 - header.size % 4) % 4, '\0')));
  }
  return out.entry("TRAILER!!!", {}, 0, 0, 0);
}

}  // namespace nacre::image
