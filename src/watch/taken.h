#pragma once

#include "watch/source_files.h"
#include "watch/watch.h"

#include <optional>
#include <vector>

/// What a new release has taken over of what a definition carries.
namespace nacre::watch {

/// Tries every patch and pick of the definition on the new sources, and changes the proposal:
/// - a patch that fits in reverse and no longer forward, all hunks, byte for byte, is upstream's: it leaves new_text
/// and
///   the side directory (`dropped`, `side_files`);
/// - one that fits neither way is a problem; where a script runs before it, a note: that may change the file first;
/// - a pick that is in the history of the new commit leaves new_text.
/// `moved` has one entry for each of `definition.sources`: the new source, nothing for those that stay. Patches are
/// tried in their order, each on what those before it that are kept leave. What cannot be tried (a source that is no
/// archive, renames, binary patches) is a note.
Result<> drop_what_upstream_took(const definition::Definition& definition,
                                 const std::vector<std::optional<StoredSource>>& moved, Proposal& proposal, Env& env);

}  // namespace nacre::watch
