#include "plan/edge_rows.h"

#include <algorithm>
#include <tuple>

namespace nacre::plan {

void EdgeRows::add(std::vector<Edge> edges) {
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return std::tie(a.maker, b.kind) < std::tie(b.maker, a.kind); });
  const std::size_t first = edges_.size();
  for (const Edge& edge : edges) {
    if (edges_.size() > first && edges_.back().maker == edge.maker) edges_.back().development |= edge.development;
    else edges_.push_back(edge);
  }
  begin_.push_back(static_cast<std::uint32_t>(edges_.size()));
}

void EdgeRows::replace(std::span<const NodeId> users, const std::function<std::vector<Edge>(NodeId)>& row_of) {
  EdgeRows out;
  out.edges_.reserve(edges_.size() + 64);
  out.begin_.reserve(begin_.size());
  const auto nodes = static_cast<NodeId>(begin_.size() - 1);
  NodeId done = 0;
  const auto keep_until = [&](NodeId end) {
    const std::size_t from = begin_[done], shift = out.edges_.size();
    out.edges_.insert(out.edges_.end(), edges_.begin() + begin_[done], edges_.begin() + begin_[end]);
    for (; done < end; ++done)
      out.begin_.push_back(static_cast<std::uint32_t>(begin_[done + 1] - from + shift));
  };
  for (const NodeId user : users) {
    keep_until(user);
    out.add(row_of(user));
    ++done;
  }
  keep_until(nodes);
  *this = std::move(out);
}

EdgeRows EdgeRows::by_maker() const {
  EdgeRows out;
  out.begin_.assign(begin_.size(), 0);
  for (const Edge& edge : edges_) ++out.begin_[edge.maker + 1];
  for (std::size_t i = 1; i < out.begin_.size(); ++i) out.begin_[i] += out.begin_[i - 1];
  out.edges_.resize(edges_.size());
  std::vector<std::uint32_t> next(out.begin_.begin(), out.begin_.end() - 1);
  for (const Edge& edge : edges_) out.edges_[next[edge.maker]++] = edge;
  return out;
}

}  // namespace nacre::plan
