#pragma once

#include "cli/command.h"
#include "plan/build_graph.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// Options of the verbs that look at definitions as a graph: --graph FILE, --definitions DIR, --pipeline-dir DIR.
std::vector<Option> graph_options();

/// The graph that `arguments` name: a file (JSON, also compressed), definitions in a directory, else the
/// distribution's. Definitions are compiled on all cores. Those that do not compile are an error that names each.
Result<plan::BuildGraph> read_graph(const Arguments& arguments, Session& session);

/// A text that may be compressed (gzip, xz, zstd …), told by its first bytes. At most 256 MiB.
Result<std::string> read_maybe_compressed(const std::string& file);

/// Drawn for people: definitions as boxes by level, groups as one box, edges by kind. DOT for graphviz; SVG by our own
/// layout, so that nothing has to be installed.
std::string draw_dot(const plan::BuildGraph& graph, const std::vector<plan::NodeId>& shown);
std::string draw_svg(const plan::BuildGraph& graph, const std::vector<plan::NodeId>& shown);

}  // namespace nacre::cli
