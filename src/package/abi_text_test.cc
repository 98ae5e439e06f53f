#include "package/abi_text.h"

#include <gtest/gtest.h>

namespace nacre::package {
namespace {

TEST(AbiText, TakesCommentsOutAndKeepsLines) {
  const std::pair<const char*, const char*> rows[] = {
      {"int f(int); // x\nint g();\n", "int f(int);\nint g();\n"},
      {"/* 2024\n * A */ int f();\n", "\n int f();\n"},
      {"int /* a */ f();\r\n", "int   f();\n"},
      {"// a \\\n b\nint f();", "\n\nint f();"},
      {"/* open", ""},
      {"#define T \"/* no */ // no\"  // yes", "#define T \"/* no */ // no\""},
      {"char c = '\"'; /* x */ char d = '\\'';", "char c = '\"';   char d = '\\'';"},
      {"auto s = R\"x(\" /* no */ )\" )x\"; // yes", "auto s = R\"x(\" /* no */ )\" )x\";"},
      {"auto s = u8R\"(// no)\";", "auto s = u8R\"(// no)\";"},
      {"MACR\"// no\" // yes", "MACR\"// no\""},
      {"#error don't /* no */\nint x; // y", "#error don't /* no */\nint x;"},
      {"int n = 1'000'000; // y", "int n = 1'000'000;"},
      {"#define A \"a\\\n// no\"", "#define A \"a\\\n// no\""},
      {"a / b * c /", "a / b * c /"},
      {"", ""},
  };
  for (const auto& [text, out] : rows) EXPECT_EQ(without_comments(text), out) << text;
}

TEST(AbiText, KeepsOfPkgConfigWhatProgramsRead) {
  EXPECT_EQ(pkg_config_facts("prefix=/usr\n# note\n\nName: zlib\nDescription: all of\\\n zlib\nURL: x\n"
                             "Version: 1.3\r\nRequires.private: a\nLibs: -lz \nNamed=1\n"),
            "prefix=/usr\nVersion: 1.3\nRequires.private: a\nLibs: -lz\nNamed=1\n");
}

}  // namespace
}  // namespace nacre::package
