#pragma once

#include "base/result.h"
#include "codec/json.h"
#include "definition/definition.h"
#include "plan/edge_rows.h"

#include <cstdint>
#include <optional>
#include <set>
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

/// One node and many in the form of docs/formats/graph.md. kInvalid names the node and the key.
Result<GraphNode> read_graph_node(const codec::Json& row);
Result<std::vector<GraphNode>> read_graph_nodes(const codec::Json& json);
codec::Json to_json(const GraphNode& node);
codec::Json to_json(std::span<const GraphNode> nodes);

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

  BuildGraph(BuildGraph&&) = default;  ///< Not copied: tables look into its nodes.
  BuildGraph& operator=(BuildGraph&&) = default;

  /// The node of that name in another form: afterwards the graph is as if it were made anew, but numbers of packages
  /// may differ. Only what asks for a changed name is resolved again. kNotFound when there is none of that name,
  /// kConflict and kInvalid as make(); then nothing has changed. About 1 ms for thousands of nodes.
  Result<> replace(GraphNode node);

  std::size_t size() const { return nodes_.size(); }
  const GraphNode& node(NodeId id) const { return nodes_[id]; }
  std::optional<NodeId> find(std::string_view name) const;  ///< Of a definition or of a package that one makes.
  const std::string& package(std::uint32_t id) const { return *packages_[id].name; }

  /// What is declared for the build of a node, and who declares it; one edge for two nodes at most, by the greatest
  /// kind, self-edges among them. Test and runtime edges are apart.
  std::span<const Edge> makers(NodeId user) const { return build_.row(user); }
  std::span<const Edge> users(NodeId maker) const { return used_.row(maker); }
  std::span<const Edge> runtime_makers(NodeId user) const { return runtime_.row(user); }
  std::span<const Edge> test_makers(NodeId user) const { return test_.row(user); }
  std::span<const Unresolved> unresolved() const { return unresolved_; }

  /// Makers of everything in the node's build root: what is declared and what that needs at run time, declared by
  /// texts. The kind is the greatest along the way: what a linked library needs counts as linked.
  std::vector<Edge> build_root(NodeId user) const;

 private:
  BuildGraph() = default;

  struct Package {
    const std::string* name = nullptr;  ///< Null: nobody makes it any more.
    NodeId maker = 0;
    std::uint32_t place = 0;           ///< Among the outputs of its maker.
    std::vector<std::uint32_t> needs;  ///< Atoms of what it needs at run time.
    EdgeKind kind = EdgeKind::kTool;   ///< By the policy.
  };
  struct Giver {
    std::uint32_t package = 0;
    std::string_view version;
  };
  /// A text that is asked for, kept once, and the package that it leads to.
  struct Atom {
    const std::string* text = nullptr;
    std::string name;
    bool conflict = false;
    std::optional<std::uint32_t> package;
  };
  /// Atoms of a node; what its outputs need is with the packages.
  struct Asked {
    std::vector<std::uint32_t> build, test;
  };
  struct Edges {
    std::vector<Edge> build, test, runtime;
    std::vector<Unresolved> unresolved;
  };

  const GraphNode::Output& output(const Package& package) const { return nodes_[package.maker].outputs[package.place]; }
  /// Whether `best`, which gives the name as `as`, stays ahead of another giver: priority, the version that is given,
  /// the package's own; else the later name.
  bool prefers(std::uint32_t best, std::string_view as, std::uint32_t other, std::string_view other_as) const;
  std::optional<std::uint32_t> giver_of(const Atom& atom) const;

  Result<std::vector<std::uint32_t>> atoms_of(const std::vector<std::string>& texts, const std::string& file);
  Result<> check_outputs(const GraphNode& node, NodeId id) const;
  /// Puts the packages of a node into the tables; those that had a number keep it.
  void add_packages(NodeId id, const std::unordered_map<std::string, std::uint32_t>& numbers);
  std::unordered_map<std::string, std::uint32_t> remove_packages(NodeId id);
  Result<> ask(NodeId id);
  Edges edges_of(NodeId id) const;
  std::vector<NodeId> users_of_changed(const std::set<std::string>& names);

  EdgePolicy policy_;
  std::vector<GraphNode> nodes_;
  std::vector<Package> packages_;
  std::vector<Asked> asked_;
  std::vector<Atom> atoms_;
  std::unordered_map<std::string, std::uint32_t> atom_numbers_;
  std::unordered_map<std::string, std::vector<std::uint32_t>> atoms_by_name_;
  std::unordered_map<std::string_view, std::uint32_t> by_name_;
  std::unordered_map<std::string, std::vector<Giver>> provided_;
  EdgeRows build_, used_, runtime_, test_;
  std::vector<Unresolved> unresolved_;
};

}  // namespace nacre::plan
