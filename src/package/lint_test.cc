#include "package/lint.h"

#include "definition/definition.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::package {
namespace {

struct Tree {
  Tree() : dir(*os::TempDir::create(std::filesystem::temp_directory_path())) {}
  void file(const std::string& path, std::string_view text = "x", unsigned mode = 0644) {
    const os::Path full = dir.path() / path;
    EXPECT_TRUE(os::make_dirs(full.parent_path()));
    EXPECT_TRUE(os::write_file(full, text));
    std::filesystem::permissions(full, std::filesystem::perms(mode));
  }
  os::TempDir dir;
};

LintChoice everything() {
  LintChoice out = LintChoice::defaults();
  for (const LintRule& rule : lint_rules()) out.warn.emplace(rule.name);
  return out;
}

std::vector<Finding> lint(const Tree& tree, const std::string& package = "foo",
                          const definition::Definition* definition = nullptr) {
  const PackageTree walked = *PackageTree::walk(tree.dir.path());
  auto out = lint_package(walked, definition, package, everything());
  EXPECT_TRUE(out) << out.error().render();
  return out ? *std::move(out) : std::vector<Finding>{};
}

std::string rules_at(const std::vector<Finding>& findings, const std::string& path) {
  std::string out;
  for (const Finding& finding : findings)
    if (finding.path.str() == path) out += (out.empty() ? "" : " ") + finding.rule;
  return out;
}

struct Row {
  std::string path, rules, package = "foo";
  unsigned mode = 0644;
};

TEST(Lint, KnowsEachRuleOfNamesAndModes) {
  const std::vector<Row> rows = {
      {"dev/null", "dev"},
      {"usr/lib/dev/null", ""},
      {"usr/share/info/dir", "maninfo"},
      {"usr/share/info/dir/x", "infodir"},
      {"usr/share/info/foo.info-1.gz", "maninfo"},
      {"usr/share/info/foo.info", "", "foo-doc"},
      {"usr/share/man/man1/foo.1.gz", "maninfo"},
      {"usr/share/man/foo.1", "maninfo"},
      {"usr/share/man/man1/foo.1", "", "foo-doc"},
      {"usr/man/man3/x.3pm", "maninfo"},
      {"usr/share/man/x", ""},
      {"usr/lib/libx.la", "libtool/la-files"},
      {"tmp/x", "tempdir"},
      {"var/tmp/x", "tempdir"},
      {"var/run/x", "tempdir"},
      {"run/x", "tempdir"},
      {"sbin/x", "usrmerge"},
      {"usr/sbin/x", "usrmerge"},
      {"lib64/libx.so.1", "lddcheck usrmerge"},
      {"lib", "usrmerge"},
      {"usr/bin/x", ""},
      {"var/empty/x", "varempty"},
      {"usr/lib/x.o", "object"},
      {"usr/lib/x.a", "staticarchive"},
      {"usr/lib/x.a", "", "foo-dev"},
      {"usr/lib/x.a", "", "foo-static"},
      {"usr/lib/x.dll", "dll"},
      {"usr/lib/x.dll", "", "foo-dev"},
      {"usr/lib/x.dylib", "dylib"},
      {"opt/x", "opt"},
      {"opt/x", "", "foo-compat"},
      {"srv/x", "srv"},
      {"usr/local/x", "usrlocal"},
      {"usr/local/x", "", "foo-compat"},
      {"etc/x", ""},
      {"usr/bin/su", "setuidgid", "foo", 04755},
      {"usr/bin/wall", "setuidgid", "foo", 02755},
      {"usr/bin/open", "worldwrite", "foo", 0777},
      {"usr/lib/libcuda.so.1", "cudaruntimelib lddcheck"},
      {"usr/lib/libnvidia-ml.so", "cudaruntimelib lddcheck"},
      {"usr/lib/libcuda.so.x", ""},
      {"usr/lib/stubs/libcuda.so", "lddcheck"},
      {"usr/lib/libfoo.so.1.2", "lddcheck"},
      {"usr/lib/pkgconfig/foo.pc", "pkgconf"},
      {"usr/share/doc/README", "documentation"},
      {"usr/share/doc/README.md", "documentation"},
      {"usr/share/x.rst", "", "foo-doc"},
      {"usr/lib/Darwin/x", "nonlinux"},
      {"usr/lib/x_win32", "nonlinux"},
      {"usr/lib/foo-i386.bin", "unsupportedarch"},
      {"usr/lib/foo-i386-x86_64.bin", ""},
      {"usr/lib/ppc64le/x", "unsupportedarch"},
      {"i386/x", ""},
      {"var/lib/db/sbom/x.spdx.json", ""},
      {"var/lib/db/sbom/x.txt", "sbom"},
      {"usr/lib/python3.12/site-packages/docs", "python/docs"},
      {"usr/lib/python3.12/site-packages/tests", "python/test"},
      {"usr/lib/python3.12/site-packages/foo", ""},
  };
  for (const Row& row : rows) {
    Tree tree;
    tree.file(row.path, "x", row.mode);
    EXPECT_EQ(rules_at(lint(tree, row.package), row.path), row.rules) << row.path << " in " << row.package;
  }
}

TEST(Lint, KeepsTheReferencesLevels) {
  const LintChoice defaults = LintChoice::defaults();
  EXPECT_EQ(defaults.require, (std::set<std::string>{"dev", "infodir", "libtool/la-files", "setuidgid", "tempdir",
                                                     "usrmerge", "varempty", "worldwrite"}));
  EXPECT_EQ(defaults.warn.size(), 20u);
  EXPECT_FALSE(defaults.warn.contains("documentation"));
  EXPECT_FALSE(defaults.warn.contains("empty"));
  const auto disabled = defaults.without({"usrmerge", "documentation"});
  ASSERT_TRUE(disabled);
  EXPECT_FALSE(disabled->require.contains("usrmerge"));
  EXPECT_TRUE(disabled->warn.contains("usrmerge") && disabled->warn.contains("documentation"));
  const auto unknown = defaults.without({"usrmrge"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().render(), "there is no linter 'usrmrge'\n  while reading 'checks.disabled'\n"
                                      "  hint: did you mean 'usrmerge'?");
  EXPECT_FALSE(LintChoice::of({}, {"x"}));
}

TEST(Lint, AllowsDirectoriesOfRunWithASnippet) {
  Tree tree;
  ASSERT_TRUE(os::make_dirs(tree.dir.path() / "run/foo"));
  EXPECT_EQ(rules_at(lint(tree), "run/foo"), "tempdir");
  tree.file("usr/lib/tmpfiles.d/foo.conf");
  EXPECT_EQ(rules_at(lint(tree), "run/foo"), "");
}

TEST(Lint, AllowsLinksInPlaceOfMergedDirectories) {
  Tree tree;
  std::filesystem::create_symlink("usr/lib", tree.dir.path() / "lib64");
  EXPECT_EQ(rules_at(lint(tree), "lib64"), "");
}

TEST(Lint, FindsEqualFilesOfOneName) {
  Tree tree;
  const std::string text(2000, 'a');
  tree.file("usr/a/data", text);
  tree.file("usr/b/data", text);
  tree.file("usr/c/data", std::string(2000, 'b'));
  tree.file("usr/a/other", text);
  for (const char* name : {"LICENSE", "MIT-LICENSE.txt", "COPYING.md", "COPYRIGHT", "ofl.txt", "PATENTS"}) {
    tree.file("usr/a/" + std::string(name), text);
    tree.file("usr/b/" + std::string(name), text);
  }
  tree.file("usr/a/small", "x");
  tree.file("usr/b/small", "x");
  std::vector<Finding> found = lint(tree);
  std::erase_if(found, [](const Finding& finding) { return finding.rule != "duplicate"; });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(codec::to_json(found[0].detail),
            R"({"basename":"data","count":2,"size_bytes":2000,"size":"2.0 KiB","wasted_bytes":2000,)"
            R"("wasted_size":"2.0 KiB","paths":["usr/a/data","usr/b/data"]})");
}

TEST(Lint, JudgesPythonPackages) {
  const std::string site = "usr/lib/python3.12/site-packages/";
  Tree tree;
  for (const char* name : {"foo/x", "foo-1.dist-info/x", "_foo.so", "tests/x"}) tree.file(site + name);
  EXPECT_EQ(rules_at(lint(tree), site + "foo"), "");
  tree.file(site + "bar/x");
  EXPECT_EQ(rules_at(lint(tree), site + "foo"), "python/multiple");
  tree.file("usr/lib/python3.11/x");
  EXPECT_EQ(rules_at(lint(tree), "usr/lib/python3.12"), "python/docs python/multiple python/test");
}

TEST(Lint, AsksForTestsOfThePackageItself) {
  Tree tree;
  tree.file("usr/lib/libfoo.so.1");
  tree.file("usr/lib/pkgconfig/foo.pc");
  definition::Definition definition;
  definition.name = "foo";
  EXPECT_EQ(rules_at(lint(tree, "foo", &definition), "usr/lib/libfoo.so.1"), "lddcheck");
  definition::Step step;
  step.uses = "test/tw/ldd-check";
  definition.test.pipeline = {step};
  EXPECT_EQ(rules_at(lint(tree, "foo", &definition), "usr/lib/libfoo.so.1"), "");
  EXPECT_EQ(rules_at(lint(tree, "foo", &definition), "usr/lib/pkgconfig/foo.pc"), "pkgconf");
  definition::Subpackage sub;
  sub.name = "foo-dev";
  step.uses = "test/pkgconf";
  sub.test.pipeline = {step};
  definition.subpackages = {sub};
  EXPECT_EQ(rules_at(lint(tree, "foo-dev", &definition), "usr/lib/libfoo.so.1"), "lddcheck");
  EXPECT_EQ(rules_at(lint(tree, "foo-dev", &definition), "usr/lib/pkgconfig/foo.pc"), "");
}

TEST(Lint, JudgesCode) {
  std::string elf(64, '\0');
  elf.replace(0, 6, std::string_view("\x7f" "ELF\x02\x01", 6));
  elf[18] = '\x03';  // EM_386
  Tree tree;
  tree.file("usr/bin/foreign", elf, 0755);
  tree.file("usr/share/data", elf);
  elf[18] = '\x3e';
  elf[60] = '\x01';  // one section header, which leads outside
  elf[58] = '\x40';
  elf[44] = '\x7f';
  tree.file("usr/lib/broken.so", elf);
  const std::vector<Finding> found = lint(tree);
  EXPECT_EQ(rules_at(found, "usr/bin/foreign"), "binaryarch");
  EXPECT_EQ(rules_at(found, "usr/share/data"), "");
  EXPECT_EQ(rules_at(found, "usr/lib/broken.so"), "lddcheck strip");
}

TEST(Lint, SaysEmptyAndKeepsResults) {
  Tree tree;
  ASSERT_TRUE(os::make_dirs(tree.dir.path() / "usr"));
  EXPECT_EQ(rules_at(lint(tree), ""), "empty");
  tree.file("usr/bin/su", "x", 04755);
  tree.file("opt/a");
  tree.file("opt/b");
  const codec::Json results = lint_results(lint(tree), "foo-1-r0");
  EXPECT_EQ(results["package_name"].as_string(), "foo-1-r0");
  const codec::Json& opt = results["findings"]["opt"].items().at(0);
  EXPECT_EQ(codec::to_json(opt["details"]), R"({"paths":["opt/a","opt/b"]})");
  EXPECT_FALSE(opt["message"].as_string().empty() || opt["explain"].as_string().empty());
  EXPECT_EQ(codec::to_json(results["findings"]["setuidgid"].items().at(0)["details"]),
            R"({"files":[{"path":"usr/bin/su","mode":"4755","permissions":["setuid"]}]})");
  EXPECT_TRUE(lint_results({}, "foo-1-r0").is_null());
  EXPECT_EQ(lint_results_name("foo-1-r0"), "lint-foo-1-r0.json");
}

}  // namespace
}  // namespace nacre::package
