#pragma once

#include "definition/definition.h"
#include "os/file.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::cli {

/// Why a definition does not compile. Kept with the rest, so that it costs nothing to say it again.
struct CompileProblem {
  ErrorKind kind = ErrorKind::kInvalid;
  Place place;
  std::string text;   ///< Error::render()
  std::string shown;  ///< The same with the line and a caret.
};

/// What became of one file: a compiled form, as compact JSON, or a problem.
struct CompiledFile {
  std::string file;                       ///< As the user wrote it.
  std::string_view json;                  ///< Into the result's memory; empty where there is a problem.
  std::optional<CompileProblem> problem;
};

/// Whether the JSON is wanted, or only whether all is well, or what the graph of definitions takes (plan::to_json of
/// its node).
enum class CompileAnswer { kJson, kProblems, kNode };

/// What to compile, and how.
struct CompileRequest {
  std::vector<os::Path> files;
  std::vector<os::Path> pipeline_dirs;
  definition::CompileOptions options;
  os::Path kept;        ///< Directory of kept results; empty: keep none.
  CompileAnswer answer = CompileAnswer::kJson;
  std::string builder;  ///< Which program compiles: results of another are not used.
  unsigned threads = 0;  ///< 0: one for each core.
};

/// Results in the order of the request, and the memory that they point into.
struct CompileResult {
  std::vector<CompiledFile> files;
  std::size_t compiled = 0;  ///< How many were compiled in this run; the others were kept.
  std::vector<std::shared_ptr<const std::string>> memory;
  std::shared_ptr<const void> mapped;
};

/// Tells this program from others, for CompileRequest::builder: version, inode, size and time of its file.
std::string builder_of(std::string_view version, const os::Path& program);

/// Compiles all files, on all cores. Results of an earlier run with the same options are used where neither the
/// definition nor a pipeline that it uses has changed: device, inode, size and both times of each file tell. Broken
/// or foreign kept results are passed over and written anew.
Result<CompileResult> compile_many(const CompileRequest& request);

/// The definitions that `words` name: files as they stand, of directories all *.yaml directly in them but hidden ones.
Result<std::vector<os::Path>> definition_files(const std::vector<std::string>& words);

}  // namespace nacre::cli
