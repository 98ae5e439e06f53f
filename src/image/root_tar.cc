#include "image/root_tree.h"

namespace nacre::image {

Result<> write_root_tar(const RootTree& root, const codec::Sink& sink) {
  for (const auto& [path, node] : root.nodes()) {
    codec::TarHeader header = node.header;
    header.path = path;
    if (header.type == '0' && root.names(node).front() != path) {
      header.type = '1';
      header.link = root.names(node).front();
      header.size = 0;
    }
    std::erase_if(header.pax, [](const auto& record) { return !record.first.starts_with("SCHILY.xattr."); });
    const std::string block = TRY(codec::tar_header(header));
    TRY(sink(block));
    if (header.type != '0') continue;
    TRY(root.write(node, sink));
    TRY(sink(std::string(codec::tar_padding(header.size), '\0')));
  }
  return sink(codec::tar_end());
}

}  // namespace nacre::image
