#pragma once

#include "plan/build_graph.h"

#include <cstdint>
#include <vector>

namespace nacre::plan {

/// Definitions that are built as one: a single one, or a group in which each needs the others.
///
/// A group is built in stages: first every member in order, with seeds where the order goes against the need; then,
/// again in order, those whose seed came out with another key than was used. A cycle is data, never an error.
struct Unit {
  std::vector<NodeId> members;  ///< In the order of building.
  /// Inputs that a member of a cycle cannot have fresh: the package published last (or stage 0's) stands in, pinned by
  /// its digest. Empty: nothing of it needs itself.
  std::vector<Edge> seeds;
  std::uint32_t level = 0;      ///< Longest way from a unit that needs none: units of one level build side by side.
};

/// All units, each after those that it needs; the same graph gives the same units.
std::vector<Unit> make_units(const BuildGraph& graph);

/// Where each node stands: the index of its unit.
std::vector<std::uint32_t> unit_of_each(const std::vector<Unit>& units, std::size_t nodes);

}  // namespace nacre::plan
