#pragma once

#include "codec/archive.h"
#include "os/file.h"
#include "plan/build_graph.h"

#include <string>
#include <utility>
#include <vector>

// What tests of the graph and of its replay share.
namespace nacre::plan {

/// A definition of version 1-r0 that makes `name` and `subs`.
inline GraphNode node(std::string name, std::vector<std::string> build, std::vector<std::string> subs = {}) {
  GraphNode out;
  out.name = std::move(name);
  out.version = "1-r0";
  out.file = out.name + ".yaml";
  out.build = std::move(build);
  out.outputs.push_back({out.name, {}, {}, 0});
  for (std::string& sub : subs) out.outputs.push_back({std::move(sub), {}, {}, 0});
  return out;
}

/// The text of a compressed file of at most 64 MiB.
inline Result<std::string> read_packed(const std::string& file) {
  std::string packed = TRY(os::read_file(file));
  return codec::plain_text(std::move(packed), file, std::uint64_t{64} << 20);
}

}  // namespace nacre::plan
