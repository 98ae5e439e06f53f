#pragma once

#include "watch/patch_text.h"
#include "watch/watch.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a definition changes of what upstream gives (`nacre delta`, docs/delta.md).
namespace nacre::watch {

/// A patch that a step applies.
struct AppliedPatch {
  enum class Via { kStep, kSeries, kScript } via = Via::kStep;  ///< Named by the step, by its series, by a script.
  std::string name;                                             ///< As the step names it.
  std::string file;  ///< Below the side directory; empty: not there (the source brings it).
  PatchCount count;
  PatchHeader header;
  std::int64_t carried_since = 0;  ///< First commit that has the file, seconds since 1970; 0: unknown.
  Place place;                     ///< Of the step.
};

/// A commit that a git-checkout adds to what it checks out.
struct Pick {
  std::string commit, branch, why;
  Place place;
};

/// A command of a step's own script that changes files where they stand.
struct Edit {
  enum class Kind { kSed, kPerl, kAwk, kHereDocument, kPatch } kind = Kind::kSed;
  std::string files;       ///< The words behind, or the file that a here-document is written to; for people.
  bool of_output = false;  ///< Of what was built, below melange-out: no edit of the source.
  Place place;
};
std::string_view name_of(Edit::Kind kind);
std::string_view name_of(AppliedPatch::Via via);

/// A step that raises dependencies of the source.
struct Bump {
  std::string pipeline;       ///< "go/bump"
  definition::Pairs entries;  ///< Input, entry: ("deps", "golang.org/x/net@v0.55.0").
  Place place;
};

/// A switch that a definition gives to configure, CMake or Meson.
struct Switch {
  enum class Tool { kAutoconf, kCMake, kMeson } tool = Tool::kAutoconf;
  enum class Verdict {
    kStated,   ///< Given; upstream's default is not known here.
    kDefault,  ///< What upstream does by itself.
    kDiffers,  ///< Other than upstream's default.
    kPlace,    ///< Directories and the like: every distribution says where things go.
  } verdict = Verdict::kStated;
  std::string text;      ///< "--without-gdbm", "-Dtests=false"
  std::string fallback;  ///< Upstream's default, when it is known.
  Place place;
};
std::string_view name_of(Switch::Verdict verdict);

/// The source before and after preparation: what stands in the tree that the first build step sees and not in
/// upstream's, and the other way round. From trees, never estimated.
struct TreeDelta {
  struct File {
    std::string path;
    char change = 'm';                     ///< a added, m modified, r removed
    std::uint64_t added = 0, removed = 0;  ///< Lines; 0 for what has none.
    bool binary = false;
  };
  std::vector<File> files;  ///< By path.
  std::string until;        ///< The step before which preparation ended; empty: the last.
  std::uint64_t source_files = 0;
  std::size_t count(char change) const;
  std::uint64_t added() const, removed() const;
};

/// Distance of one definition from upstream.
struct Delta {
  std::string package, version, newest;  ///< newest: empty when unknown.
  int releases_behind = 0;
  std::int64_t first_newer = 0;      ///< When the first newer release came, seconds since 1970; 0 when unknown.
  std::string source_kind;           ///< "upstream", "repacked", "own"
  std::size_t repacked_sources = 0;  ///< Design, decision 12.
  std::vector<AppliedPatch> patches;
  std::vector<std::string> dead_patches;  ///< In the side directory; no step and no file there names them.
  std::vector<Pick> picks;
  std::vector<Edit> edits;
  std::vector<Bump> bumps;
  std::vector<Switch> switches;
  std::optional<TreeDelta> tree;  ///< Nothing: not taken for these inputs.

  PatchCount patch_count() const;
  std::size_t bump_entries() const;
  std::size_t source_edits() const;
  std::size_t switches_that(Switch::Verdict verdict) const;
  bool has_any() const;  ///< Patches, picks, edits of the source, bumps: what changes the source.
};

/// First commit of each file of a folder, by path below it. Empty outside git, and where git has no history of it.
using Ages = std::map<std::string, std::int64_t, std::less<>>;
Ages ages_in_git(const os::Path& folder, Env& env);

/// What the definition, its side directory and the lock say: no source is opened. `side_dir` may be absent; `ages` has
/// paths below the folder that holds the definition.
Result<Delta> measure_definition(const definition::Definition& definition, const os::Path& side_dir,
                                 const std::vector<build::LockedSource>& lock, const Ages& ages);

/// Adds what the feeds said.
void add_observation(Delta& delta, const Observation& seen);

/// Totals of several definitions, as the report and the trend have them.
struct DeltaTotals {
  std::size_t definitions = 0, with_any = 0;
  std::size_t patched = 0, patches = 0, hunks = 0, added = 0, removed = 0, dead_patches = 0;
  std::size_t picked = 0, picks = 0;
  std::size_t edited = 0, edits = 0, source_edits = 0;  ///< Definitions and commands.
  std::size_t bumped = 0, bumps = 0, bump_entries = 0;  ///< Definitions, steps, entries.
  std::size_t switches = 0, switches_that_differ = 0, repacked = 0;
  std::size_t trees = 0, tree_files = 0;  ///< Definitions whose trees were compared; files.
  std::uint64_t tree_lines = 0;
};
DeltaTotals sum(const std::vector<Delta>& deltas);

}  // namespace nacre::watch
