#pragma once

#include "codec/tar.h"
#include "image/resolve.h"

#include <cstdint>
#include <map>
#include <string>

namespace nacre::image {

/// The root file system that a stack of layers makes, without its contents. Layers may be anybody's: whatever
/// they hold, every path of `nodes` is normal, and its folders are directories of the map.
class FileMap {
 public:
  /// An entry of a layer by position: where content comes from. Nodes with equal sources are hard links of
  /// one file.
  struct Source {
    std::size_t layer = 0, entry = 0;
    auto operator<=>(const Source&) const = default;
  };
  struct Node {
    codec::TarHeader header;   ///< path and link are unused for hard links: see source.
    Source source;
    std::size_t layer = 0;     ///< That last named the path.
  };
  struct Limits {
    std::size_t max_nodes = 2'000'000;
  };
  explicit FileMap(Limits limits) : limits_(limits) {}
  FileMap() : FileMap(Limits{}) {}

  void begin_layer() { ++layer_; next_ = 0; }
  /// The next entry of the current layer: files, links, directories, devices, whiteouts (".wh.NAME",
  /// ".wh..wh..opq").
  Result<> add(const codec::TarHeader& header);

  const std::map<std::string, Node, TreeOrder>& nodes() const { return nodes_; }
  Result<std::string> resolved(std::string_view path, Last last) const;

 private:
  Result<> add_folders(std::string_view path);
  Result<> add_node(std::string path, const codec::TarHeader& header, Source source);
  void remove(std::string_view path, bool with_self, std::size_t before_layer);

  Limits limits_;
  std::map<std::string, Node, TreeOrder> nodes_;
  std::size_t layer_ = 0, next_ = 0;  ///< Layers count from 1.
};

}  // namespace nacre::image
