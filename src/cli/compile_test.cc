#include "cli/compile_kept.h"
#include "cli/compile_many.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace nacre::cli {
namespace {

/// A directory of definitions that all use one pipeline; old enough for its times to tell.
class CompileMany : public testing::Test {
 protected:
  void SetUp() override {
    auto made = os::TempDir::create(std::filesystem::temp_directory_path());
    ASSERT_TRUE(made) << made.error().render();
    folder_.emplace(*std::move(made));
    std::filesystem::create_directories(path() / "pipelines");
    write("pipelines/say.yaml", "inputs: {what: {default: hello}}\npipeline: [{runs: 'echo ${{inputs.what}}'}]\n");
    for (int i = 0; i < 40; ++i) write_definition(i, "x");
  }

  os::Path path() const { return folder_->path(); }

  /// Writes a file whose times lie back: one that changed just now is never trusted.
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(os::write_file(path() / name, text));
    usleep(1000);
  }

  void write_definition(int i, const std::string& what) {
    write(fmt::format("p{:02}.yaml", i),
          fmt::format("package: {{name: p{}, version: 1}}\npipeline: [{{uses: say, with: {{what: {}}}}}]\n", i, what));
  }

  CompileResult run(unsigned threads = 0) {
    CompileRequest request;
    auto files = definition_files({path().string()});
    EXPECT_TRUE(files) << files.error().render();
    request.files = *files;
    request.pipeline_dirs = {path() / "first", path() / "pipelines"};
    request.kept = path() / "kept";
    request.builder = builder_;
    request.threads = threads;
    request.answer = answer_;
    auto out = compile_many(request);
    EXPECT_TRUE(out) << out.error().render();
    return *std::move(out);
  }

  static void settle() { usleep(60'000); }

  os::Path kept_file() const {
    for (const auto& entry : std::filesystem::directory_iterator(path() / "kept")) return entry.path();
    return {};
  }

  std::optional<os::TempDir> folder_;
  std::string builder_ = "test";
  CompileAnswer answer_ = CompileAnswer::kJson;
};

TEST_F(CompileMany, KeepsWhatDidNotChange) {
  settle();
  const CompileResult first = run(4);
  EXPECT_EQ(first.compiled, 40u);
  const CompileResult second = run();
  EXPECT_EQ(second.compiled, 0u);
  ASSERT_EQ(second.files.size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(first.files[i].json, second.files[i].json);
  EXPECT_NE(first.files[7].json.find("echo x"), std::string_view::npos);

  write_definition(7, "y");
  settle();
  const CompileResult third = run();
  EXPECT_EQ(third.compiled, 1u);
  EXPECT_NE(third.files[7].json.find("echo y"), std::string_view::npos);
  EXPECT_EQ(run().compiled, 0u);
}

TEST_F(CompileMany, KeepsNodesOfTheGraphApart) {
  settle();
  run();
  answer_ = CompileAnswer::kNode;
  for (const std::size_t compiled : {40u, 0u}) {
    const CompileResult result = run();
    EXPECT_EQ(result.compiled, compiled);
    EXPECT_EQ(result.files[7].json,
              R"({"name":"p7","runtime":[],"provides":[],"version":"1","epoch":0,"builddeps":[],"subpackages":[]})");
  }
  answer_ = CompileAnswer::kJson;
  EXPECT_EQ(run().compiled, 0u);
}

TEST_F(CompileMany, APipelineChangesAllThatUseIt) {
  write("p00.yaml", "package: {name: p0, version: 1}\n");
  settle();
  run();
  write("pipelines/say.yaml", "inputs: {what: {}}\npipeline: [{runs: 'print ${{inputs.what}}'}]\n");
  settle();
  const CompileResult changed = run();
  EXPECT_EQ(changed.compiled, 39u);  // All but the one that uses nothing.
  EXPECT_NE(changed.files[1].json.find("print x"), std::string_view::npos);

  // A pipeline that comes to stand before the one that was used counts as a change too.
  std::filesystem::create_directories(path() / "first");
  write("first/say.yaml", "inputs: {what: {}}\npipeline: [{runs: 'first ${{inputs.what}}'}]\n");
  settle();
  const CompileResult before = run();
  EXPECT_EQ(before.compiled, 39u);
  EXPECT_NE(before.files[1].json.find("first x"), std::string_view::npos);
}

TEST_F(CompileMany, KeepsProblemsToo) {
  write("p03.yaml", "package: {name: p3, version: 1, epohc: 2}\n");
  settle();
  for (const std::size_t compiled : {40u, 0u}) {
    const CompileResult result = run();
    EXPECT_EQ(result.compiled, compiled);
    ASSERT_TRUE(result.files[3].problem);
    EXPECT_EQ(result.files[3].problem->place.column, 33);
    const std::string file = (path() / "p03.yaml").string();
    EXPECT_EQ(result.files[3].problem->text,
              file + ":1:33: unknown field 'epohc' in package\n  hint: did you mean 'epoch'?");
    EXPECT_NE(result.files[3].problem->shown.find("^~~~~"), std::string::npos);
  }
}

TEST_F(CompileMany, DoesNotTrustWhatChangedJustNow) {
  settle();
  run();
  write_definition(5, "z");
  run();  // p05 is younger than the clock is fine.
  EXPECT_EQ(run().compiled, 1u);
}

TEST_F(CompileMany, BrokenResultsAreMadeAnew) {
  settle();
  const CompileResult good = run();
  const std::string bytes = *os::read_file(kept_file());
  // Any one wrong byte, and every shorter file: never a crash, never another answer.
  for (std::size_t i = 0; i < bytes.size(); i += 613) {
    std::string broken = bytes;
    broken[i] = static_cast<char>(broken[i] ^ 0x55);
    ASSERT_TRUE(os::write_file(kept_file(), broken));
    const CompileResult again = run(1);
    for (std::size_t k = 0; k < 40; ++k) ASSERT_EQ(good.files[k].json, again.files[k].json) << i;
    ASSERT_TRUE(os::write_file(kept_file(), std::string_view(bytes).substr(0, i)));
    ASSERT_EQ(run(1).compiled, 40u) << i;
  }
  EXPECT_EQ(run().compiled, 0u);
}

TEST_F(CompileMany, AnotherProgramCompilesAnew) {
  settle();
  run();
  builder_ = "another";
  EXPECT_EQ(run().compiled, 40u);
  for (int i = 0; i < 12; ++i) {
    builder_ = std::to_string(i);
    run();
  }
  std::size_t runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path() / "kept")) runs += entry.exists();
  EXPECT_EQ(runs, kMaxRuns);
}

TEST_F(CompileMany, ADirectoryWithoutDefinitionsIsAnError) {
  std::filesystem::create_directories(path() / "none");
  EXPECT_EQ(definition_files({(path() / "none").string()}).error().render(),
            fmt::format("no definitions (*.yaml) in '{}'", (path() / "none").string()));
}

}  // namespace
}  // namespace nacre::cli
