#pragma once

#include "base/env.h"
#include "base/sha256.h"
#include "definition/definition.h"
#include "os/file.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reads files of sources that are in the store, as a build's workspace would have them, without running anything.
namespace nacre::watch {

/// A source and where its step puts it.
struct SourcePart {
  definition::Source source;
  std::string folder;     ///< Below the workspace; empty: the workspace itself.
  std::size_t strip = 1;  ///< Of a file: leading parts of the paths in the archive that are dropped.
  bool unpacked = true;   ///< Of a file: `extract`.
};
/// One for each of `definition.sources`, in their order.
std::vector<SourcePart> source_parts(const definition::Definition& definition);

/// A source's bytes: a file, or the archive of a git history (build/git.h) and what is checked out of it.
struct StoredSource {
  Sha256 blob;
  std::string commit;
};
/// Nothing when the store does not have it.
Result<std::optional<StoredSource>> stored_source(const definition::Source& source, Env& env);

/// Content by path below the workspace.
using SourceFiles = std::map<std::string, std::string, std::less<>>;
using WantFile = std::function<bool(std::string_view path)>;

/// Adds the regular files that are wanted; earlier ones of the same path give way. kInvalid for what is no archive,
/// and for more than 128 MiB; files of more than 8 MiB are left out.
Result<> read_source_files(const SourcePart& part, const StoredSource& stored, const WantFile& want, Env& env,
                           SourceFiles& out);

/// A git history taken out of the store, for questions; removed with this object.
class History {
 public:
  static Result<History> open(const Sha256& blob, Env& env);
  /// Whether `commit` has `ancestor` in its history; false, too, when the history has no such commit.
  Result<bool> has(const std::string& ancestor, const std::string& commit) const;
  /// Puts the files of a commit below `folder`.
  Result<> check_out(const std::string& commit, const os::Path& folder) const;

 private:
  History(os::TempDir place, Env& env) : place_(std::move(place)), env_(env) {}
  os::TempDir place_;
  Env& env_;
};

}  // namespace nacre::watch
