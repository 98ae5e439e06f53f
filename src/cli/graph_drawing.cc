#include "base/text.h"
#include "cli/graph_input.h"
#include "plan/units.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using plan::Edge;
using plan::EdgeKind;
using plan::NodeId;

std::string_view colour_of(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::kEmbed: return "#c0392b";
    case EdgeKind::kLink: return "#2c5f8a";
    case EdgeKind::kData: return "#8e6c1f";
    case EdgeKind::kTool: return "#bbbbbb";
    case EdgeKind::kTest: return "#7fa37f";
    case EdgeKind::kRuntime: return "#888888";
  }
  return "#000000";
}

struct Box {
  double x = 0, y = 0, width = 0;
};

constexpr double kRow = 26, kColumn = 230, kMargin = 20, kLetter = 7.2, kHeight = 18;

}  // namespace

std::string draw_dot(const plan::BuildGraph& graph, const std::vector<NodeId>& shown) {
  const std::set<NodeId> in(shown.begin(), shown.end());
  std::string out = "digraph definitions {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  std::size_t group = 0;
  for (const plan::Unit& unit : plan::make_units(graph)) {
    if (unit.members.size() < 2) continue;
    out += fmt::format("  subgraph cluster_{} {{\n    label=\"needs itself: {} definitions\";\n", ++group,
                       unit.members.size());
    for (const NodeId member : unit.members)
      if (in.contains(member)) out += fmt::format("    \"{}\";\n", graph.node(member).name);
    out += "  }\n";
  }
  for (const NodeId id : shown) {
    out += fmt::format("  \"{}\" [tooltip=\"{}\"];\n", graph.node(id).name, graph.node(id).version);
    for (const Edge& edge : graph.makers(id)) {
      if (!in.contains(edge.maker)) continue;
      out += fmt::format("  \"{}\" -> \"{}\" [color=\"{}\", tooltip=\"{} {}\"];\n", graph.node(edge.maker).name,
                         graph.node(id).name, colour_of(edge.kind), name_of(edge.kind), graph.package(edge.package));
    }
  }
  return out + "}\n";
}

std::string draw_svg(const plan::BuildGraph& graph, const std::vector<NodeId>& shown) {
  const std::vector<plan::Unit> units = plan::make_units(graph);
  const std::vector<std::uint32_t> unit = plan::unit_of_each(units, graph.size());
  std::map<std::uint32_t, std::vector<NodeId>> levels;
  for (const NodeId id : shown) levels[units[unit[id]].level].push_back(id);
  std::map<NodeId, Box> boxes;
  double column = kMargin, height = 0;
  for (auto& [level, nodes] : levels) {
    // Members of a group stand together.
    std::sort(nodes.begin(), nodes.end(), [&](NodeId a, NodeId b) {
      return std::tuple(units[unit[a]].members.size() < 2, unit[a], a) <
             std::tuple(units[unit[b]].members.size() < 2, unit[b], b);
    });
    double row = 2 * kMargin + kRow;
    for (const NodeId id : nodes) {
      boxes[id] = {column, row, kLetter * static_cast<double>(graph.node(id).name.size()) + 12};
      row += kRow;
    }
    height = std::max(height, row);
    column += kColumn;
  }
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      column + kMargin, height + kMargin);
  double legend = kMargin;
  for (const EdgeKind kind : {EdgeKind::kEmbed, EdgeKind::kLink, EdgeKind::kData, EdgeKind::kTool}) {
    out += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" fill=\"{}\">{}</text>\n", legend, kMargin, colour_of(kind),
                       name_of(kind));
    legend += 60;
  }
  for (const auto& [id, box] : boxes)
    for (const Edge& edge : graph.makers(id)) {
      const auto from = boxes.find(edge.maker);
      if (from == boxes.end() || edge.maker == id) continue;
      const double x1 = from->second.x + from->second.width, y1 = from->second.y + kHeight / 2, x2 = box.x,
                   y2 = box.y + kHeight / 2;
      out += fmt::format(
          "<path d=\"M{:.0f} {:.0f} C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}\" fill=\"none\" stroke=\"{}\"><title>{} "
          "uses {} ({})</title></path>\n",
          x1, y1, x1 + 40, y1, x2 - 40, y2, x2, y2, colour_of(edge.kind), escape_markup(graph.node(id).name),
          escape_markup(graph.package(edge.package)), name_of(edge.kind));
    }
  for (const auto& [id, box] : boxes) {
    const bool grouped = units[unit[id]].members.size() > 1;
    out += fmt::format(
        "<g><title>{} {}{}</title><rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" height=\"{:.0f}\" rx=\"3\" "
        "fill=\"{}\" stroke=\"#555555\"/><text x=\"{:.0f}\" y=\"{:.0f}\">{}</text></g>\n",
        escape_markup(graph.node(id).name), escape_markup(graph.node(id).version),
        grouped ? fmt::format(", one of {} that need each other", units[unit[id]].members.size()) : "", box.x, box.y,
        box.width, kHeight, grouped ? "#fbe9e7" : "#eef3f8", box.x + 6, box.y + 13, escape_markup(graph.node(id).name));
  }
  return out + "</svg>\n";
}

}  // namespace nacre::cli
