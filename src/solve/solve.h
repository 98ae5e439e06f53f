#pragma once

#include "apk/dependency.h"
#include "apk/index_record.h"
#include "base/edition.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace nacre::solve {

/// A package that may be chosen.
struct Candidate {
  const apk::IndexRecord* record = nullptr;  ///< Not owned; outlives the solving.
  /// Name for messages. "@edge": tagged, used only for atoms pinned to "edge".
  std::string repository;
  Edition edition = Edition::kCommunity;
  int preference = 0;                        ///< Lower wins before versions are looked at (ours 0, stage0 1).
};

struct World {
  std::vector<std::string> atoms;   ///< "nginx", "zlib>=1.3", "!foo"; as the user wrote them.
  std::vector<Place> places;        ///< Where each was written; may be empty.
};

struct Options {
  /// kSingle refuses (kDenied) a solution that holds packages of two editions: images, locks. kBuildRoot lets stage0 in
  /// beside one other edition, never two others. kAny looks at no edition: only to explain.
  enum class Mixing { kSingle, kBuildRoot, kAny } mixing = Mixing::kSingle;
};

/// Which packages satisfy the world: apko's choice rules (spec 3.4) over `candidates`, in install order (dependencies
/// before dependents, save where they form a cycle). Greedy: a choice once made is kept, so the answer is the same
/// for the same input and takes time linear in what is chosen; a world that only a second guess could satisfy is
/// refused with the reason. kConflict with the shortest chain of reasons in words: who asked for what, and why
/// nothing fits; kNotFound with the nearest name when nothing of that name exists.
Result<std::vector<Candidate>> solve(const World& world, const std::vector<Candidate>& candidates,
                                     const Options& options = {});

}  // namespace nacre::solve
