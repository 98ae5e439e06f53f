#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "package/header_graph.h"
#include "package/offer.h"

// All headers of a root, in both of its states.
namespace nacre::package {

class RootHeaders {
 public:
  using Id = HeaderGraph::Id;

  /// The offers must outlive it.
  explicit RootHeaders(const RootStates& states);

  /// A header in one of its states.
  struct Header {
    std::string_view path;
    const HeaderItems* items;
    Id id;  ///< Of its path, in the graph.
  };
  const std::vector<Header>& all() const { return headers_; }
  /// Which of all() are this header.
  const std::vector<std::size_t>& states_of(Id id) const { return states_[id]; }
  const HeaderGraph& graph() const { return graph_; }
  const KnownNames& known() const { return known_; }
  /// Whether it could be cut in all of its states.
  bool is_understood(Id id) const;

  /// A piece, and which of all() it stands in.
  struct Mention {
    std::size_t header;
    const HeaderItem* item;
  };
  /// Pieces that mention the word (word_hash).
  std::span<const Mention> mentions_of(std::uint64_t word) const;

  /// Equal for pieces that say the same; of code that may tell __LINE__, only if it stands in the same lines.
  std::uint64_t digest_of(const HeaderItem& item) const;

  /// Whether who takes the piece gets code or data by it: also by the macros that it names.
  bool puts_code(const HeaderItem& item) const;

  /// A macro that makes names with ##.
  struct PastingMacro {
    std::vector<std::string> patterns;
    std::unordered_set<std::uint64_t> by;  ///< Its name, and those of macros that lead to it.
    bool standard = false;                 ///< Of a standard header.
  };
  /// Those of which it is known what they make.
  const std::vector<PastingMacro>& pasting_macros() const { return pasting_macros_; }
  /// Whether it is code that may call a macro that makes names.
  bool calls_pasting(const HeaderItem& item) const;
  /// Words that a macro and those that it leads to may declare where it stands alone: all that they put there but for
  /// macros and for what headers of packages that did not change declare themselves. nullopt: more than can be told.
  std::optional<std::vector<std::uint64_t>> declared_by_macro(std::uint64_t name) const;
  /// Whether a macro that makes names, or leads to one that does, mentions the word.
  bool is_pasted(std::uint64_t word) const { return pasted_words_.contains(word); }

 private:
  void add(std::span<const Offer* const> offers, bool stands);
  void add_macros_above(std::unordered_set<std::uint64_t>& names) const;
  bool is_declared_by_others(std::uint64_t word) const;
  void find_lines();
  void find_coding();
  void find_pasting();

  std::vector<Header> headers_;
  std::size_t first_of_others_ = 0;  ///< In headers_: of packages that did not change.
  HeaderGraph graph_;
  std::vector<std::vector<std::size_t>> states_;  ///< By id.
  KnownNames known_;
  std::unordered_map<std::uint64_t, std::vector<Mention>> mentions_;
  std::unordered_map<std::uint64_t, std::vector<const HeaderItem*>> macros_;  ///< By name: what defines it.
  std::unordered_set<std::uint64_t> lines_;   ///< Names that lead to __LINE__.
  std::unordered_set<std::uint64_t> coding_;  ///< Names of macros with bodies, and of those that lead to them.
  std::unordered_set<std::uint64_t> giving_;  ///< The same of macros with values.
  std::unordered_set<std::uint64_t> pasting_, pasted_words_;
  std::vector<PastingMacro> pasting_macros_;
};

}  // namespace nacre::package
