#pragma once

#include "base/env.h"
#include "index/index.h"
#include "plan/plan.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// One package of a root, by its bytes.
struct PinnedPackage {
  std::string name, version, edition;
  Sha256 content;  ///< Of the .apk.
};

/// What one build left in the state database: enough to find its packages again without building, to plan, and to
/// build it a second time.
struct BuildRecord {
  std::string definition, version;             ///< version is VERSION-rEPOCH.
  Sha256 action_key;
  Sha256 definition_digest;                    ///< Of the YAML text.
  Sha256 log;
  plan::BuiltFrom from;
  std::vector<PinnedPackage> pinned_root;      ///< In the order of its layers; empty in records of older versions.
  std::vector<index::SerialPackage> packages;  ///< Signed for `community`; by name.
  /// By package: the digest of what linking with it sees, and the blob that lists its symbols (docs/formats/abi.md).
  struct Abi { Sha256 digest, symbols; };
  std::map<std::string, Abi> abi;
  std::optional<Sha256> use;                   ///< Blob: what it may have taken from its root (docs/formats/use.md).
  double seconds = 0;
  std::int64_t finished = 0;
};

/// Reasons of a plan once the build is over: what "may change" did or did not.
std::vector<std::string> settled_reasons(std::vector<std::string> planned, const BuildRecord& before,
                                         const BuildRecord& after);

/// By action key: equal inputs, so the packages are the answer. nullopt when unknown, or when a blob that it names is
/// gone.
Result<std::optional<BuildRecord>> find_build(Env& env, const Sha256& action_key);
/// The build that a definition stands for now.
Result<std::optional<BuildRecord>> latest_build(Env& env, std::string_view definition);
/// Keeps a build under its key; latest_build() gives it from now on.
Result<> keep_build(Env& env, const BuildRecord& record);
/// All that are whole, the chosen ones and the older.
Result<std::vector<BuildRecord>> list_builds(Env& env);
/// Makes an older build (a cache hit) the one that latest_build() gives.
Result<> choose_build(Env& env, std::string_view definition, const Sha256& action_key);

}  // namespace nacre::cli
