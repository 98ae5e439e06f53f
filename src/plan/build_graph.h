#pragma once

#include "base/result.h"
#include "codec/json.h"
#include "definition/definition.h"
#include "plan/edges.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// Definitions as a graph at the scale of the field: thousands of nodes, numbers in place of names.
namespace nacre::plan {

/// What the graph reads of one definition.
struct GraphNode {
  std::string name, version;       ///< VERSION-rEPOCH
  std::string file;                ///< For messages.
  std::vector<std::string> build;  ///< Atoms of the build root, with what its pipelines need.
  std::vector<std::string> test;   ///< Of the roots of its tests.
  struct Output {
    std::string name;
    std::vector<std::string> runtime, provides;
    std::uint64_t provider_priority = 0;
  };
  std::vector<Output> outputs;  ///< The first has the definition's name.
};

GraphNode graph_node(const definition::Definition& definition);

/// The form of docs/formats/graph.md. kInvalid names the node and the key.
Result<std::vector<GraphNode>> read_graph_nodes(const codec::Json& json);
codec::Json to_json(std::span<const GraphNode> nodes);

using NodeId = std::uint32_t;

/// `maker` makes `package`, which `user` asks for.
struct Edge {
  NodeId maker = 0, user = 0;
  EdgeKind kind = EdgeKind::kTool;
  std::uint32_t package = 0;  ///< The one that decided the kind, see BuildGraph::package().
  bool development = false;   ///< The user asks for a -dev or -static package, too.
};

/// A name that nobody here gives: stage 0's, or missing.
struct Unresolved {
  NodeId user = 0;
  std::string atom;
  EdgeKind kind = EdgeKind::kTool;
};

class BuildGraph {
 public:
  /// Nodes are numbered in the order of their names. kConflict for two makers of one package.
  static Result<BuildGraph> make(std::vector<GraphNode> nodes, const EdgePolicy& policy);

  std::size_t size() const { return nodes_.size(); }
  const GraphNode& node(NodeId id) const { return nodes_[id]; }
  std::optional<NodeId> find(std::string_view name) const;  ///< Of a definition or of a package that one makes.
  const std::string& package(std::uint32_t id) const { return *packages_[id].name; }

  /// What is declared for the build of a node, and who declares it; one edge for two nodes at most, by the greatest
  /// kind, self-edges among them. Test and runtime edges are apart.
  std::span<const Edge> makers(NodeId user) const { return row(build_, user); }
  std::span<const Edge> users(NodeId maker) const { return row(used_, maker); }
  std::span<const Edge> runtime_makers(NodeId user) const { return row(runtime_, user); }
  std::span<const Edge> test_makers(NodeId user) const { return row(test_, user); }
  std::span<const Unresolved> unresolved() const { return unresolved_; }

  /// Makers of everything in the node's build root: what is declared and what that needs at run time, declared by
  /// texts. The kind is the greatest along the way: what a linked library needs counts as linked.
  std::vector<Edge> build_root(NodeId user) const;

 private:
  struct Rows {
    std::vector<Edge> edges;
    std::vector<std::uint32_t> begin;  ///< size() + 1
  };
  static std::span<const Edge> row(const Rows& rows, NodeId id) {
    return std::span(rows.edges).subspan(rows.begin[id], rows.begin[id + 1] - rows.begin[id]);
  }
  /// Edges in the order of their users; of two to one maker the stronger stays.
  static Rows rows_by_user(std::vector<Edge> edges, std::size_t nodes);
  static Rows rows_by_maker(const Rows& by_user, std::size_t nodes);

  struct Package {
    const std::string* name = nullptr;
    NodeId maker = 0;
    const GraphNode::Output* output = nullptr;
    std::vector<std::uint32_t> needs;  ///< Packages that its runtime atoms lead to.
  };
  struct Giver {
    std::uint32_t package = 0;
    std::string_view version;
  };
  /// Whether `best`, which gives the name as `as`, stays ahead of another giver: priority, the version that is given,
  /// the package's own; else the later name.
  bool prefers(std::uint32_t best, std::string_view as, std::uint32_t other, std::string_view other_as) const;
  Result<std::optional<std::uint32_t>> giver_of(std::string_view atom, const GraphNode& asker) const;
  Result<> resolve_all(const EdgePolicy& policy);

  std::vector<GraphNode> nodes_;
  std::vector<Package> packages_;
  std::unordered_map<std::string_view, std::uint32_t> by_name_;
  std::unordered_map<std::string_view, std::vector<Giver>> provided_;
  std::vector<std::vector<std::uint32_t>> asked_;  ///< Packages that each node's build atoms lead to.
  Rows build_, used_, runtime_, test_;
  std::vector<Unresolved> unresolved_;
  std::vector<EdgeKind> kinds_;  ///< Of each package, by the policy.
};

}  // namespace nacre::plan
