#pragma once

#include "apk/dependency.h"
#include "apk/index_record.h"
#include "base/edition.h"
#include "base/result.h"
#include "solve/pool.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace nacre::solve {

/// A package that may be chosen.
struct Candidate {
  const apk::IndexRecord* record = nullptr;  ///< Not owned; outlives the solving.
  /// Name for messages. "@edge": tagged, used only for what atoms pinned to "edge" lead to.
  std::string repository;
  Edition edition = Edition::kCommunity;
  int preference = 0;                        ///< Lower wins before versions are looked at (ours 0, stage0 1).
  std::string fault;                         ///< Why it must not be chosen; empty when it may.
};

struct World {
  std::vector<std::string> atoms;   ///< "nginx", "zlib>=1.3", "!foo"; as the user wrote them.
  std::vector<Place> places;        ///< Where each was written; may be empty.
};

struct Options {
  /// kSingle refuses (kDenied) a solution that holds packages of two editions: images, locks. kBuildRoot lets stage0 in
  /// beside one other edition, never two others. kAny looks at no edition: only to explain.
  enum class Mixing { kSingle, kBuildRoot, kAny } mixing = Mixing::kSingle;
  /// Whose choice among several solutions: apko's (spec 3.4) or apk-tools'. See docs/solver.md.
  enum class Choice { kApko, kApk } choice = Choice::kApko;
  /// With kApko: operators and version order as apko reads them too, where it differs from apk-tools.
  bool apko_language = false;
};

/// Where the packages of a pool come from; the pool's source numbers count these.
struct Origin {
  std::string repository;  ///< As Candidate::repository.
  int preference = 0;
};

/// Which packages satisfy the world, as numbers of the pool's records, in install order (dependencies before
/// dependents, save where they form a cycle).
struct Solution {
  std::vector<std::size_t> records;
  bool searched = false;  ///< The first choice led nowhere; the complete search found this.
};

/// One step of the reasons for a "no".
struct Reason {
  std::string text;     ///< "app-1-r0 needs lib>=2"
  std::string kind;  ///< "world", "needs", "excludes", "one-owner", "unusable", "tagged", "never-by-itself", "missing"
  std::string package;  ///< "app-1-r0", or empty.
  std::string atom;     ///< "lib>=2", or empty.
  Place place;          ///< Of what the user wrote.
};

/// A change to the world after which it can be satisfied; tried before it is told.
struct Edit {
  std::string atom, instead;  ///< instead is empty: to be dropped.
  Place place;
};

/// A "no", with the fewest reasons that it needs: none of them can be left out.
struct Refusal {
  ErrorKind kind = ErrorKind::kConflict;
  std::string text;                     ///< One sentence.
  std::vector<Reason> reasons;          ///< From what was asked for to what cannot be.
  std::vector<std::vector<Edit>> edits; ///< Alternatives; all edits of one together.
  std::string near;                     ///< A name like the one that nobody knows, or empty.
  bool written = false;                 ///< `text` is about something that the user wrote, not about what that needs.

  Error error() const;
};

/// Complete: when there is a solution, it is found. Deterministic: the same input gives the same answer, and the order
/// of the world plays no part in what is chosen. kInvalid for a world that cannot be read.
Result<std::variant<Solution, Refusal>> answer(const World& world, const Pool& pool, const std::vector<Origin>& origins,
                                               const Options& options = {});

/// The same over candidates. kConflict or kNotFound with the reasons; kDenied for editions that must not mix.
Result<std::vector<Candidate>> solve(const World& world, const std::vector<Candidate>& candidates,
                                     const Options& options = {});

/// Marks what is not there in the same version for every architecture, so that no architecture chooses it.
void keep_in_step(std::vector<std::vector<Candidate>>& by_arch);

}  // namespace nacre::solve
