// With the machine's own compilers: what counts is what they make of the files.
#include "build/compiler_files.h"

#include "base/text.h"
#include "os/file.h"
#include "os/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::build {
namespace {

using definition::Definition;
using os::Path;
using testing::HasSubstr;

constexpr const char* kMetadata =
    R"({"type":"apk","os":"wolfi","name":"libx++","version":"1.2_rc3-r4","architecture":"x86_64",)"
    R"("appCpe":"cpe:2.3:a:some\\!one:x:1.2_rc3:*:*:*:*:*:*:*"})";

Definition definition_of_x() {
  Definition out;
  out.name = "libx++";
  out.version = "1.2_rc3";
  out.epoch = 4;
  out.cpe.vendor = "some\\!one";
  out.cpe.product = "x";
  return out;
}

class CompilerFilesTest : public testing::Test {
 protected:
  os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  os::SystemProcesses processes;

  void SetUp() override {
    const auto files = compiler_files(definition_of_x(), *find_arch("x86_64"), "wolfi");
    ASSERT_TRUE(files) << files.error().render();
    for (const CompilerFile& file : *files) {
      const Path path = dir.path() / file.path;
      ASSERT_TRUE(os::make_dirs(path.parent_path()));
      ASSERT_TRUE(os::write_file(path, file.text));
    }
    ASSERT_TRUE(os::write_file(dir.path() / "main.c", "int main(void) { return 0; }\n"));
    ASSERT_TRUE(os::write_file(dir.path() / "other.c", "int f(void) { return 1; }\n"));
  }

  std::string run(const std::string& line) {
    os::Command command;
    command.argv = {"sh", "-ec", "cd '" + dir.path().string() + "'; " + line};
    command.inherit_env = true;
    const auto out = os::run_or_fail(processes, command);
    EXPECT_TRUE(out) << line << "\n" << (out ? "" : out.error().render());
    return out ? *out : "";
  }
  /// Text of the note of a file; empty: it has none.
  std::string note(const std::string& file) {
    const std::string says = run("readelf -nW " + file), before = "Packaging Metadata: ";
    const std::size_t at = says.find(before), begin = at + before.size();
    return at == std::string::npos ? "" : says.substr(begin, says.find('\n', begin) - begin);
  }
};

TEST_F(CompilerFilesTest, GccWritesTheNote) {
  run("gcc -specs=.melange.gcc.spec -o program main.c other.c && ./program");
  EXPECT_EQ(note("program"), kMetadata);
  run("gcc -specs=.melange.gcc.spec -shared -fPIC -o library.so other.c");
  EXPECT_EQ(note("library.so"), kMetadata);
  run("gcc -o plain main.c");
  EXPECT_EQ(note("plain"), "");
}

TEST_F(CompilerFilesTest, GccLeavesObjectFilesAlone) {
  run("gcc -specs=.melange.gcc.spec -r -nostdlib -o both.o main.c other.c");
  EXPECT_THAT(run("readelf -SW both.o"), testing::Not(HasSubstr(".note.package")));
}

TEST_F(CompilerFilesTest, SourcesCanIncludeTheNote) {
  run("gcc -Wall -Wextra -Werror -c -include ./.melange.fdo.h other.c && ar rc libother.a other.o");
  ASSERT_TRUE(os::write_file(dir.path() / "user.c", "int f(void);\nint main(void) { return f() - 1; }\n"));
  run("gcc -Wl,--gc-sections -o user user.c libother.a && ./user");
  EXPECT_EQ(note("user"), kMetadata);
  EXPECT_THAT(run("readelf -nW user"), HasSubstr("FDO_PACKAGING_METADATA"));
  run("g++ -Wall -Wextra -Werror -include ./.melange.fdo.h -x c++ -o cxx main.c");
  EXPECT_EQ(note("cxx"), kMetadata);
}

TEST_F(CompilerFilesTest, ClangWritesTheNote) {
  if (run("command -v clang || true").empty()) GTEST_SKIP() << "no clang on this machine";
  run("clang --config ./.melange.clang.cfg -o program main.c && ./program");
  EXPECT_EQ(note("program"), kMetadata);
}

TEST_F(CompilerFilesTest, EachClangFindsItsOwn) {
  EXPECT_EQ(trim(run("find .config -type f | wc -l")), "112");
  EXPECT_EQ(run("cat .config/clang-15/x86_64-unknown-linux-gnu-clang++.cfg"),
            "@../../.melange.clang.cfg\n@/etc/clang-15/x86_64-unknown-linux-gnu-clang++.cfg\n");
  EXPECT_TRUE(os::exists(dir.path() / ".config/clang-42/aarch64-unknown-linux-gnu-clang.cfg"));
}

TEST(CompilerFiles, AreRefusedForNamesThatTheyCannotHold) {
  for (const char* os : {"", "a b", "a}", "a'", "a\"b", "%x", "a\n"}) {
    const auto files = compiler_files(definition_of_x(), *find_arch("x86_64"), os);
    ASSERT_FALSE(files) << os;
    EXPECT_EQ(files.error().kind(), ErrorKind::kInvalid);
  }
}

TEST(CompilerFiles, AreAskedForByName) {
  Definition definition;
  definition.pipeline.resize(1);
  definition.pipeline[0].runs = "make CC='gcc -specs=/home/build/specs'";
  EXPECT_FALSE(asks_for_compiler_files(definition));
  definition.subpackages.resize(1);
  definition.subpackages[0].pipeline.resize(1);
  definition.subpackages[0].pipeline[0].pipeline.resize(1);
  definition::Step& step = definition.subpackages[0].pipeline[0].pipeline[0];
  step.runs = "grep -F -- --package-metadata= .melange.gcc.spec";
  EXPECT_TRUE(asks_for_compiler_files(definition));
  step.enabled = false;
  EXPECT_FALSE(asks_for_compiler_files(definition));
  definition.environment.variables = {{"CFLAGS", "-include /home/build/.melange.fdo.h"}};
  EXPECT_TRUE(asks_for_compiler_files(definition));
}

}  // namespace
}  // namespace nacre::build
