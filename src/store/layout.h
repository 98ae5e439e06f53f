#pragma once

#include "base/result.h"
#include "os/file.h"

/// What the sources of this room share about the store's directories; not for other rooms.
namespace nacre::store {

/// One of the 256 directories of blobs, locked (flock) until the descriptor closes. Putting a blob
/// takes it shared, removing takes it exclusive, so that none is removed between "it is there"
/// and its new time.
enum class FolderLock { kShared, kExclusive };
Result<os::Fd> lock_folder(const os::Path& folder, FolderLock how);

/// Marks a file as used now: its age protects it from collection. Another user's stays as it is.
void touch(const os::Path& file);

/// Name under locks/ of the lease `name`: no '/', so that "a" and "a/b" can both be held.
Result<std::string> lease_file_name(std::string_view name);

/// Directory in partial/ and lease of the tree with this key in hexadecimal.
inline std::string tree_partial(std::string_view hex) { return fmt::format("tree-{}", hex); }
inline std::string tree_lease(std::string_view hex) { return fmt::format("tree/{}", hex); }

}  // namespace nacre::store
