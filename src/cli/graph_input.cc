#include "cli/graph_input.h"

#include "base/text.h"
#include "cli/compile_many.h"
#include "cli/lookup.h"
#include "codec/archive.h"
#include "os/threads.h"

#include <algorithm>

namespace nacre::cli {
namespace {

constexpr std::uint64_t kMaxGraphBytes = std::uint64_t{256} << 20;
constexpr std::size_t kToldProblems = 20;

/// Nodes of all definitions that the request names, in the order of the files.
Result<std::vector<plan::GraphNode>> nodes_of(const CompileRequest& request) {
  const CompileResult result = TRY(compile_many(request));
  const std::vector<CompiledFile>& files = result.files;
  std::vector<plan::GraphNode> out(files.size());
  constexpr std::size_t kPerRun = 256;
  const auto read = [&](std::size_t run) -> Result<> {
    for (std::size_t i = run * kPerRun; i < std::min(files.size(), (run + 1) * kPerRun); ++i) {
      if (files[i].problem) continue;
      const codec::Json json = TRY(codec::parse_json(files[i].json, files[i].file));
      out[i] = TRY(plan::read_graph_node(json));
      out[i].file = files[i].file;
    }
    return {};
  };
  TRY(os::for_each((files.size() + kPerRun - 1) / kPerRun, 0, read));
  std::string told;
  std::size_t count = 0;
  for (const CompiledFile& file : files)
    if (file.problem && ++count <= kToldProblems) told += "\n  " + file.problem->text;
  if (count != 0)
    return Error::make(ErrorKind::kInvalid, "{} of {} definitions do not compile:{}", count, files.size(), told)
        .hint("`nacre compile --check DIR` shows each with its line");
  return out;
}

}  // namespace

std::vector<Option> graph_options() {
  return {
      {"--graph-file", OptionType::kText, "FILE", "", "take the graph from this file", Completion::kFile},
      {"--definitions", OptionType::kList, "DIR", "", "take the definitions in this directory", Completion::kFolder},
      {"--pipeline-dir", OptionType::kList, "DIR", "", "look up pipelines here first", Completion::kFolder}};
}

Result<std::string> read_maybe_compressed(const std::string& file) {
  std::string bytes = TRY(os::read_file(file, kMaxGraphBytes));
  return codec::plain_text(std::move(bytes), file, kMaxGraphBytes);
}

Result<plan::BuildGraph> read_graph(const Arguments& arguments, Session& session) {
  if (const std::string file = arguments.text("--graph-file"); !file.empty()) {
    const std::string text = TRY(read_maybe_compressed(file));
    const codec::Json json = TRY(codec::parse_json(text, file));
    std::vector<plan::GraphNode> nodes = TRY(plan::read_graph_nodes(json), "reading '{}'", file);
    return plan::BuildGraph::make(std::move(nodes), plan::EdgePolicy::usual());
  }
  std::vector<std::string> folders = arguments.list("--definitions");
  if (folders.empty()) folders.push_back((session.os_dir / "packages").string());
  CompileRequest request;
  for (const std::string& folder : arguments.list("--pipeline-dir")) request.pipeline_dirs.emplace_back(folder);
  request.pipeline_dirs.push_back(session.os_dir / "pipelines");
  request.options.arch = TRY(arch_of(arguments));
  request.files = TRY(definition_files(folders));
  request.answer = CompileAnswer::kNode;
  request.kept = session.home / "compiled";
  request.builder = builder_of(program_version(), session.program);
  std::vector<plan::GraphNode> nodes = TRY(nodes_of(request));
  return plan::BuildGraph::make(std::move(nodes), plan::EdgePolicy::usual());
}

}  // namespace nacre::cli
