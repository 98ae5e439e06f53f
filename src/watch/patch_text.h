#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::watch {

/// One "@@ -12,7 +12,9 @@" of a unified diff.
struct Hunk {
  std::uint64_t old_line = 0, new_line = 0;     ///< Where it says that it stands, from 1; 0: an empty side.
  std::vector<std::string> old_side, new_side;  ///< Lines with their ends, context in both.
  std::size_t added = 0, removed = 0;
};

/// What a patch does to one file.
struct FilePatch {
  std::string old_path, new_path;  ///< As written, "a/src/x.c"; "/dev/null" where there is no file.
  std::vector<Hunk> hunks;
  bool binary = false;   ///< Its content is not in lines: it can be counted, and not tried.
  bool renamed = false;  ///< Also moves the file.
};

/// What the text before the first file says, as DEP-3 has it (`Forwarded:`, `Applied-Upstream:`, `Origin:`) or in
/// free words. All empty for a bare diff.
struct PatchHeader {
  std::string forwarded, applied_upstream, origin, author, last_update;
  std::string mentions;  ///< First address of an upstream commit or pull request, when no field names one.
  std::vector<std::string> vulnerabilities;  ///< "CVE-2026-1234", "GHSA-…", also from the file's name.

  bool is_bare() const;
  /// One word or phrase on where upstream stands: "applied in 1.4", "forwarded", "not forwarded", "not needed",
  /// "from upstream", "mentions upstream", "not said".
  std::string status() const;
};

/// A patch file, read.
struct Patch {
  PatchHeader header;
  std::vector<FilePatch> files;

  std::size_t hunks() const, added() const, removed() const;
};

struct PatchCount {
  std::size_t hunks = 0, added = 0, removed = 0;
};

/// For a text that parse_patch() refuses: hunks are lines that begin with "@@", changed lines those that begin with +
/// or - and are not the names of files (so "-- " before a mail's signature counts).
PatchCount count_patch(std::string_view text);

/// Reads a unified diff, git's too. `name` is the file's, for messages and for vulnerabilities. kInvalid with line
/// for a hunk that is cut short or says other lengths than it has; text between hunks is left out. A file without a
/// hunk is not an error: it has no files.
Result<Patch> parse_patch(std::string_view text, std::string_view name);

enum class Direction { kForward, kReverse };

/// A path of a patch without its first `strip` parts; nothing for /dev/null, and for what leads outside.
std::optional<std::string> stripped_path(std::string_view path, std::size_t strip);

/// Gives the content of a file of the source; nothing: there is none.
using FileReader = std::function<Result<std::optional<std::string>>(const std::string& path)>;

/// A file as an application leaves it; no content: it is removed.
struct ChangedFile {
  std::string path;
  std::optional<std::string> content;
};

/// How near a hunk must fit. Unset it is strict.
struct ApplyOptions {
  std::size_t fuzz = 0;   ///< So many lines of context at each end of a hunk may differ.
  bool anywhere = false;  ///< Of several places the nearest; otherwise a hunk that has moved fits in one place or none.
};

/// Applies all hunks, or says which one does not fit. Every line of a hunk's side must stand in the file, one behind
/// the other, byte for byte; hunks may stand elsewhere than they say, in their order. Nothing outside is changed: the
/// answer holds new contents. kConflict: does not fit; kInvalid: cannot be tried (binary, a rename).
Result<std::vector<ChangedFile>> try_patch(const Patch& patch, std::size_t strip, Direction direction,
                                           const FileReader& read, const ApplyOptions& options = {});

}  // namespace nacre::watch
