#pragma once

#include "definition/definition.h"
#include "os/file.h"

namespace nacre::definition {

/// Pipelines from directories, parsed once each and kept.
class PipelineFolders final : public PipelineSource {
 public:
  explicit PipelineFolders(std::vector<os::Path> folders) : folders_(std::move(folders)) {}
  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override;

 private:
  std::vector<os::Path> folders_;
  std::map<std::string, std::shared_ptr<const codec::YamlTree>, std::less<>> kept_;
};

/// The directory beside a definition that bears its name: patches, scripts. It need not be there.
os::Path side_dir_of(const Definition& definition);

/// Reads `file` and compiles it. The one place of this room that does I/O.
Result<Definition> load_definition(const os::Path& file, PipelineSource& pipelines,
                                   const CompileOptions& options);

}  // namespace nacre::definition
