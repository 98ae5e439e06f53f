#include "package/abi.h"

#include "codec/digest.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::package {
namespace {

/// A package with one small library, a header, a link and a command.
struct Library {
  std::string code = "int counter[2]; int f(int x) { return x + counter[0]; }";
  std::string file = "libt.so.1.0", soname = "libt.so.1", header = "int f(int);", map = "T_1 { *; };";
  std::string pc = "Version: 1\nLibs: -lt\n", data = "a", config = "echo -lt", command = "a", archive = "!<arch>\n";

  PackageAbi abi() const {
    const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
    const os::Path tree = dir.path() / "tree", source = dir.path() / "x.c", script = dir.path() / "x.map";
    for (const char* folder : {"usr/lib/pkgconfig", "usr/include", "usr/bin", "usr/share/t"})
      EXPECT_TRUE(os::make_dirs(tree / folder));
    EXPECT_TRUE(os::write_file(source, code + "\n"));
    EXPECT_TRUE(os::write_file(script, map + "\n"));
    const std::string line = "cc -shared -fPIC -O1 -o " + (tree / "usr/lib" / file).string() + " " + source.string() +
                             " -Wl,-soname," + soname + " -Wl,--version-script=" + script.string();
    EXPECT_EQ(std::system(line.c_str()), 0) << line;
    EXPECT_TRUE(os::write_file(tree / "usr/include/t.h", header));
    EXPECT_TRUE(os::write_file(tree / "usr/lib/pkgconfig/t.pc", pc));
    EXPECT_TRUE(os::write_file(tree / "usr/lib/libt.a", archive));
    EXPECT_TRUE(os::write_file(tree / "usr/share/t/data", data));
    EXPECT_TRUE(os::write_file(tree / "usr/bin/t-config", config, 0755));
    EXPECT_TRUE(os::write_file(tree / "usr/bin/t", command, 0755));
    std::filesystem::create_symlink(file, tree / "usr/lib/libt.so");
    const PackageTree walked = *PackageTree::walk(tree);
    auto out = read_abi(walked);
    EXPECT_TRUE(out) << out.error().render();
    EXPECT_EQ(*abi_digest(tree), out->digest);
    return *std::move(out);
  }
  Sha256 digest() const { return abi().digest; }
};

TEST(Abi, StaysWhenOnlyCodeVersionsInNamesCommentsAndDataChange) {
  const Sha256 before = Library().digest();
  EXPECT_EQ(Library().digest(), before);
  EXPECT_EQ((Library{.code = "int counter[2]; static int g(int y) { return y * 7; } int f(int x) { return g(x) - 3; }"}
                 .digest()),
            before);
  EXPECT_EQ((Library{.file = "libt.so.1.1"}.digest()), before);
  EXPECT_EQ((Library{.header = "int f(int);  // an int"}.digest()), before);
  EXPECT_EQ((Library{.pc = "# T\nName: t\nDescription: T,\\\n  it\nVersion: 1\nLibs: -lt\n"}.digest()), before);
  EXPECT_EQ((Library{.data = "b"}.digest()), before);
}

TEST(Abi, ChangesWithWhatLinkersAndCompilersSee) {
  const Sha256 before = Library().digest();
  const std::vector<std::pair<std::string, Library>> rows = {
      {"a new function", {.code = "int counter[2]; int f(int x) { return x; } int more(void) { return 1; }"}},
      {"a function less", {.code = "int counter[2];"}},
      {"larger data", {.code = "int counter[3]; int f(int x) { return x + counter[0]; }"}},
      {"a weak function", {.code = "int counter[2]; __attribute__((weak)) int f(int x) { return x; }"}},
      {"the soname", {.soname = "libt.so.2"}},
      {"the header", {.header = "long f(long);"}},
      {"a line more in the header", {.header = "\nint f(int);"}},
      {"what pkg-config says", {.pc = "Version: 1\nLibs: -lt -lm\n"}},
      {"the version that pkg-config says", {.pc = "Version: 2\nLibs: -lt\n"}},
      {"a -config command", {.config = "echo -lt -lm"}},
      {"a command beside headers", {.command = "b"}},
      {"the static library", {.archive = "!<arch>\nx"}},
      {"the symbols' version", {.map = "T_2 { *; };"}},
  };
  for (const auto& [what, library] : rows) EXPECT_NE(library.digest(), before) << what;
}

/// A library's own package, without headers: whoever links with it runs nothing of it.
TEST(Abi, CountsCommandsBesideHeadersAndConfigCommandsAlone) {
  const auto digest = [](const std::string& name, const std::string& text) {
    const os::TempDir tree = *os::TempDir::create(std::filesystem::temp_directory_path());
    EXPECT_TRUE(os::make_dirs(tree.path() / "usr/bin"));
    EXPECT_TRUE(os::write_file(tree.path() / "usr/bin" / name, text, 0755));
    return *abi_digest(tree.path());
  };
  EXPECT_EQ(digest("xmllint", "a"), digest("xmllint", "b"));
  EXPECT_NE(digest("xml2-config", "a"), digest("xml2-config", "b"));
  EXPECT_NE(digest("mysql_config", "a"), digest("mysql_config", "b"));
}

/// A digest of another form is never equal, so nothing is cut off by one.
TEST(Abi, NamesItsFormInTheDigest) {
  const os::TempDir tree = *os::TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_EQ(*abi_digest(tree.path()), codec::sha256(fmt::format("abi {}\n", kAbiVersion)));
}

TEST(Abi, KeepsSymbolsWithVersionsSizesAndLibraries) {
  const Library library{.code = "#include <stdio.h>\nint counter[2]; int f(int x) { puts(\"x\"); return x; }"};
  const codec::Json json = abi_to_json(library.abi());
  EXPECT_EQ(json["abi"].as_int(), kAbiVersion);
  ASSERT_EQ(json["files"].items().size(), 1u);
  const codec::Json& file = json["files"].items()[0];
  EXPECT_EQ(file["path"].as_string(), "usr/lib/libt.so.1.0");
  EXPECT_EQ(file["soname"].as_string(), "libt.so.1");
  EXPECT_EQ(file["needed"].as_strings(), std::vector<std::string>{"libc.so.6"});
  EXPECT_EQ(file["exports"].as_strings(), (std::vector<std::string>{"F f@@T_1", "O0 T_1@@T_1", "O8 counter@@T_1"}));
  const std::vector<std::string> from_libc = file["imports"]["libc.so.6"].as_strings();
  EXPECT_TRUE(std::any_of(from_libc.begin(), from_libc.end(),
                          [](const std::string& name) { return name.starts_with("puts@GLIBC_"); }));
}

}  // namespace
}  // namespace nacre::package
