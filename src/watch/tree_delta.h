#pragma once

#include "build/prepared.h"
#include "watch/delta.h"

namespace nacre::watch {

/// What preparation changed: the two trees compared file by file, lines by `git diff`. A file that moved is one that is
/// gone and one that is new. Files whose mode alone changed count, with no lines.
Result<TreeDelta> compare_prepared(const build::PreparedTrees& trees, Env& env);

/// For the state database.
codec::Json tree_to_json(const TreeDelta& tree);
TreeDelta tree_from_json(const codec::Json& json);

}  // namespace nacre::watch
