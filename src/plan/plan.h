#pragma once

#include "base/result.h"
#include "base/sha256.h"
#include "definition/definition.h"

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace nacre::plan {

/// What a definition was last built from, by kind of input; kept beside its packages.
struct BuiltFrom {
  Sha256 recipe;                            ///< recipe_digest() at that time.
  std::set<std::string> sources;            ///< Digests.
  std::map<std::string, std::string> root;  ///< Package name -> content digest, of the build root.
  std::map<std::string, std::string> abis;  ///< Package name -> ABI digest, of ours in the root as far as known.
  std::string side_files;                   ///< Digest of the files beside the definition; empty when it was not kept.
};

enum class Action {
  kKeep,   ///< Nothing that it depends on changes.
  kBuild,  ///< Certain.
  kMaybe,  ///< Only if a package that it is built with comes out with other bytes.
};

/// One definition in the plan.
struct PlannedStep {
  std::string name;
  Action action = Action::kKeep;
  std::vector<std::string> why;  ///< "never built", "the definition changed", "zlib-dev may change".
  /// For each of `why`: the definition of ours whose step is the cause, so that a chain leads to what changed; empty
  /// where the cause lies in this definition or outside.
  std::vector<std::string> because_of;
  std::vector<std::string> after;  ///< Definitions of ours whose packages stand in its build root.
  bool from_stage0_alone = false;  ///< Part of a cycle that stage 0 breaks (the C library).
};

/// Definitions in an order in which each comes after what it is built with. A value; no I/O.
struct Plan {
  std::vector<PlannedStep> steps;
};

struct PlanInput {
  std::span<const definition::Definition> definitions;
  std::vector<std::string> always;              ///< Ours in every build root, once made: the C library.
  std::map<std::string, BuiltFrom> built;       ///< By definition name.
  std::map<std::string, std::string> contents;  ///< Package name -> content digest now, ours and stage 0's.
  /// The same of stage 0 alone: what a definition that is built from it alone is compared with. A
  /// name that `contents` gives to ours is not compared for such a definition when this lacks it.
  std::map<std::string, std::string> stage0;
  /// Digest of the files beside each definition, by its name.
  std::map<std::string, std::string> side_files;
  std::vector<std::string> only;  ///< Empty: all; else these (definitions or packages) and what they need.
};

/// The same input gives the same plan whatever the order of `definitions`; ties go by name.
/// What a definition's last build root really held (BuiltFrom::root) counts besides what its text
/// declares: libraries that scanning found never stand in a definition. kConflict names the
/// definitions of a cycle that stage 0 cannot break, or two makers of one package; kNotFound an
/// unknown name in `only`; kInvalid an atom that is none.
Result<Plan> make_plan(const PlanInput& input);

/// Digest of what a definition says about building: compiled steps, environment, outputs. Not
/// tests, update policy, comments.
Sha256 recipe_digest(const definition::Definition& definition);

}  // namespace nacre::plan
