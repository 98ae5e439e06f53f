#include "package/deb.h"
#include "package/stage0.h"

#include "apk/version.h"
#include "base/text.h"

#include <gtest/gtest.h>

#include <set>

namespace nacre::package {
namespace {

std::string stage0_error(const std::string& text) {
  const auto yaml = codec::parse_yaml(text, "stage0.yaml");
  if (!yaml) return yaml.error().render();
  const auto read = parse_stage0(*yaml);
  return read ? "no error" : read.error().render();
}

TEST(Stage0Table, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"packages: []\n", "no error"},
      {"other: []\n", "stage0.yaml: expected a list under 'packages'"},
      {"packages: {a: b}\n", "stage0.yaml: expected a list under 'packages'"},
      {"- a\n", "stage0.yaml: expected a list under 'packages'"},
      {"packages: [a]\n", "stage0.yaml:1:12: expected a package with a name"},
      {"packages:\n  - debs: [x]\n", "stage0.yaml:2:5: a package needs a name"},
      {"packages:\n  - name: [x]\n", "stage0.yaml:2:5: a package needs a name"},
      {"packages:\n  - name: ../x\n", "stage0.yaml:2:5: '../x' cannot name a package"},
      {"packages:\n  - name: .x\n", "stage0.yaml:2:5: '.x' cannot name a package"},
      {"packages:\n  - name: a\n    dbes: [x]\n",
       "stage0.yaml:3:5: unknown field 'dbes'\n  hint: did you mean 'debs'?"},
      {"packages:\n  - name: a\n    debs: x\n", "stage0.yaml:3:11: expected a list of names"},
      {"packages:\n  - name: a\n    debs:\n      - {b: c}\n", "stage0.yaml:4:9: expected a name"},
      {"packages:\n  - name: a\n    suite: a b\n", "stage0.yaml:3:12: expected the name of a suite"},
      {"packages:\n  - name: a\n    links: [x]\n", "stage0.yaml:3:12: expected a mapping of paths"},
      {"packages:\n  - name: a\n    files:\n      etc/x: [y]\n", "stage0.yaml:4:14: expected a path"},
      {"packages:\n  - name: a\n    files:\n      etc/x:\n", "stage0.yaml:4:13: expected a path"},
      {"packages:\n  - name: a\n  - name: b\n  - name: a\n", "stage0.yaml:4:5: package 'a' is listed twice"},
  };
  for (const auto& [text, wanted] : rows) EXPECT_EQ(stage0_error(text), wanted) << text;
  EXPECT_TRUE(stage0_error("packages:\n  - name: a\n    links:\n      ../x: y\n").starts_with("stage0.yaml:4:7: "))
      << stage0_error("packages:\n  - name: a\n    links:\n      ../x: y\n");
}

TEST(Stage0Table, SettingsAreASuiteAndWhatPackagesProvide) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"packages: []\n", "suite '' names 0"},
      {"suite: forky\nprovide: [cmd, pc]\npackages: []\n", "suite 'forky' names 1"},
      {"suite: bookworm-backports\n", "suite 'bookworm-backports' names 0"},
      {"siute: forky\n", "stage0.yaml:1:1: unknown field 'siute'\n  hint: did you mean 'suite'?"},
      {"suite: 'a b'\n", "stage0.yaml:1:8: expected the name of a suite"},
      {"suite: ../x\n", "stage0.yaml:1:8: expected the name of a suite"},
      {"suite: [forky]\n", "stage0.yaml:1:8: expected the name of a suite"},
      {"provide: [cmd]\n", "stage0.yaml:1:10: expected [cmd, pc]"},
      {"provide: cmd\n", "stage0.yaml:1:10: expected a list of names"},
  };
  for (const auto& [text, wanted] : rows) {
    const auto yaml = codec::parse_yaml(text, "stage0.yaml");
    ASSERT_TRUE(yaml) << yaml.error().render();
    const auto read = parse_stage0_settings(*yaml);
    EXPECT_EQ(read ? fmt::format("suite '{}' names {}", read->suite, int{read->provide_names}) : read.error().render(),
              wanted)
        << text;
  }
}

/// A table of ours: all files that it names are there, and what it depends on (or Debian's name for it).
void expect_whole(const os::Path& folder, const std::string& first) {
  const std::string file = (folder / "stage0.yaml").string();
  const auto text = os::read_file(file);
  ASSERT_TRUE(text) << text.error().render();
  const auto yaml = codec::parse_yaml(*text, file);
  ASSERT_TRUE(yaml) << yaml.error().render();
  const auto settings = parse_stage0_settings(*yaml);
  ASSERT_TRUE(settings) << settings.error().render();
  const auto entries = parse_stage0(*yaml);
  ASSERT_TRUE(entries) << entries.error().render();
  EXPECT_EQ(entries->front().name, first);
  std::set<std::string> names;
  for (const Stage0Entry& entry : *entries) {
    names.insert(entry.name);
    names.insert(entry.debs.begin(), entry.debs.end());
    names.insert("base-files");
    for (const std::string& provided : entry.provides) names.insert(provided.substr(0, provided.find('=')));
  }
  for (const Stage0Entry& entry : *entries) {
    for (const auto& [path, source] : entry.files) EXPECT_TRUE(os::exists(folder / source)) << source;
    for (const std::string& needed : entry.depends) EXPECT_TRUE(names.contains(needed)) << entry.name << ": " << needed;
  }
}

TEST(Stage0Table, TheTableOfTheDistributionIsWhole) { expect_whole(NACRE_SOURCE_DIR "/os", "stage0-layout"); }
TEST(Stage0Table, TheTableOfTheFieldsNamesIsWhole) { expect_whole(NACRE_SOURCE_DIR "/os/compat", "wolfi-baselayout"); }

TEST(Deb, VersionsBecomeValidAndStayDifferent) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"1.2.3", "1.2.3"}, {"12", "12"}, {"0", "0"}};
  for (const auto& [debian, wanted] : rows) EXPECT_EQ(apk_version_of(debian), wanted);
  std::set<std::string> seen;
  const std::vector<std::string> odd = {"1.3.2-4",
                                        "1:1.3.2-4",
                                        "1:1.3.dfsg+really1.3.2-4",
                                        "12.2.0-14+deb12u1",
                                        "12.2.0-14",
                                        "2.36-9+deb12u10",
                                        "~beta",
                                        "a",
                                        "",
                                        ".5",
                                        "1..5",
                                        "1.",
                                        "20230311+deb12u1",
                                        "5.2.15-2+b8",
                                        std::string(300, '9')};
  for (const std::string& debian : odd) {
    const std::string version = apk_version_of(debian);
    EXPECT_TRUE(apk::is_valid_version(version)) << debian << " -> " << version;
    EXPECT_TRUE(seen.insert(version).second) << debian << " -> " << version;
  }
}

TEST(Deb, DependsAreGroupsOfNames) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"libc6 (>= 2.34), debconf | debconf-2.0", "libc6; debconf debconf-2.0"},
      {"python3:any, gcc-12 (= 12.2.0-14)|gcc", "python3; gcc-12 gcc"},
      {"", ""},
      {" , | ,", ""},
      {"a(>= 1),(b)", "a"},
      {"a,,b", "a; b"},
  };
  for (const auto& [field, wanted] : rows) {
    std::vector<std::string> groups;
    for (const auto& group : parse_debian_depends(field)) groups.push_back(join(group, " "));
    EXPECT_EQ(join(groups, "; "), wanted) << field;
  }
}

TEST(Deb, DirectoriesAreMergedAndDocumentationIsLeftOut) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"bin/sh", "usr/bin/sh"},
      {"sbin", "usr/bin"},
      {"usr/sbin/x", "usr/bin/x"},
      {"lib64/ld-linux-x86-64.so.2", "usr/lib/ld-linux-x86-64.so.2"},
      {"lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"},
      {"libx32/x", "libx32/x"},
      {"usr/lib/x", "usr/lib/x"},
      {"binary", "binary"},
      {"usr/share/doc", ""},
      {"usr/share/doc/x/copyright", ""},
      {"usr/share/document", "usr/share/document"},
      {"", ""},
  };
  for (const auto& [path, wanted] : rows) EXPECT_EQ(merged_path(path), wanted) << path;
}

}  // namespace
}  // namespace nacre::package
