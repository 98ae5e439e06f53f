#include "package/use.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "package/header_items.h"

namespace nacre::package {
namespace {

Use use_of(std::initializer_list<std::pair<const char*, std::string>> files) {
  UseReader reader;
  for (const auto& [name, text] : files) reader.add(name, text);
  return *reader.finish();
}

TEST(Use, TakesEveryWord) {
  const Use use = use_of({{"a.c", "int zlib = sys(\"zlib.h\");\nint x = deflate(\"%sfoo\\nbar\", y_1);  /* comment */"},
                          {"configure", "xml2-config --cflags; pkg-config gtk+-3.0 'libfoo >= 1.2.3'\nBIN=$HOME_DIR"}});
  for (const char* word :
       {"zlib", "zlib.h", "deflate", "foo", "bar", "y_1", "xml2-config", "gtk+-3.0", "libfoo", "HOME_DIR", "sys"})
    EXPECT_TRUE(use.has(std::string_view(word))) << word;
  for (const char* word : {"inflate", "comment"}) EXPECT_FALSE(use.has(std::string_view(word))) << word;
  EXPECT_EQ(use.numbers, (std::vector<std::string>{"1.2.3", "3.0"}));
}

TEST(Use, NotesWhatReachesFurtherThanWords) {
  EXPECT_TRUE(use_of({{"a.c", "#define A(x) lib_##x"}}).pastes);
  EXPECT_FALSE(use_of({{"a.md", "## heading"}}).pastes);
  EXPECT_TRUE(use_of({{"a.c", "#include FT_FREETYPE_H"}}).computed_includes);
  EXPECT_TRUE(use_of({{"a.h.in", "# include <@HEADER@>"}}).computed_includes);
  EXPECT_FALSE(use_of({{"a.c", "#include <a.h>\n#  include \"b.h\"\n#include /* x */ <c.h>\n"}}).computed_includes);
  EXPECT_EQ(use_of({{"build.rs", "bindgen::Builder"}}).whole, "bindgen");
  EXPECT_EQ(use_of({{"x.sh", "gcc -E -dM x.h"}}).whole, "-dM");
  EXPECT_EQ(use_of({{"x.sh", "gcc -dM -E - </dev/null"}}).whole, "");
  EXPECT_EQ(use_of({{"Makefile", "X := $(shell echo 'int main() {}' | $(CC) -E -dM -xc -)"}}).whole, "");
  EXPECT_EQ(use_of({{"x.sh", "echo '#include <z.h>' | gcc -dM -E -"}}).whole, "-dM");
  EXPECT_EQ(use_of({{"x.sh", "echo $SOURCE | gcc -dM -E -"}}).whole, "-dM");
  EXPECT_EQ(use_of({{"x.sh", "echo a; cat x.c | gcc -dM -E -"}}).whole, "-dM");
  EXPECT_EQ(use_of({{"CMakeLists.txt", "find_package(SWIG)"}}).whole, "swig");
  EXPECT_TRUE(use_of({{"configure", "pkg-config --static --libs z"}}).links_static);
  EXPECT_FALSE(use_of({{"aclocal.m4", "pkg-config --static --libs z"}, {"a.c", "static int x;"}}).links_static);
  EXPECT_TRUE(use_of({{"CMakeLists.txt", "pkg_check_modules(DEP zlib)\nmessage(${DEP_VERSION})"}}).asks_versions);
  EXPECT_FALSE(use_of({{"CMakeLists.txt", "pkg_check_modules(DEP zlib)"}}).asks_versions);
  EXPECT_TRUE(use_of({{"a.o",
                       "\x7f"
                       "ELF.debug_line"}})
                  .lines);
  EXPECT_FALSE(use_of({{"a.o",
                        "\x7f"
                        "ELF.symtab deflate"}})
                   .lines);
  const Use cmake = use_of({{"CMakeLists.txt", "Find_Package( ZLIB 1.2 REQUIRED)\nfind_package(${X})"}});
  EXPECT_TRUE(cmake.has(std::string_view("cmake:zlib")));
  EXPECT_TRUE(cmake.has(std::string_view("cmake:*")));
}

TEST(Use, ReadsTheFindersThatItRuns) {
  const os::TempDir dir = *os::TempDir::create(testing::TempDir());
  ASSERT_TRUE(os::make_dirs(dir.path() / "work"));
  ASSERT_TRUE(os::make_dirs(dir.path() / "root/usr/share/cmake-3.25/Modules"));
  std::ofstream(dir.path() / "work/CMakeLists.txt") << "find_package(LibLZMA)";
  std::ofstream(dir.path() / "root/usr/share/cmake-3.25/Modules/FindLibLZMA.cmake")
      << "check_library_exists(lzma lzma_auto_decoder) LZMA_VERSION_MAJOR swig";
  std::ofstream(dir.path() / "root/usr/share/cmake-3.25/Modules/FindZLIB.cmake") << "inflateInit";
  const os::Path work[] = {dir.path() / "work"}, roots[] = {dir.path() / "root"};
  const Result<Use> use = read_use(work, roots, std::nullopt);
  ASSERT_TRUE(use) << use.error().render();
  EXPECT_TRUE(use->has(std::string_view("lzma_auto_decoder")));
  EXPECT_FALSE(use->has(std::string_view("LZMA_VERSION_MAJOR")));
  EXPECT_FALSE(use->has(std::string_view("inflateInit")));
  EXPECT_EQ(use->whole, "");
}

TEST(Use, LeavesOutWhatNobodyRead) {
  const os::TempDir dir = *os::TempDir::create(testing::TempDir());
  std::ofstream(dir.path() / "read.c") << "#include <zlib.h>\nint a = deflate_one;";
  std::ofstream(dir.path() / "left.c") << "#include <zlib.h>\nint b = deflate_two;";
  const auto mark = os::mark_unread(dir.path());
  ASSERT_TRUE(mark) << mark.error().render();
  if (!*mark) GTEST_SKIP() << "access times are not kept here";
  ASSERT_TRUE(os::read_file(dir.path() / "read.c"));
  std::ofstream(dir.path() / "made.c") << "int c = deflate_three;";
  const os::Path work[] = {dir.path()};
  const Result<Use> use = read_use(work, {}, *mark);
  ASSERT_TRUE(use) << use.error().render();
  EXPECT_TRUE(use->has(std::string_view("deflate_one")));
  EXPECT_FALSE(use->has(std::string_view("deflate_two")));
  EXPECT_TRUE(use->has(std::string_view("deflate_three")));
}

TEST(Use, KnowsWhoseVersionItTakes) {
  using Names = std::vector<std::string>;
  struct Row {
    const char *file, *text;
    Names taken;
  };
  const Row rows[] = {
      {"meson.build", "v = zdep.version()", {"*"}},
      {"meson.build", "v = meson.version()", {}},
      {"meson.build", "zdep = dependency('zlib', version: '>1')\nv = zdep.version()", {"zlib"}},
      {"meson.build", "zdep = dependency(\n  'zlib')\nif zdep.version() == '1'\nendif", {"zlib"}},
      {"meson.build", "zdep = dependency(name)\nv = zdep.version()", {"*"}},
      {"meson.build", "zdep = dependency('zlib')\nzdep = other\nv = zdep.version()", {"*", "zlib"}},
      {"configure", "V=`$PKG_CONFIG --modversion zlib`", {"zlib"}},
      {"configure", "$PKG_CONFIG --modversion \"zlib\" 2>/dev/null", {"zlib"}},
      {"configure", "$PKG_CONFIG --modversion zlib 2>/dev/null", {"zlib"}},
      {"configure", "$PKG_CONFIG --modversion $1", {"*"}},
      {"configure", "$PKG_CONFIG --modversion zlib$SUFFIX", {"*"}},
      {"configure", "$PKG_CONFIG --modversion zlib foo", {"*"}},
      {"setup.py", "run(['pkg-config', '--modversion', name])", {"*"}},
  };
  for (const Row& row : rows) EXPECT_EQ(use_of({{row.file, row.text}}).taken, row.taken) << row.text;
  UseReader two;
  two.add("a/meson.build", "z = dependency('zlib')\nx = z.version()");
  two.add("b/meson.build", "z = dependency('libpng')\n");
  EXPECT_EQ(two.finish()->taken, (Names{"libpng", "zlib"}));
}

TEST(Use, KnowsWhereAWordStands) {
  UseReader reader;
  reader.add("0/src/a.c", "#include <z.h>\n#include \"b.h\"\nint one;");
  reader.add("0/src/b.h", "#ifndef B\n#define B\n#include <y/../y.h>\nint two, one;\n#endif\n");
  reader.add("0/doc/a.txt", "three");
  reader.add("0/Makefile", "four");
  const Use use = *reader.finish();
  const auto count = [&](std::string_view word) { return use.files_of(word_hash(word)).size(); };
  EXPECT_EQ(count("one"), 2U);
  EXPECT_EQ(count("two"), 1U);
  EXPECT_EQ(count("three"), 0U);
  EXPECT_FALSE(use.has(std::string_view("three")));
  EXPECT_TRUE(use.scripts_have("four"));
  EXPECT_FALSE(use.scripts_have("one"));
  EXPECT_EQ(use.includes, (std::vector<std::string>{"b.h", "y.h", "z.h"}));
  const UseFile& a = use.files[use.files_of(word_hash("one"))[0]];
  ASSERT_EQ(a.includes.size(), 2U);
  EXPECT_TRUE(a.unit && a.includes[0].always && !a.includes[0].own && a.includes[1].own);
  EXPECT_EQ(a.includes[1].files, (std::vector<std::uint32_t>{use.files_of(word_hash("two"))[0]}));
  EXPECT_TRUE(use.files[a.includes[1].files[0]].includes[0].always) << "the guard is no condition";
}

TEST(Use, KnowsWhatStandsBetweenIncludes) {
  const Use use = use_of({{"a.c",
                           "#define FIRST 1\n#include <z.h>\n#if COND\n#undef SECOND\n#endif\n#include <time.h>\n"
                           "#define LAST 1\nint behind;\n"}});
  const UseFile& file = use.files[use.files_of(word_hash("behind"))[0]];
  const auto holds = [&](const std::vector<std::uint32_t>& words, const char* word) {
    return std::any_of(words.begin(), words.end(), [&](auto number) { return use.words[number] == word_hash(word); });
  };
  EXPECT_TRUE(file.told);
  for (const char* word : {"FIRST", "SECOND", "LAST"}) EXPECT_TRUE(holds(file.defines, word)) << word;
  EXPECT_FALSE(holds(file.defines, "COND"));
  EXPECT_TRUE(holds(file.ahead, "FIRST"));
  EXPECT_FALSE(holds(file.ahead, "SECOND"));
  for (const char* word : {"COND", "SECOND"}) EXPECT_TRUE(holds(file.between, word)) << word;
  for (const char* word : {"FIRST", "LAST", "behind", "time"}) EXPECT_FALSE(holds(file.between, word)) << word;
  EXPECT_FALSE(use.has(std::string_view("time"))) << "a header is no name";
  EXPECT_FALSE(use_of({{"Makefile", "CC = cc -include z.h"}, {"a.c", "int a;"}}).files.back().told)
      << "what stands before all is not known here";
}

TEST(Use, ReadsListsThatDoNotTellWhatStandsBetween) {
  Use use = use_of({{"a.c", "#include <z.h>\nint b;\n#include <y.h>\n"}});
  for (UseFile& file : use.files) file.told = false;
  std::string bytes = use_to_bytes(use);
  const std::size_t at = bytes.find("\"use\":");
  ASSERT_NE(at, std::string::npos);
  bytes[bytes.find('3', at)] = '2';
  const Result<Use> old = use_from_bytes(bytes);
  ASSERT_TRUE(old) << old.error().render();
  EXPECT_EQ(old->words, use.words);
  EXPECT_TRUE(std::none_of(old->files.begin(), old->files.end(), [](const UseFile& file) { return file.told; }));
}

TEST(Use, IsKeptAndReadAgain) {
  Use use = use_of({{"CMakeLists.txt", "find_package(Z) a b FOO_VERSION 1.2"},
                    {"a.c", "#define x a##b\n#include <a.h>\nint y;\n#include <b.h>\n"}});
  const std::string bytes = use_to_bytes(use);
  const Result<Use> again = use_from_bytes(bytes);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->words, use.words);
  EXPECT_EQ(again->versions, std::vector<std::string>{"foo_version"});
  EXPECT_EQ(again->numbers, std::vector<std::string>{"1.2"});
  EXPECT_TRUE(again->pastes);
  EXPECT_EQ(use_to_bytes(*again), bytes);
  EXPECT_EQ(again->files.size(), use.files.size());
  EXPECT_EQ(again->where, use.where);
  EXPECT_FALSE(again->files.back().between.empty());
  EXPECT_EQ(again->files.back().between, use.files.back().between);
  EXPECT_EQ(again->files.back().defines, use.files.back().defines);
  EXPECT_EQ(again->paste_patterns, std::vector<std::string>{"ab"});
  for (std::size_t less = 1; less < bytes.size(); ++less)
    EXPECT_FALSE(use_from_bytes(std::string_view(bytes).substr(0, bytes.size() - less))) << less;
  EXPECT_FALSE(use_from_bytes("{\"use\": 99, \"words\": 0}\n"));
  EXPECT_FALSE(use_from_bytes(""));
}

}  // namespace
}  // namespace nacre::package
