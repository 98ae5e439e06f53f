#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "package/header_graph.h"

// Names of headers that changed, and through which headers each change reaches a source.
namespace nacre::package {

/// Sets of headers, each sorted: who has read one of each before a change has the same either way. No sets: nobody has.
using Gates = std::set<std::vector<HeaderGraph::Id>>;

/// What an #include of a standard header, which came or went, is to those who read that header anyway.
enum class Moves {
  kOrder,  ///< Nothing, if nothing meddles with it: standard headers say the same in any order.
  kRead,   ///< Nothing, if one of each set of `anyway` is read before the name is used.
  kName,   ///< A change, but not of a macro.
  kNo,     ///< A change like any other.
};

/// What a change is for a build that took what changed, until it is made again.
enum class Weight {
  kSight,  ///< Nothing: what it took came or went, or is to be seen from elsewhere.
  kValue,  ///< It has another number or declaration: what it was made with is still good.
  kCode,   ///< It has other code or data of the library's in it.
};

/// Through what a changed name reaches a source: one that may read the header `changed`, which differs, and the header
/// `where`, which has the name. `gates`: it comes by #includes alone, so who has read one of each of these sets before
/// has the same either way.
struct Origin {
  HeaderGraph::Id changed = HeaderGraph::kNone, where = HeaderGraph::kNone;
  Gates gates;
  Moves moves = Moves::kNo;
  Gates anyway;
  Weight weight = Weight::kSight;
  auto operator<=>(const Origin&) const = default;

  /// Keeps, of one change by two ways, what holds for both, and the greater weight. Whether that is more than it was.
  bool join(const Origin& other);
};

/// How a name changed, said in words only when somebody asks.
struct How {
  std::string_view text;     ///< "of z.h, which changed"; empty: by way of another name.
  std::string_view of, way;  ///< Name of a header, or empty; the other name.
  std::string str() const;
};

struct ChangedName {
  std::string name, how;
  std::vector<Origin> origins;
  bool everywhere = false;  ///< By too many ways to tell them apart.
  bool macro = true;        ///< Every one of its changes is one of a macro.
  bool waits = false;       ///< For its effect on others to be seen.

  /// Its origins; if it is everywhere, one that says nothing of headers and has all weight.
  std::vector<Origin> ways() const;
  Weight weight() const;  ///< The greatest.
};

class ChangedNames {
 public:
  using ByHash = std::unordered_map<std::uint64_t, ChangedName>;  ///< word_hash.

  /// A piece of that kind declares the name and changed. The first `how` stays.
  void add(std::uint64_t hash, std::string_view name, const How& how, Origin origin, HeaderItem::Kind kind);

  /// The hash of a name that waits for its effect to be seen, oldest first; nullopt: none does.
  std::optional<std::uint64_t> next();
  struct Seen {
    std::string name;
    bool macro;
    std::vector<Origin> ways;
  };
  /// That name as it is now. It waits again when more is added to it.
  Seen see(std::uint64_t hash);

  /// All of them; none are left here.
  ByHash take() { return std::move(names_); }

 private:
  void put(std::uint64_t hash, ChangedName& changed, const Origin& origin);
  void wait(std::uint64_t hash, ChangedName& changed);

  ByHash names_;
  std::deque<std::uint64_t> open_;
};

}  // namespace nacre::package
