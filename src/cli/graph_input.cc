#include "cli/graph_input.h"

#include "base/text.h"
#include "cli/compile_many.h"
#include "cli/lookup.h"
#include "codec/archive.h"
#include "definition/load.h"
#include "os/threads.h"


namespace nacre::cli {
namespace {

constexpr std::uint64_t kMaxGraphBytes = std::uint64_t{256} << 20;
constexpr std::size_t kToldProblems = 20;

/// Nodes of all definitions of the directories, in the order of the files.
Result<std::vector<plan::GraphNode>> nodes_of(const std::vector<os::Path>& files,
                                              const std::vector<os::Path>& pipelines,
                                              const definition::CompileOptions& options) {
  std::vector<plan::GraphNode> out(files.size());
  std::vector<std::string> problems(files.size());
  // A few runs of neighbours: each thread parses a pipeline once for all of its files.
  constexpr std::size_t kPerRun = 256;
  const std::size_t runs = (files.size() + kPerRun - 1) / kPerRun;
  TRY(os::for_each(runs, 0, [&](std::size_t run) -> Result<> {
    definition::PipelineFolders folders(pipelines);
    for (std::size_t i = run * kPerRun; i < std::min(files.size(), (run + 1) * kPerRun); ++i) {
      const auto definition = definition::load_definition(files[i], folders, options);
      if (definition) out[i] = plan::graph_node(*definition);
      else problems[i] = definition.error().render();
    }
    return {};
  }));
  std::string told;
  std::size_t count = 0;
  for (const std::string& problem : problems) {
    if (problem.empty()) continue;
    if (++count <= kToldProblems) told += "\n  " + problem;
  }
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
  std::vector<os::Path> pipelines;
  for (const std::string& folder : arguments.list("--pipeline-dir")) pipelines.emplace_back(folder);
  pipelines.push_back(session.os_dir / "pipelines");
  definition::CompileOptions options;
  options.arch = TRY(arch_of(arguments));
  const std::vector<os::Path> files = TRY(definition_files(folders));
  std::vector<plan::GraphNode> nodes = TRY(nodes_of(files, pipelines, options));
  return plan::BuildGraph::make(std::move(nodes), plan::EdgePolicy::usual());
}

}  // namespace nacre::cli
