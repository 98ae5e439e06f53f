#include "image/database.h"
#include "image/file_map.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// Two layers over each other: the input, cut in the middle at a tar block. What the unpacker relies on must hold after.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using nacre::image::FileMap;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = size / 1024 * 512;
  FileMap files(FileMap::Limits{1000});
  for (const std::string_view layer : {bytes.substr(0, cut), bytes.substr(cut)}) {
    files.begin_layer();
    nacre::codec::TarReader tar({[&](const nacre::codec::TarHeader& header) { return files.add(header); }, nullptr},
                                {});
    if (!tar.push(layer) || !tar.finish()) return 0;
  }
  for (const auto& [path, node] : files.nodes()) {
    if (!nacre::TreePath::parse(path) || nacre::TreePath::parse(path)->str() != path) std::abort();
    const std::string folder = nacre::image::parent_of(path);
    if (folder.empty()) continue;
    const auto parent = files.nodes().find(folder);
    if (parent == files.nodes().end() || parent->second.header.type != '5') std::abort();
  }
  (void)nacre::image::parse_installed(bytes);
  return 0;
}
