#pragma once

#include "base/env.h"
#include "build/fetch.h"

namespace nacre::build {

/// Whether a source comes from another machine. A repository that is a path, or a file address, is one that earlier
/// steps of the same build made: nothing to bring.
bool is_remote_repository(std::string_view repository);

/// "git:HEX", the SHA-256 of what tells two git sources apart: repository, branch, tag, expected commit, depth
/// and submodules, one a line, and the cherry-picks without blanks. The git-checkout pipeline computes the same, and
/// finds the source below /var/cache/melange under that name.
std::string git_source_name(const definition::Source& source);

/// Where a directory of mirrors may hold `repository`, relative to it: "OWNER+NAME/repo", "HOST/OWNER/NAME.git", ….
/// Empty for an address without a plain path.
std::vector<os::Path> mirror_names(std::string_view repository);

/// `url` of .gitmodules as seen from the repository that holds it: "../b.git" in "https://h/o/a" is
/// "https://h/o/b.git".
std::string submodule_address(std::string_view repository, std::string_view url);

/// Brings the history that a git-checkout step needs, and no more, into the store: a tar archive of
///   repository.git/        bare, with the tag or branch asked for
///   modules/N.git/         one for each submodule, recursively
///   addresses              "ADDRESS<TAB>FOLDER", one line for each of them
/// kDenied when the commit expected is another or not part of the branch; kUnavailable when no place has it.
Result<FetchedSource> fetch_git(const definition::Source& source, const FetchPlaces& places, Env& env);

}  // namespace nacre::build
