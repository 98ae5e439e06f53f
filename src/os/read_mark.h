#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "os/file.h"

// Which files of a tree were read, told by the access times that the kernel keeps of them.
namespace nacre::os {

/// A moment since which reading is told: when marked files got their access time. Nanoseconds since 1970, by the clock
/// that stamps files.
struct ReadMark {
  std::int64_t begin_ns = 0, end_ns = 0;
};

/// Marks all regular files beneath `tree` as not read. Nothing where the file system keeps no access times (noatime) or
/// cannot tell: then every file counts as read. Files that are not ours to mark count as read, too.
Result<std::optional<ReadMark>> mark_unread(const Path& tree);

/// False where surely nobody read the file's content since the mark. Whatever else happened to it (written, renamed,
/// linked, given other times or a mode) counts as reading, for the kernel's change time tells of it. What leaves no
/// trace, and must be known not to happen: O_NOATIME, and clones of blocks (whose copy is a file of its own).
bool was_read(const Path& file, const ReadMark& mark);

}  // namespace nacre::os
