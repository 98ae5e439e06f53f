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

constexpr const char* kProgram = "#include <stdio.h>\nint main(int c, char** v) { char b[64]; snprintf(b, sizeof b, v[0]); puts(b); return c; }\n";

TEST(Hardening, PassesAHardenedProgramAndNamesEachMissingMeasure) {
  const os::TempDir dir = scratch();
  compile(dir.path() / "good/usr/bin/a", "-O2 -fPIE -pie -Wl,-z,relro,-z,now", kProgram);
  compile(dir.path() / "bad/usr/bin/a", "-O0 -no-pie -Wl,-z,norelro,-z,lazy,-z,execstack -Wl,-rpath,/opt/x", kProgram);
  const auto good = check_hardening(dir.path() / "good", "good");
  ASSERT_TRUE(good) << good.error().render();
  EXPECT_EQ(rules_of(*good, true), std::vector<std::string>{});
  const auto bad = check_hardening(dir.path() / "bad", "bad");
  ASSERT_TRUE(bad);
  EXPECT_EQ(rules_of(*bad, true),
            (std::vector<std::string>{"hardening/bind-now", "hardening/nx-stack", "hardening/pie",
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
