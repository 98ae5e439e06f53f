#pragma once

#include "cli/melange_common.h"
#include "package/package.h"

#include <string>
#include <vector>

// Inside melange's build alone: one run for one architecture, and what it leaves beside the packages.
namespace nacre::cli {

/// A build that ran, with all that its outputs are made of.
struct MelangeBuilt {
  const MelangeArguments& arguments;
  const build::BuildRequest& request;
  const build::BuiltTree& built;
  const std::vector<apk::PackageFile>& files;
  const apk::SegmentSigner& signer;
  std::string commit;
  Path out_dir;  ///< --out-dir/ARCH
};

/// Adds the packages to out_dir/APKINDEX.tar.gz, in the place of those of equal name and version, and signs it.
Result<> update_index(const MelangeBuilt& done, Env& env);

/// FILE.ARCH of --dependency-log: one JSON object a line, for each package what its tree was found to need and give.
Result<> write_dependency_log(const MelangeBuilt& done);

/// packages.log of --create-build-log: "ARCH|ORIGIN|NAME|VERSION" for each package, appended.
Result<> append_build_log(const MelangeBuilt& done);

/// NAME-VERSION.attest.tar.gz of --generate-provenance: [signature member] and an archive with an in-toto statement
/// about the data segment.
Result<> write_provenance(const MelangeBuilt& done, const Session& session);

/// Sources that the definition names by digest or commit, brought before the build: from --cache-dir and
/// --cache-source, the store, this machine's mirrors, upstream. What no place has is left to the step, which has
/// network.
Result<std::vector<build::FetchedSource>> fetch_ahead(const definition::Definition& definition,
                                                      const MelangeArguments& arguments, Env& env);

}  // namespace nacre::cli
