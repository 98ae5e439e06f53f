#include "definition/load.h"

#include <gtest/gtest.h>

namespace nacre::definition {
namespace {

TEST(OurDefinitions, AllReadOnBothArchitectures) {
  const os::Path root = os::Path(NACRE_SOURCE_DIR) / "os";
  PipelineFolders pipelines({root / "pipelines"});
  std::size_t count = 0;
  for (const char* arch : {"x86_64", "aarch64"})
    for (const auto& entry : std::filesystem::directory_iterator(root / "packages")) {
      if (entry.path().extension() != ".yaml") continue;
      CompileOptions options;
      options.arch = *find_arch(arch);
      const auto definition = load_definition(entry.path(), pipelines, options);
      ASSERT_TRUE(definition) << definition.error().render();
      EXPECT_EQ(definition->name + ".yaml", entry.path().filename().string());
      EXPECT_EQ(codec::to_json(definition->compiled).find("${{"), std::string::npos)
          << definition->name;
      for (const Source& source : definition->sources)
        EXPECT_EQ(source.sha256.size(), 64u) << definition->name;
      ++count;
    }
  EXPECT_GT(count, 20u);
}

}  // namespace
}  // namespace nacre::definition
