#include "package/elf.h"
#include "package/package.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::package {
namespace {

os::TempDir scratch() {
  auto dir = os::TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_TRUE(dir);
  return *std::move(dir);
}

void put(const os::Path& path, std::string_view text, unsigned mode = 0644) {
  ASSERT_TRUE(os::make_dirs(path.parent_path()));
  ASSERT_TRUE(os::write_file(path, text, mode));
}

/// Compiles a small C text with the host's compiler; the flags decide what the gate must see.
void compile(const os::Path& out, const std::string& flags, const std::string& text) {
  ASSERT_TRUE(os::make_dirs(out.parent_path()));
  const std::string source = out.string() + ".c";
  ASSERT_TRUE(os::write_file(source, text));
  const std::string command = "cc -o '" + out.string() + "' '" + source + "' " + flags;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::filesystem::remove(source);
}

std::vector<std::string> rules_of(const std::vector<Finding>& findings, bool only_fatal) {
  std::vector<std::string> out;
  for (const Finding& finding : findings)
    if (finding.fatal || !only_fatal) out.push_back(finding.rule);
  std::sort(out.begin(), out.end());
  return out;
}

constexpr const char* kProgram =
    "#include <stdio.h>\nint main(int c, char** v) { char b[64]; snprintf(b, sizeof b, v[0]); puts(b); return c; }\n";

TEST(Hardening, PassesAHardenedProgramAndNamesEachMissingMeasure) {
  const os::TempDir dir = scratch();
  compile(dir.path() / "good/usr/bin/a", "-O2 -fPIE -pie -fcf-protection -Wl,-z,relro,-z,now,-z,ibt,-z,shstk",
          kProgram);
  compile(dir.path() / "bad/usr/bin/a", "-O0 -no-pie -Wl,-z,norelro,-z,lazy,-z,execstack -Wl,-rpath,/opt/x", kProgram);
  const auto good = check_hardening(dir.path() / "good", "good");
  ASSERT_TRUE(good) << good.error().render();
  EXPECT_EQ(rules_of(*good, true), std::vector<std::string>{});
  const auto bad = check_hardening(dir.path() / "bad", "bad");
  ASSERT_TRUE(bad);
  EXPECT_EQ(rules_of(*bad, true),
            (std::vector<std::string>{"hardening/bind-now", "hardening/cet", "hardening/nx-stack", "hardening/pie",
                                      "hardening/relro", "hardening/rpath"}));
}

TEST(Scan, FindsLibrariesCommandsAndModules) {
  const os::TempDir dir = scratch();
  compile(dir.path() / "usr/lib/libfoo.so.1.2", "-shared -fPIC -Wl,-soname,libfoo.so.1", "int f(void) { return 1; }\n");
  std::filesystem::create_symlink("libfoo.so.1.2", dir.path() / "usr/lib/libfoo.so");
  compile(dir.path() / "usr/bin/tool", "", kProgram);
  std::filesystem::permissions(dir.path() / "usr/bin/tool", std::filesystem::perms(0755));
  put(dir.path() / "usr/lib/pkgconfig/foo.pc", "Name: foo\nRequires: bar >= 1.2, baz\n");
  put(dir.path() / "usr/bin/script", "#!/usr/bin/env -S lua5.4\n", 0755);
  definition::Definition definition;
  definition.name = "foo";
  definition.version = "1.0";
  const auto scan = scan_tree(dir.path(), {}, definition, "foo");
  ASSERT_TRUE(scan) << scan.error().render();
  EXPECT_EQ(scan->depends, (std::vector<std::string>{"cmd:lua5.4", "pc:bar", "pc:baz", "so:ld-linux-x86-64.so.2",
                                                     "so:libc.so.6", "so:libfoo.so.1"}));
  EXPECT_EQ(scan->provides, (std::vector<std::string>{"cmd:script=1.0-r0", "cmd:tool=1.0-r0", "pc:foo=1.0-r0",
                                                      "so-ver:libfoo.so.1=1.0-r0", "so:libfoo.so.1=1"}));
}

TEST(Hardening, JudgesLibrariesAndLeavesObjectsAndTextAlone) {
  const os::TempDir dir = scratch();
  const char* library = "#include <string.h>\nint f(char* o, const char* i) { strcpy(o, i); return 1; }\n";
  const std::string hard = "-shared -fPIC -fcf-protection -Wl,-z,relro,-z,now,-z,ibt,-z,shstk ";
  compile(dir.path() / "a/usr/lib/libsoft.so", "-O2 -U_FORTIFY_SOURCE " + hard, library);
  compile(dir.path() / "a/usr/lib/object.o", "-c", library);
  put(dir.path() / "a/usr/bin/script", "#!/bin/sh\n" + std::string(100, '#'), 0755);
  put(dir.path() / "a/usr/lib/broken.so", std::string("\x7f" "ELF\x02\x01", 6) + std::string(100, '\xff'));
  const auto found = check_hardening(dir.path() / "a", "a");
  ASSERT_TRUE(found) << found.error().render();
  EXPECT_EQ(rules_of(*found, true), std::vector<std::string>{"hardening/unreadable"});
  EXPECT_EQ(found->front().path.str(), "usr/lib/broken.so");
  const std::vector<std::string> all = rules_of(*found, false);
  EXPECT_NE(std::find(all.begin(), all.end(), "hardening/fortify"), all.end());
  // The C library may do without what it itself implements.
  const auto excepted = check_hardening(dir.path() / "a", "glibc");
  ASSERT_TRUE(excepted);
  const std::vector<std::string> rest = rules_of(*excepted, false);
  EXPECT_EQ(std::find(rest.begin(), rest.end(), "hardening/fortify"), rest.end());
}

TEST(Scan, LeavesPrivateLibrariesAndForeignFoldersAlone) {
  const os::TempDir dir = scratch();
  const os::Path tree = dir.path() / "main", sibling = dir.path() / "dev";
  const std::string shared = "-shared -fPIC -Wl,-soname,";
  compile(tree / "usr/lib/app/libprivate.so.1", shared + "libprivate.so.1", "int f(void) { return 1; }\n");
  compile(sibling / "usr/lib/libx.so.2.0", shared + "libx.so.2", "int f(void) { return 1; }\n");
  std::filesystem::create_symlink("libx.so.2.0", tree / "usr/lib/libx.so");
  put(tree / "opt/bin/tool", "#!/usr/bin/perl\n", 0755);
  put(tree / "usr/bin/empty", "#!\n", 0755);
  put(tree / "usr/bin/env", "#!/usr/bin/env\n", 0644);
  definition::Definition definition;
  definition.name = "app";
  definition.version = "2";
  const auto scan = scan_tree(tree, {sibling}, definition, "app");
  ASSERT_TRUE(scan) << scan.error().render();
  EXPECT_EQ(scan->vendored, (std::vector<std::string>{"so-ver:libprivate.so.1=2-r0", "so:libprivate.so.1=1"}));
  EXPECT_EQ(scan->provides, std::vector<std::string>{"cmd:empty=2-r0"});
  EXPECT_EQ(std::count(scan->depends.begin(), scan->depends.end(), "so:libx.so.2"), 1);
  EXPECT_EQ(std::count(scan->depends.begin(), scan->depends.end(), "cmd:perl"), 0);
  definition.options.no_provides = definition.options.no_depends = true;
  const auto silent = scan_tree(tree, {sibling}, definition, "app");
  EXPECT_TRUE(silent->provides.empty() && silent->depends.empty());
}

TEST(EmbeddedDefinition, LeavesOutWhatTheCallerGave) {
  definition::Definition definition;
  definition.compiled = *codec::parse_json(
      R"({"environment":{"contents":{},"environment":{"CC":"gcc","TOKEN":"secret"}}})", "test");
  EXPECT_EQ(codec::to_json(embedded_definition(definition)),
            R"({"environment":{"contents":{},"environment":{"CC":"gcc","TOKEN":"secret"}}})");
  definition.callers_variables = {"TOKEN"};
  EXPECT_EQ(codec::to_json(embedded_definition(definition)),
            R"({"environment":{"contents":{},"environment":{"CC":"gcc"}}})");
}

TEST(EmbeddedDefinition, LeavesOutWhatDoesNotChangeTheBuild) {
  definition::Definition definition;
  definition.compiled = *codec::parse_json(
      R"({"package":{"name":"a"},"pipeline":[{"runs":"make"}],"test":{"pipeline":[]},"update":{"enabled":true},)"
      R"("subpackages":[{"name":"a-dev","test":{"pipeline":[]}}]})", "test");
  const codec::Json out = embedded_definition(definition);
  EXPECT_EQ(out.find("test"), nullptr);
  EXPECT_EQ(out.find("update"), nullptr);
  EXPECT_EQ(codec::to_json(out["package"]), R"({"name":"a"})");
  EXPECT_EQ(codec::to_json(out["pipeline"]), R"([{"runs":"make"}])");
  EXPECT_EQ(codec::to_json(out["subpackages"]), R"([{"name":"a-dev"}])");
}

TEST(Lint, NamesTheRuleAndHonoursExceptions) {
  const os::TempDir dir = scratch();
  put(dir.path() / "bin/a", "x");
  put(dir.path() / "usr/bin/s", "x");
  std::filesystem::permissions(dir.path() / "usr/bin/s", std::filesystem::perms(04755));
  definition::Definition definition;
  definition.name = "foo";
  auto findings = lint_tree(dir.path(), definition, "foo");
  ASSERT_TRUE(findings);
  EXPECT_EQ(rules_of(*findings, true), (std::vector<std::string>{"setuidgid", "usrmerge", "usrmerge"}));
  definition.disabled_checks = {"setuidgid"};
  findings = lint_tree(dir.path(), definition, "foo");
  EXPECT_EQ(rules_of(*findings, true), (std::vector<std::string>{"usrmerge", "usrmerge"}));
}

TEST(ElfReader, RefusesTablesThatLeadOutside) {
  std::string bytes(64, '\0');
  bytes.replace(0, 6, std::string_view("\x7f" "ELF\x02\x01", 6));
  bytes[54] = 56;   // e_phentsize
  bytes[56] = 1;    // e_phnum
  bytes[39] = 0x7f; // e_phoff far away
  const auto elf = read_elf(bytes);
  ASSERT_FALSE(elf);
  EXPECT_TRUE(elf.error().render().starts_with("ELF program header table leads outside the file"))
      << elf.error().render();
}

}  // namespace
}  // namespace nacre::package
