#pragma once

#include "solve/problem.h"

#include <compare>
#include <functional>
#include <set>
#include <vector>

// The complete search: conflict-driven, with the caller's preference as the order of its decisions. What it calls
// unsolvable has no solution; the facts that prove it can be had. Inside this room only.
namespace nacre::solve {

/// One thing that is so, and that a proof may rest on.
struct Fact {
  enum class Kind {
    kWorld,     ///< The world asks for, or excludes: `atom` of the world.
    kNeed,      ///< Package `a` needs its `atom`.
    kExcludes,  ///< Package `a` excludes `b` by its `atom`.
    kOneOwner,  ///< `a` and `b` cannot both give `name`.
    kFaulty,    ///< `a` can never be chosen.
    kMasked,    ///< `a` is in a tagged repository, and nothing pinned to the tag leads to it.
    kUnasked,   ///< Nothing that is chosen asks for `a` in a way that may choose it.
  };
  Kind kind = Kind::kWorld;
  PackageId a = kNone, b = kNone;
  std::uint32_t atom = 0;
  NameId name = kNone;
  auto operator<=>(const Fact&) const = default;
};

struct SearchRequest {
  /// Whether `a` is to be tried before `b` for `atom`; `chosen` says which packages are in already.
  std::function<bool(const Atom& atom, PackageId a, PackageId b, const std::vector<char>& chosen)> better;
  std::vector<PackageId> forced;           ///< Must be in the answer, and need not be asked for.
  const std::set<Fact>* only = nullptr;    ///< Nothing but these holds; nullptr: all.
  bool want_core = false;                  ///< Remember what the "no" rests on.
};

struct SearchOutcome {
  enum class Kind { kSolved, kUnsolvable, kGaveUp } kind = Kind::kUnsolvable;
  std::vector<PackageId> chosen;  ///< In the order of the choices.
  std::vector<Fact> core;         ///< Facts that exclude each other, not yet the fewest.
};

SearchOutcome search(const Problem& problem, const SearchRequest& request);

/// The fewest of `core` that still exclude each other: none can be left out.
std::vector<Fact> smallest_core(const Problem& problem, std::vector<Fact> core);

/// Whether the offer may choose its package for an atom by itself: apk-tools wants a version or a priority for that.
bool asks_for(const Problem& problem, const Offer& offer);

}  // namespace nacre::solve
