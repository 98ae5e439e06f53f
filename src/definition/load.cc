#include "definition/load.h"

#include "base/text.h"

namespace nacre::definition {
namespace {

/// Names of all pipelines in the folders, for the hint.
std::vector<std::string> known_pipelines(const std::vector<os::Path>& folders) {
  std::vector<std::string> out;
  for (const os::Path& folder : folders) {
    const auto entries = os::walk_tree(folder);
    if (!entries) continue;
    for (const os::TreeEntry& entry : *entries) {
      const std::string& path = entry.path.str();
      if (entry.type == os::FileType::kRegular && path.ends_with(".yaml"))
        out.push_back(path.substr(0, path.size() - 5));
    }
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const codec::YamlTree>> PipelineFolders::pipeline(std::string_view name) {
  if (const auto found = kept_.find(name); found != kept_.end()) return found->second;
  const TreePath path = TRY(TreePath::parse(std::string(name) + ".yaml"));
  for (const os::Path& folder : folders_) {
    const os::Path file = folder / path.str();
    auto text = os::read_beneath(folder, path);
    if (!text && text.error().kind() == ErrorKind::kNotFound) continue;
    if (!text) return std::move(text).error();
    codec::YamlTree tree = TRY(codec::parse_yaml(*std::move(text), file.string()));
    auto kept = std::make_shared<const codec::YamlTree>(std::move(tree));
    kept_.emplace(std::string(name), kept);
    return kept;
  }
  std::string hint = nearest_hint(name, known_pipelines(folders_));
  if (hint.empty()) {
    std::vector<std::string> where;
    for (const os::Path& folder : folders_) where.push_back(folder.string());
    hint = where.empty() ? "no directory of pipelines was given" : "looked in " + join(where, ", ");
  }
  return Error::make(ErrorKind::kNotFound, "no pipeline '{}'", name).hint(std::move(hint));
}

os::Path side_dir_of(const Definition& definition) {
  return os::Path(definition.file).parent_path() / definition.name;
}

Result<Definition> load_definition(const os::Path& file, PipelineSource& pipelines,
                                   const CompileOptions& options) {
  std::string text = TRY(os::read_file(file));
  codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file.string()));
  return read_definition(std::make_shared<const codec::YamlTree>(std::move(tree)), pipelines,
                         options);
}

}  // namespace nacre::definition
