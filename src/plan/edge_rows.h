#pragma once

#include "plan/edges.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace nacre::plan {

using NodeId = std::uint32_t;

/// `maker` makes `package`, which `user` asks for.
struct Edge {
  NodeId maker = 0, user = 0;
  EdgeKind kind = EdgeKind::kTool;
  std::uint32_t package = 0;  ///< The one that decided the kind, see BuildGraph::package().
  bool development = false;   ///< The user asks for a -dev or -static package, too.
};

/// Edges of each node side by side: a row of any node in no time, all of them in one walk.
class EdgeRows {
 public:
  std::span<const Edge> row(NodeId id) const {
    return std::span(edges_).subspan(begin_[id], begin_[id + 1] - begin_[id]);
  }
  std::span<const Edge> all() const { return edges_; }

  /// Adds the row of the next user: in the order of makers; of two edges to one maker the stronger stays.
  void add(std::vector<Edge> edges);

  /// Other rows for some users, the others as they are. `users` in order, `row_of` is asked once for each.
  void replace(std::span<const NodeId> users, const std::function<std::vector<Edge>(NodeId)>& row_of);

  /// The same edges by their makers.
  EdgeRows by_maker() const;

 private:
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> begin_ = {0};  ///< One more than nodes.
};

}  // namespace nacre::plan
