#include "apk/dependency.h"

#include <gtest/gtest.h>

namespace nacre::apk {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_dependency(text);
  return parsed ? "no error" : parsed.error().render();
}

TEST(Dependency, ReadsEveryPart) {
  const auto atom = parse_dependency("!nginx@edge>=1.26.3-r1");
  ASSERT_TRUE(atom) << atom.error().render();
  EXPECT_TRUE(atom->conflict);
  EXPECT_EQ(atom->name, "nginx");
  EXPECT_EQ(atom->tag, "edge");
  EXPECT_EQ(atom->op, unsigned{kGreater} | kEqual);
  EXPECT_EQ(atom->version, "1.26.3-r1");
}

TEST(Dependency, IsWrittenInOneForm) {
  const std::pair<const char*, const char*> rows[] = {
      {"zlib", "zlib"},          {"!zlib", "!zlib"},         {"a@x=1", "a@x=1"},
      {"a=1@x", "a@x=1"},        {"a==1", "a=1"},            {"a~=1.2", "a~1.2"},
      {"a=~1.2", "a~1.2"},       {"a<~1", "a<~1"},           {"a=>1", "a>=1"},
      {"so:libz.so.1=1.3", "so:libz.so.1=1.3"},              {"cmd:[", "cmd:["},
      {"/bin/sh", "/bin/sh"},    {"a><Q1abc=", "a><Q1abc="}, {"a<=>1", "a"}, {"py3.11-x,y", "py3.11-x,y"},
  };
  for (const auto& [given, shown] : rows) {
    const auto atom = parse_dependency(given);
    ASSERT_TRUE(atom) << given << ": " << atom.error().render();
    EXPECT_EQ(atom->str(), shown);
  }
}

TEST(Dependency, AcceptsVersions) {
  struct Row {
    const char *atom, *version;
    bool accepted;
  };
  const Row rows[] = {
      {"a", "1", true},           {"a", "", true},           {"a=1", "", false},
      {"a=1.0-r0", "1.0-r0", true}, {"a=1.0", "1.0-r0", false}, {"a>1.0", "1.0-r0", true},
      {"a<2", "1.9-r9", true},    {"a<2", "2_rc1", true},    {"a>=1", "1", true},
      {"a~1.2", "1.2.3-r4", true}, {"a~1.2", "1.20-r0", false}, {"a<~1.2", "1.1", true},
      {"a>~1.2", "1.1", false},   {"a==1", "2", false},      {"!a>1", "2", true},
      {"a><Q1abc=", "1", false},
      // Library versions sort below package versions.
      {"so:a.so.1>=1.0-r0", "5", false}, {"so:a.so.1=5", "5", true}, {"so:a.so.1>4", "5", true},
  };
  for (const Row& row : rows) {
    const auto atom = parse_dependency(row.atom);
    ASSERT_TRUE(atom) << row.atom;
    EXPECT_EQ(atom->accepts(row.version), row.accepted) << row.atom << " " << row.version;
  }
}

TEST(Dependency, RefusalsSayWhy) {
  const std::string hint = "\n  hint: write [!]name[@tag][op version], for example zlib, zlib>=1.3 or !busybox";
  const std::pair<std::string_view, std::string> rows[] = {
      {"", "'' is no dependency: it has no name"},
      {"!", "'!' is no dependency: it has no name"},
      {"!!a", "'!!a' is no dependency: its name starts with '!'"},
      {"a b", "'a b' is no dependency: it holds blanks or foreign characters"},
      {"a>=", "'a>=' is no dependency: its operator has no version"},
      {"=1", "'=1' is no dependency: it has no name"},
      {"a=x", "'a=x' is no dependency: 'x' is no version"},
      {"a@", "'a@' is no dependency: '' is no repository tag"},
      {"a@b=1@c", "'a@b=1@c' is no dependency: it has two repository tags"},
  };
  for (const auto& [text, message] : rows) EXPECT_EQ(error_of(text), message + hint);
}

TEST(Provide, IsANameOrANameInAVersion) {
  EXPECT_EQ(parse_provide("cmd:jq=1.7-r0").name, "cmd:jq");
  EXPECT_EQ(parse_provide("cmd:jq=1.7-r0").version, "1.7-r0");
  EXPECT_EQ(parse_provide("virtual").name, "virtual");
  EXPECT_EQ(parse_provide("virtual").version, "");
}

}  // namespace
}  // namespace nacre::apk
