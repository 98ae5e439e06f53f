#pragma once

#include "cli/compile_many.h"

#include <cstdint>
#include <map>

namespace nacre::cli {

/// What tells one state of a file from another. All zero: there is none; `trusted` false: it was written so
/// recently that a further write might not show.
struct FileState {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;  ///< Nanoseconds.
  bool trusted = true;
  bool operator==(const FileState&) const = default;
};

/// The state of a file now.
FileState state_of(const os::Path& path);

/// The files in which a pipeline was looked for, in order; the last is the one that has it.
using Probes = std::vector<std::pair<std::string, FileState>>;

/// One file of a run, as kept: its state, the pipelines that it asked for and what became of it.
struct KeptFile {
  std::string file;
  FileState state;
  std::vector<std::uint32_t> pipelines;  ///< Indices into KeptRun::pipelines.
  std::string_view json;
  std::uint32_t crc = 0;                 ///< Of json.
  std::optional<CompileProblem> problem;
};

/// All that a run leaves behind for the next with the same options.
struct KeptRun {
  std::vector<std::pair<std::string, Probes>> pipelines;
  std::vector<KeptFile> files;
  std::shared_ptr<const void> mapped;
};

/// The run of an earlier process; nothing where there is none, or what is there is broken.
std::optional<KeptRun> read_kept(const os::Path& file, std::string_view key);

/// Replaces it, as a whole. Old runs beyond kMaxRuns in the directory go.
Result<> write_kept(const os::Path& file, std::string_view key, const KeptRun& run);

constexpr std::size_t kMaxRuns = 8;
constexpr std::uint64_t kMaxRunBytes = 256u << 20;

/// CRC-32 of `bytes`.
std::uint32_t checksum(std::string_view bytes);

}  // namespace nacre::cli
