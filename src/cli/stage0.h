#pragma once

#include "cli/command.h"
#include "index/index.h"

namespace nacre::cli {

/// The newest stage0 serial when it was made from the same table and files, else a new one: Debian's packages through
/// apt, each with provenance naming its .debs, in a signed index of edition `stage0`.
enum class Refresh { kNo, kYes };
Result<index::Serial> ensure_stage0(Session& session, const Arch& arch, Refresh refresh = Refresh::kNo);

/// The packages of a table (any file; its neighbours are the files that it names) written as a signed repository:
/// `folder`/ARCH/APKINDEX.tar.gz and *.apk, `folder`/keys/NAME. No serial is published; packages that the store has
/// are not made again, files that `folder` has are kept, the index is replaced last.
struct Stage0Export {
  std::size_t packages = 0, written = 0;
  Path index, key;
};
Result<Stage0Export> export_stage0(Session& session, const Arch& arch, const Path& table, const Path& folder);

}  // namespace nacre::cli
