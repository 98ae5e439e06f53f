#include "package/use_source.h"

#include <gtest/gtest.h>

namespace nacre::package {
namespace {

using Patterns = std::vector<std::string>;

TEST(UseSource, TellsWhatATextIs) {
  struct Row {
    const char *path, *text;
    TextKind kind;
  };
  const Row rows[] = {
      {"src/a.c", "", TextKind::kCode},
      {"a.h.in", "", TextKind::kCode},
      {"a.S", "", TextKind::kCode},
      {"configure", "", TextKind::kConfigure},
      {"configure.ac", "", TextKind::kAutoconf},
      {"m4/x.m4", "", TextKind::kAutoconf},
      {"Makefile", "", TextKind::kScript},
      {"doc/CMakeLists.txt", "", TextKind::kScript},
      {"doc/meson.build", "", TextKind::kScript},
      {"doc/conf.py", "", TextKind::kScript},
      {"doc/a.txt", "", TextKind::kProse},
      {"symbols.txt", "", TextKind::kScript},
      {"symbols.list", "", TextKind::kScript},
      {"a.json", "", TextKind::kData},
      {"a.json", "#include <z.h>", TextKind::kCode},
      {"a.unknown", "\n#include <z.h>", TextKind::kCode},
      {"a.py", "s = '#include <z.h>'", TextKind::kScript},
      {"check", "#!/bin/sh", TextKind::kScript},
      {"libtool", "#!/bin/sh\n# Copyright (C) 1996 Free Software Foundation", TextKind::kData},
      {"compile", "#!/bin/sh\ncc conftest.c", TextKind::kScript},
      {"Android.mk", "", TextKind::kProse},
      {".github/workflows/a.yml", "", TextKind::kProse},
      {"config.mk.in", "", TextKind::kScript},
      {"README", "", TextKind::kProse},
      {"README.md", "", TextKind::kProse},
      {"INSTALL.sh", "", TextKind::kScript},
      {"news.py", "", TextKind::kScript},
      {"po/de.po", "", TextKind::kProse},
      {"build.rs", "", TextKind::kScript},
      {"main.go", "", TextKind::kScript},
      {"main.go", "import \"C\"", TextKind::kCode},
      {"a.d", "a.o: a.c /usr/include/z.h", TextKind::kDepends},
      {"a.d", "import std.zlib; void main() {}", TextKind::kScript},
  };
  for (const Row& row : rows) EXPECT_EQ(text_kind(row.path, row.text), row.kind) << row.path << " " << row.text;
}

TEST(UseSource, ReadsIncludesInOrder) {
  const Source source = read_source("a.c",
                                    "/* #include <no.h> */\n"
                                    "#include <a.h>\n"
                                    "#  include \"b.h\" // text\n"
                                    "#if X\n#include <c.h>\n#endif\n"
                                    "#include /* x */ <d.h>\n"
                                    "#include \\\n <e.h>\n"
                                    "#include NAME\n"
                                    "#if __has_include(<f.h>)\n#endif\n"
                                    "puts(\"#include \\\"g.h\\\"\\n\");\n"
                                    "#import <h.h>\n#include_next <i.h>\n");
  std::string text;
  for (const SourceInclude& include : source.includes)
    text += include.path + (include.quoted ? " quoted" : "") + (include.always ? " always" : "") + "\n";
  EXPECT_EQ(text,
            "a.h always\nb.h quoted always\nc.h\nd.h always\ne.h always\n always\nf.h\ng.h quoted\nh.h "
            "always\ni.h always\n");
}

TEST(UseSource, TellsWhatStandsBetweenIncludes) {
  const Source source = read_source("a.c",
                                    "int first;\n#define A 1\n#include <a.h>\n#if B\n#  undef C\n#endif\n"
                                    "#pragma GCC diagnostic push\n#pragma pack(1)\n#include NAME\n"
                                    "s(\"#include <b.h>\");\n#include \"c.h\"\n#define D\\\n(x) x\nint last; // E\n");
  EXPECT_EQ(source.between,
            "#if B\n#  undef C\n#endif\n#pragma GCC diagnostic push\n#pragma pack(1)\n#include NAME\n"
            "s(\"#include <b.h>\");\n");
  EXPECT_EQ(source.ahead, "int first;\n#define A 1\n");
  EXPECT_EQ(source.code, source.ahead + source.between + "#define D\\\n(x) x\nint last; \n");
  EXPECT_EQ(source.defines, (std::vector<std::string>{"A", "C", "D", "pragma"}));
  EXPECT_EQ(read_source("a.c", "int a;").ahead, "");
  EXPECT_EQ(read_source("a.c", "#include <a.h>\nint a;").between, "");
  EXPECT_EQ(read_source("a.c", "f(_Pragma(\"pack(1)\"))").defines, std::vector<std::string>{"_Pragma"});
  EXPECT_EQ(read_source("a.c", "#define \\\nA 1\n").defines, std::vector<std::string>{"pragma"}) << "any at all";
  EXPECT_FALSE(read_source("a.y", "#include <a.h>\n").includes[0].always) << "it may stand in a comment";
  EXPECT_FALSE(read_source("a.cc", "auto t = R\"(a)\";\n#include <a.h>\n").includes[0].always);
}

TEST(UseSource, KnowsAGuard) {
  EXPECT_TRUE(guard_of("/* text */\n#ifndef A\n#define A\nint a;\n#endif /* A */\n").guarded);
  EXPECT_TRUE(guard_of("#ifndef A\n#include <b.h>\n#define A\nint a;\n#endif\n").guarded);
  EXPECT_EQ(guard_of("#ifndef A\n#define A\n#endif").name, "A");
  EXPECT_FALSE(guard_of("#ifndef A\n#if B\n#define A\n#endif\nint a;\n#endif\n").guarded);
  EXPECT_TRUE(guard_of("#pragma once\nint a;").guarded);
  EXPECT_FALSE(guard_of("int a;").guarded);
  EXPECT_FALSE(guard_of("#ifndef A\n#define A\n#endif\nint a;").guarded);
  EXPECT_FALSE(guard_of("int a;\n#ifndef A\n#define A\n#endif\n").guarded);
  EXPECT_FALSE(guard_of("#ifndef A\n#define A\n#else\nint a;\n#endif\n").guarded);
  EXPECT_FALSE(guard_of("#ifndef A\n#define B\nint a;\n#endif\n").guarded);
  EXPECT_FALSE(guard_of("#ifdef A\n#define A\nint a;\n#endif\n").guarded);
  EXPECT_FALSE(guard_of("#ifndef A\n#define A\n#endif\n#ifndef B\nint a;\n#endif\n").guarded);
}

TEST(UseSource, SaysWhichNamesArePutTogether) {
  struct Row {
    const char* text;
    Patterns patterns;
  };
  const Row rows[] = {
      {"#define A(x) lib_##x", {"lib_*"}},
      {"#define A(x) x ## _t", {"*_t"}},
      {"#define A(x, y) x##y", {"**"}},
      {"#define A(x) lib_ \\\n ## x ## _end + x##_2", {"*_2", "lib_*_end"}},
      {"#define A lib_##x", {"lib_x"}},
      {"#define A(x...) lib_##x", {"lib_*"}},
      {"#define A(...) f(a, ##__VA_ARGS__)", {}},
      {"#define A(x) (x)", {}},
      {"#define A(x) b %:%: x", {"**"}},
      {"puts(\"#define A(x) lib_##x\");", {"**"}},
      {"puts(\"## heading\");", {}},
      {"// a##b", {}},
  };
  for (const Row& row : rows) EXPECT_EQ(read_source("a.c", row.text).pastes, row.patterns) << row.text;
}

}  // namespace
}  // namespace nacre::package
