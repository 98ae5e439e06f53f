#include "codec/gzip.h"
#include "package/elf.h"
#include "package/kernel.h"
#include "package/package.h"
#include "package/scan_files.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::package {
namespace {

using Names = std::vector<std::string>;

struct Tree {
  Tree() : dir(*os::TempDir::create(std::filesystem::temp_directory_path())) {}
  os::Path root() const { return dir.path(); }
  Tree& file(const std::string& path, std::string_view text, unsigned mode = 0644) {
    EXPECT_TRUE(os::make_dirs((root() / path).parent_path()));
    EXPECT_TRUE(os::write_file(root() / path, text, mode));
    std::filesystem::permissions(root() / path, std::filesystem::perms(mode));
    return *this;
  }
  Tree& folder(const std::string& path) {
    EXPECT_TRUE(os::make_dirs(root() / path));
    return *this;
  }
  Tree& link(const std::string& path, const std::string& target) {
    EXPECT_TRUE(os::make_dirs((root() / path).parent_path()));
    std::filesystem::create_symlink(target, root() / path);
    return *this;
  }
  Tree& library(const std::string& path, const std::string& flags) {
    EXPECT_TRUE(os::make_dirs((root() / path).parent_path()));
    EXPECT_TRUE(os::write_file(root() / "x.c", "int f(void) { return 1; }\n"));
    const std::string command =
        "cc -nostdlib -shared -fPIC -o " + (root() / path).string() + " " + (root() / "x.c").string() + " " + flags;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::filesystem::remove(root() / "x.c");
    return *this;
  }
  os::TempDir dir;
};

Scan scan(const Tree& tree, definition::Definition definition = {}, std::string package = "foo",
          std::vector<os::Path> siblings = {}) {
  if (definition.name.empty()) definition.name = "foo";
  definition.version = "1.0";
  auto out = scan_tree(tree.root(), siblings, definition, package);
  EXPECT_TRUE(out) << out.error().render();
  return out ? *out : Scan{};
}

TEST(ScanFiles, ReadsRequiresAsPkgConfigDoes) {
  const std::vector<std::pair<std::string, Names>> rows = {
      {"Requires: a b,c\n", {"a", "b", "c"}},
      {"Requires: a >= 1.2, b<3\n", {"a", "b"}},
      {"Requires: gtk+-3.0 >= 3.1 zlib\n", {"gtk+-3.0", "zlib"}},
      {"Requires: a != 3 b\n", {"a", "b"}},
      {"base=q\nRequires: ${base}-1.0 ${unknown}\n", {"q-1.0"}},
      {"Requires: a \\\n b\nRequires.private: c\nRequires.internal: d\n", {"a", "b", "c", "d"}},
      {"Requires:   a # b\n", {"a"}},
      {"requires: a\nName: x\nLibs: -L${libdir} -lx\n", {}},
      {"Requires:\n", {}},
  };
  for (const auto& [text, wanted] : rows) EXPECT_EQ(pkg_config_requires(text), wanted) << text;
}

TEST(ScanFiles, FindsAScriptsProgram) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"#!/bin/bash\n", "bash"},
      {"#! /usr/bin/perl -w\n", "perl"},
      {"#!/usr/bin/env ruby\n", "ruby"},
      {"#!/usr/bin/env -S lua5.4 -x\n", "lua5.4"},
      {"#!/usr/bin/env -S A=b node\n", "node"},
      {"#!/usr/bin/env -i node\n", ""},
      {"#!/usr/bin/env node --flag\n", ""},
      {"#!/usr/bin/env\n", ""},
      {"#!/usr/bin/env -S -x y\n", ""},
      {"#!/usr/bin/python3\n", ""},
      {"#!/usr/bin/python3.12\n", "python3.12"},
      {"#!/bin/sh\n", ""},
      {"#!/usr/bin/awk -f\n", ""},
      {"#!\n", ""},
      {"#!/usr/bin/@PERL@\n", ""},
      {"#!/usr/bin/tool", "tool"},
      {"#", ""},
      {"##!/bin/bash\n", ""},
      {"#!/" + std::string(90, 'a') + "/tool\n", std::string(77, 'a')},
  };
  for (const auto& [head, wanted] : rows) EXPECT_EQ(shebang_program(head), wanted) << head;
}

TEST(ScanFiles, TellsSonameVersions) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"libz.so.1", "1"},       {"libz.so.1.2.3", "1.2.3"},   {"libz.so", "0"},
      {"liba.so.0unstable", "0"}, {"liba-0.60830.so.0.6", "0.6"}, {"libx.so.1.so.2", "1"}};
  for (const auto& [soname, wanted] : rows) EXPECT_EQ(soname_version(soname), wanted) << soname;
  EXPECT_TRUE(is_host_library("libcuda.so.1"));
  EXPECT_FALSE(is_host_library("libcuda.so.2"));
}

TEST(Kernel, ReadsVersionsOfEveryForm) {
  const std::string banner = "xxLinux version 6.1.7-test (a@b) #1\n";
  std::string boot(2048, '\0');
  boot.replace(514, 4, "HdrS");
  boot[526] = '\x10';
  boot[527] = '\x01';  // 0x110 + 0x200
  boot.replace(0x310, 11, "6.2.0 (a@b)");
  std::string uki(4096, '\0');
  uki.replace(0, 2, "MZ");
  uki[0x3c] = '\x40';
  uki.replace(0x40, 2, "PE");
  uki[0x46] = 1;                                 // sections
  uki.replace(0x58, 8, std::string(".linux\0\0", 8));
  uki[0x58 + 17] = '\x01';                       // 256 bytes
  uki[0x58 + 21] = '\x02';                       // at 512
  uki.replace(512, banner.size(), banner);
  std::string lying = uki;
  lying[0x58 + 19] = '\x7f';
  const std::string plain(300'000, 'x');
  const std::vector<std::pair<std::string, std::string>> rows = {
      {banner, "6.1.7-test"},
      {*codec::gzip(plain + banner + plain), "6.1.7-test"},
      {"ARM" + *codec::gzip(plain + banner + plain) + "footer", "6.1.7-test"},
      {boot, "6.2.0"},
      {uki, "6.1.7-test"},
      {lying, "6.1.7-test"},  // no section to be had: the plain text is found
      {"Linux version ", ""},
      {"nothing", ""},
      {std::string("\x1f\x8b\x08", 3), ""},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(kernel_version(rows[i].first), rows[i].second) << i;
  const std::string module_text = std::string("\0vermagic=6.1.7-test SMP mod_unload \0x", 38);
  EXPECT_EQ(module_kernel(module_text), "6.1.7-test");
  EXPECT_EQ(module_kernel(*codec::gzip(module_text)), "6.1.7-test");
  EXPECT_EQ(module_kernel(std::string("\xfd" "7zXZ\0damaged", 13)), "");
}

TEST(Elf, ReadsGoSettings) {
  const std::string text = std::string(16, '<') + "path\tx\nbuild\tCGO_ENABLED=1\nbuild\tGOEXPERIMENT=systemcrypto\n" +
                           std::string(16, '>');
  std::string info = std::string("\xff Go buildinf:\x08\x02", 16) + std::string(16, '\0');
  info += "\x06go1.23";
  info += static_cast<char>(text.size());
  info += text;
  const auto settings = go_build_settings(info);
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(settings[1].second, "systemcrypto");
  EXPECT_TRUE(go_build_settings(info.substr(0, info.size() - 20)).empty());
  EXPECT_TRUE(go_build_settings(info.substr(0, 33)).empty());
  EXPECT_TRUE(go_build_settings("").empty());
}

TEST(Scan, FollowsLinksToLibrariesWithinTheTreeAlone) {
  Tree tree;
  tree.library("usr/lib/app/libp.so.3", "-Wl,-soname,libp.so.3")
      .link("usr/lib/libp.so.3", "app/libp.so.3")
      .link("usr/lib/liboutside.so", "../../../../../../../../lib/x86_64-linux-gnu/libc.so.6")
      .link("usr/lib/libabsolute.so", "/usr/lib/app/libp.so.3")
      .link("usr/lib/libloop.so", "libloop.so");
  const Scan found = scan(tree);
  EXPECT_EQ(found.depends, Names{"so:libp.so.3"});
  EXPECT_EQ(found.provides, (Names{"so-ver:libp.so.3=1.0-r0", "so:libp.so.3=3"}));
  EXPECT_EQ(found.vendored, (Names{"so-ver:libp.so.3=1.0-r0", "so:libp.so.3=3"}));
}

TEST(Scan, TakesLibraryDirectoriesFromConfigurationOfSiblings) {
  Tree tree, sibling;
  tree.library("opt/x/lib/liba.so.1", "-Wl,-soname,liba.so.1");
  sibling.file("etc/ld.so.conf.d/x.conf", "# comment\n/opt/x/lib/  # ours\nrelative\n")
      .file("etc/ld.so.conf.d/x.txt", "/opt/y\n");
  EXPECT_TRUE(scan(tree).provides.empty());
  EXPECT_EQ(scan(tree, {}, "foo", {sibling.root()}).provides, (Names{"so-ver:liba.so.1=1.0-r0", "so:liba.so.1=1"}));
}

TEST(Scan, AsksForLanguages) {
  Tree tree;
  tree.folder("usr/lib/perl5/vendor_perl")
      .folder("usr/lib/python3.12/site-packages/x")
      .folder("usr/lib/ruby/gems/3.2.0/gems");
  EXPECT_EQ(scan(tree).depends, (Names{"perl~5", "python-3.12-base", "ruby-3.2"}));
  definition::Definition declared;
  declared.dependencies.runtime = {"perl", "python3", "ruby-3.3"};
  EXPECT_EQ(scan(tree, declared).depends, Names{});
  Tree old;
  old.folder("lib/perl5/core_perl").folder("lib/ruby/gems/3.2.1/gems");
  EXPECT_EQ(scan(old).depends, Names{"perl~5"});
}

TEST(Scan, AsksForReadersOfDocumentsInDocPackagesOnly) {
  Tree tree;
  tree.file("usr/share/man/man1/x.1", "x").file("usr/share/info/x.info", "x");
  EXPECT_EQ(scan(tree, {}, "foo-doc").depends, (Names{"man-db", "texinfo"}));
  EXPECT_EQ(scan(tree).depends, Names{});
}

TEST(Scan, LeavesDriversAndStrangeNamesAlone) {
  Tree tree;
  tree.library("usr/lib/libcuda.so.1", "-Wl,-soname,libcuda.so.1")
      .library("usr/lib/liba.so.1", "-Wl,-soname,'lib a.so.1'")
      .file("usr/bin/two words", "x", 0755)
      .file("usr/bin/line\nbreak", "x", 0755)
      .file("usr/bin/[", "x", 0755)
      .file("usr/bin/unreadable", "x", 0750)
      .file("usr/lib/pkgconfig/a b.pc", "Requires: q\n");
  const Scan found = scan(tree);
  EXPECT_EQ(found.provides, Names{"cmd:[=1.0-r0"});
  EXPECT_EQ(found.depends, Names{});
}

TEST(Scan, HonoursOptions) {
  Tree tree;
  tree.library("usr/lib/liba.so.1", "-Wl,-soname,liba.so.1").file("usr/bin/x", "#!/usr/bin/lua\n", 0755);
  definition::Definition definition;
  definition.options.no_commands = true;
  Scan found = scan(tree, definition);
  EXPECT_EQ(found.depends, Names{});
  EXPECT_EQ(found.provides, (Names{"so-ver:liba.so.1=1.0-r0", "so:liba.so.1=1"}));
  definition.options = {.no_provides = true};
  found = scan(tree, definition);
  EXPECT_EQ(found.depends, Names{"cmd:lua"});
  EXPECT_EQ(found.provides, Names{});
  definition::Subpackage sub;
  sub.name = "sub";
  definition.subpackages.push_back(sub);
  EXPECT_EQ(scan(tree, definition, "sub").provides.size(), 3u);
}

TEST(Scan, TiesLibrariesToVersionsWhenAsked) {
  Tree tree;
  tree.library("usr/lib/liba.so.1", "-Wl,-soname,liba.so.1")
      .library("usr/lib/libb.so.1",
               "-Wl,--no-as-needed,-soname,libb.so.1 -L" + (tree.root() / "usr/lib").string() + " -l:liba.so.1");
  const PackageTree walked = *PackageTree::walk(tree.root());
  definition::Definition definition;
  definition.name = "foo";
  ScanRequest request{&walked, {}, &definition, "foo", {{"liba.so.1", "3-r1"}}};
  EXPECT_EQ(scan_package(request)->depends, (Names{"so-ver:liba.so.1>=3-r1", "so:liba.so.1"}));
  definition.options.no_versioned_shlib_deps = true;
  EXPECT_EQ(scan_package(request)->depends, Names{"so:liba.so.1"});
}

TEST(Merge, RemovesWhatThePackageItselfGives) {
  definition::Dependencies declared;
  declared.runtime = {"so:libdeclared.so.1", "bar=2", "foo-cmd", "so:libvendored.so.1"};
  declared.provides = {"foo-cmd=1", "bar=2"};
  Scan scan;
  scan.depends = {"so:liba.so.1", "so-ver:liba.so.1>=1-r0", "so:libvendored.so.1", "so:libother.so.1", "pc:v"};
  scan.provides = {"so:liba.so.1=1", "so-ver:liba.so.1=1-r0"};
  scan.vendored = {"so:libvendored.so.1=1", "pc:v=1-r0"};
  apk::PackageInfo info;
  merge_dependencies(info, declared, scan);
  // A declared depend stays although a vendored library would meet it, and so does one whose text names a version.
  EXPECT_EQ(info.depends, (Names{"bar=2", "so:libdeclared.so.1", "so:libother.so.1", "so:libvendored.so.1"}));
  EXPECT_EQ(info.provides, (Names{"bar=2", "foo-cmd=1", "so-ver:liba.so.1=1-r0", "so:liba.so.1=1"}));
  EXPECT_EQ(info.vendored, scan.vendored);
}

}  // namespace
}  // namespace nacre::package
