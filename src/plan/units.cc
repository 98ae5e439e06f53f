#include "plan/units.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace nacre::plan {
namespace {

/// Strongly connected groups, those that are needed first. Tarjan's algorithm without recursion: groups of the field
/// are hundreds deep.
class Groups {
 public:
  explicit Groups(const BuildGraph& graph)
      : graph_(graph), number_(graph.size()), low_(graph.size()), on_(graph.size()) {}

  std::vector<std::vector<NodeId>> find() {
    for (NodeId id = 0; id < graph_.size(); ++id)
      if (number_[id] == 0) walk(id);
    return std::move(groups_);
  }

 private:
  struct Frame {
    NodeId node;
    std::size_t next;
  };

  void enter(NodeId node) {
    number_[node] = low_[node] = ++count_;
    stack_.push_back(node);
    on_[node] = 1;
    frames_.push_back({node, 0});
  }

  void walk(NodeId start) {
    enter(start);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const NodeId node = frame.node;
      const std::span<const Edge> makers = graph_.makers(node);
      if (frame.next < makers.size()) {
        const NodeId maker = makers[frame.next++].maker;
        if (number_[maker] == 0) enter(maker);
        else if (on_[maker] != 0) low_[node] = std::min(low_[node], number_[maker]);
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) low_[frames_.back().node] = std::min(low_[frames_.back().node], low_[node]);
      if (low_[node] != number_[node]) continue;
      const auto first = std::find(stack_.rbegin(), stack_.rend(), node).base() - 1;
      groups_.emplace_back(first, stack_.end());
      for (const NodeId member : groups_.back()) on_[member] = 0;
      stack_.erase(first, stack_.end());
    }
  }

  const BuildGraph& graph_;
  std::vector<std::uint32_t> number_, low_;
  std::vector<char> on_;
  std::vector<NodeId> stack_;
  std::vector<Frame> frames_;
  std::vector<std::vector<NodeId>> groups_;
  std::uint32_t count_ = 0;
};

/// How much it costs to take an input from a seed: a tool's age shows least.
constexpr int cost_of(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::kEmbed: return 16;
    case EdgeKind::kLink: return 8;
    case EdgeKind::kData: return 4;
    default: return 1;
  }
}

/// An order of a group in which little stands before what it needs: always the member next whose missing needs cost
/// least beside what it gives to others still to come (Eades, Lin and Smyth's heuristic with costs).
std::vector<NodeId> order_of(const BuildGraph& graph, std::vector<NodeId> members) {
  std::sort(members.begin(), members.end());
  const auto place = [&](NodeId id) -> std::ptrdiff_t {
    const auto at = std::lower_bound(members.begin(), members.end(), id);
    return at != members.end() && *at == id ? at - members.begin() : -1;
  };
  std::vector<int> missing(members.size()), gives(members.size());
  for (std::size_t i = 0; i < members.size(); ++i)
    for (const Edge& edge : graph.makers(members[i])) {
      const std::ptrdiff_t maker = place(edge.maker);
      if (maker < 0 || edge.maker == members[i]) continue;
      missing[i] += cost_of(edge.kind);
      gives[static_cast<std::size_t>(maker)] += cost_of(edge.kind);
    }
  // Who may come next, best first: nothing missing, else most given for least missing.
  using Rank = std::tuple<bool, int, std::size_t>;
  const auto rank = [&](std::size_t i) {
    return Rank(missing[i] != 0, missing[i] == 0 ? 0 : missing[i] - gives[i], i);
  };
  std::set<Rank> open;
  for (std::size_t i = 0; i < members.size(); ++i) open.insert(rank(i));
  const auto lower = [&](std::vector<int>& of, NodeId id, int cost) {
    const std::ptrdiff_t at = place(id);
    if (at < 0) return;
    const auto i = static_cast<std::size_t>(at);
    const bool waits = open.erase(rank(i)) != 0;
    of[i] -= cost;
    if (waits) open.insert(rank(i));
  };
  std::vector<NodeId> out;
  while (!open.empty()) {
    const NodeId next = members[std::get<std::size_t>(*open.begin())];
    open.erase(open.begin());
    out.push_back(next);
    for (const Edge& edge : graph.users(next))
      if (edge.user != next) lower(missing, edge.user, cost_of(edge.kind));
    for (const Edge& edge : graph.makers(next))
      if (edge.maker != next) lower(gives, edge.maker, cost_of(edge.kind));
  }
  return out;
}

}  // namespace

std::vector<Unit> make_units(const BuildGraph& graph) {
  std::vector<Unit> out;
  std::vector<std::uint32_t> unit(graph.size());
  std::vector<char> built(graph.size());
  for (std::vector<NodeId>& group : Groups(graph).find()) {
    Unit made;
    made.members = group.size() == 1 ? std::move(group) : order_of(graph, std::move(group));
    const auto here = static_cast<std::uint32_t>(out.size());
    for (const NodeId member : made.members) unit[member] = here;
    for (const NodeId member : made.members) {
      for (const Edge& edge : graph.makers(member)) {
        if (unit[edge.maker] != here) made.level = std::max(made.level, out[unit[edge.maker]].level + 1);
        else if (built[edge.maker] == 0) made.seeds.push_back(edge);
      }
      built[member] = 1;
    }
    out.push_back(std::move(made));
  }
  return out;
}

std::vector<std::uint32_t> unit_of_each(const std::vector<Unit>& units, std::size_t nodes) {
  std::vector<std::uint32_t> out(nodes);
  for (std::uint32_t i = 0; i < units.size(); ++i)
    for (const NodeId member : units[i].members) out[member] = i;
  return out;
}

}  // namespace nacre::plan
