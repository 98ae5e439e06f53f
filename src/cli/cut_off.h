#pragma once

#include "cli/workshop.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Builds that need not be: what changed in a build's root differs in nothing that the build takes from it.
namespace nacre::cli {

/// That a build stands although its root changed, and why. Kept until the definition is built again.
struct CutOff {
  std::string definition;
  Sha256 build;                             ///< Key of the build that stands.
  std::map<std::string, std::string> root;  ///< Package name -> content digest, of the root that it stands for.
  std::vector<std::string> reasons;         ///< "the ABI of zlib is the same, and it is linked with"
  /// It takes something of what changed, but nothing urgent: it stands until then, or until it is built for another
  /// reason. Seconds since 1970; 0: for good.
  std::int64_t postponed_until = 0;
};

struct CutOffAnswer {
  std::optional<CutOff> cut;
  std::string taken;  ///< What a build that does not stand takes of what changed: "it names deflate of zlib.h, …".
};
/// Whether the build `before` stands for what `request` asks for: nothing but packages of the root differs, each of
/// those that do is one of ours, stood in the root before, and differs in nothing that the build takes from it: has the
/// same ABI digest, or another in nothing that the build can have taken (package/touch.h); or in nothing that is
/// urgent: then it is put off for as long as the workshop says.
Result<CutOffAnswer> cut_off(Workshop& shop, const build::BuildRequest& request, const BuildRecord& before);

Result<> keep_cut_off(Env& env, const CutOff& cut);
/// What is kept of this build; nullopt when its root did not change since.
Result<std::optional<CutOff>> kept_cut_off(Env& env, const BuildRecord& build);
/// All that are put off, by definition. Those that were built since are not among them.
Result<std::vector<CutOff>> postponed_builds(Env& env);
/// Puts off no longer what has in its root what it was made with: what it waited for was never published.
Result<> forget_postponed(Env& env, const std::set<std::string>& definitions);

/// ABI digests of our packages in a root, by name: of those whose newest build made exactly these bytes.
Result<std::map<std::string, std::string>> abis_of(Workshop& shop, const std::vector<build::RootPackage>& root);

/// The root that a build had, from the store. kNotFound names a package whose bytes are gone.
Result<std::vector<build::RootPackage>> root_of(Workshop& shop, const BuildRecord& build);

}  // namespace nacre::cli
