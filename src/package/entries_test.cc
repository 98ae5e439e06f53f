#include "package/entries.h"

#include "base/encoding.h"
#include "base/events.h"
#include "package/forbidden.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace nacre::package {
namespace {

/// A build's output with one package, "foo".
struct Built {
  Built() : dir(*os::TempDir::create(std::filesystem::temp_directory_path())) {
    definition.name = "foo";
    definition.version = "1";
    tree.output = dir.path() / "melange-out";
    tree.packages = {"foo"};
    request.definition = &definition;
    request.built = &tree;
    request.gates = Gates::kWarn;
    request.source_date_epoch = 1'700'000'000;
    request.out_dir = dir.path() / "out";
    EXPECT_TRUE(os::make_dirs(root()));
  }
  os::Path root() const { return tree.output / "foo"; }
  void file(const std::string& path, std::string_view text = "x", unsigned mode = 0644) const {
    EXPECT_TRUE(os::make_dirs((root() / path).parent_path()));
    EXPECT_TRUE(os::write_file(root() / path, text));
    std::filesystem::permissions(root() / path, std::filesystem::perms(mode));
  }
  Result<std::vector<apk::PackageFile>> make() const {
    NoEvents silent;
    return make_packages(request, silent, {});
  }
  PackedEntries entries() const {
    const PackageTree walked = *PackageTree::walk(root());
    auto out = pack_entries(walked, request, "foo");
    EXPECT_TRUE(out) << out.error().render();
    return out ? *std::move(out) : PackedEntries{};
  }

  os::TempDir dir;
  definition::Definition definition;
  build::BuiltTree tree;
  PackageRequest request;
};

const codec::TarHeader& header_at(const PackedEntries& packed, std::string_view path) {
  static const codec::TarHeader kNone{.path = "none"};
  for (const apk::DataEntry& entry : packed.entries)
    if (entry.header.path == path) return entry.header;
  return kNone;
}

TEST(Entries, EncodesCapabilities) {
  const std::vector<std::pair<definition::Pairs, std::string>> rows = {
      {{{"cap_net_raw", "+ep"}}, "010000030020000000000000000000000000000000000000"},
      {{{"cap_net_bind_service,cap_sys_admin", "+p"}}, "000000030004200000000000000000000000000000000000"},
      {{{"cap_net_admin", "+i"}, {"cap_ipc_lock", "+eip"}}, "010000030040000000500000000000000000000000000000"},
  };
  for (const auto& [add, hex] : rows) EXPECT_EQ(to_hex(*capability_value(add)), hex);
  EXPECT_FALSE(capability_value({{"cap_chown", "+ep"}}));
}

TEST(Entries, SetsCapabilitiesOnFilesOfThePackage) {
  Built built;
  built.file("usr/bin/ping", "x", 0755);
  built.definition.setcap = {{"/usr/bin/ping", {{"cap_net_raw", "+ep"}}, "why"},
                             {"/usr/bin/ping", {{"cap_net_admin", "+ep"}}, "why"},
                             {"/usr/bin/none", {{"cap_net_raw", "+ep"}}, "why"}};
  const PackedEntries packed = built.entries();
  EXPECT_EQ(to_hex(header_at(packed, "usr/bin/ping").pax.at("SCHILY.xattr.security.capability")),
            "010000030030000000000000000000000000000000000000");
  ASSERT_EQ(packed.findings.size(), 1u);
  EXPECT_EQ(packed.findings[0].path.str(), "usr/bin/none");
  built.request.gates = Gates::kRefuse;
  EXPECT_TRUE(built.entries().findings[0].fatal);
}

TEST(Entries, TakesAttributesButThoseOfTheMachine) {
  Built built;
  built.file("usr/bin/a");
  const std::string path = (built.root() / "usr/bin/a").string();
  if (::setxattr(path.c_str(), "user.note", "a\0b", 3, 0) != 0) GTEST_SKIP() << "no user attributes here";
  ASSERT_EQ(::setxattr(path.c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((built.root() / "usr").c_str(), "user.dir", "d", 1, 0), 0);
  const PackedEntries packed = built.entries();
  EXPECT_EQ(header_at(packed, "usr/bin/a").pax,
            (std::map<std::string, std::string>{{"SCHILY.xattr.user.note", std::string("a\0b", 3)}}));
  EXPECT_EQ(header_at(packed, "usr").pax.at("SCHILY.xattr.user.dir"), "d");
}

TEST(Entries, NamesOwnersAndMakesTheBuildAccountRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  Built built;
  for (const char* name : {"a", "b", "c", "d"}) built.file(name);
  const auto own = [&](const char* name, unsigned uid, unsigned gid) {
    ASSERT_EQ(::chown((built.root() / name).c_str(), uid, gid), 0);
  };
  own("a", 1000, 1000);
  own("b", 33, 4);
  own("c", 501, 20);
  own("d", 2'000, 3'000'000);
  const os::Path guest = built.dir.path() / "guest";
  EXPECT_TRUE(os::make_dirs(guest / "etc"));
  EXPECT_TRUE(os::write_file(guest / "etc/passwd", "root:x:0:0::/:\nwww:x:33:33::/:\nalias:x:33:33::/:\nbad:x:y\n"));
  EXPECT_TRUE(os::write_file(guest / "etc/group", "root:x:0:\nadm:x:4:\n"));
  definition::Environment environment;
  environment.users = {{"extra", 2'000, 2'000, "", ""}};
  built.request.accounts = Accounts::of({guest}, environment);
  const PackedEntries packed = built.entries();
  const auto owner = [&](const char* name) {
    const codec::TarHeader& header = header_at(packed, name);
    return fmt::format("{}:{} {}:{}", header.uid, header.gid, header.uname, header.gname);
  };
  EXPECT_EQ(owner("a"), "0:0 root:root");
  EXPECT_EQ(owner("b"), "33:4 www:adm");
  EXPECT_EQ(owner("c"), "501:20 :");
  EXPECT_EQ(owner("d"), "2000:3000000 extra:");
  const auto made = built.make();
  ASSERT_TRUE(made) << made.error().render();
  codec::TarReader::Visitor visitor;
  std::uint64_t gid = 0;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    if (header.path == "d") gid = header.gid;
    return {};
  };
  ASSERT_TRUE(apk::read_package(made->at(0).path, &visitor));
  EXPECT_EQ(gid, 3'000'000u);  // more than the field holds
}

TEST(Entries, KeepsSpecialBitsAndDevicesAndLeavesPipesOut) {
  Built built;
  built.file("usr/bin/su", "x", 04755);
  EXPECT_TRUE(os::make_dirs(built.root() / "tmp"));
  ASSERT_EQ(::chmod((built.root() / "tmp").c_str(), 01777), 0);
  ASSERT_EQ(::mkfifo((built.root() / "pipe").c_str(), 0644), 0);
  const bool device = ::mknod((built.root() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  std::filesystem::create_hard_link(built.root() / "usr/bin/su", built.root() / "usr/bin/twin");
  const PackedEntries packed = built.entries();
  EXPECT_EQ(header_at(packed, "usr/bin/su").mode, 04755u);
  EXPECT_EQ(header_at(packed, "usr/bin/twin").type, '0');
  EXPECT_EQ(header_at(packed, "tmp").mode, 01777u);
  EXPECT_EQ(header_at(packed, "pipe").path, "none");
  ASSERT_EQ(packed.findings.size(), 1u);
  EXPECT_EQ(packed.findings[0].rule, "gate/special-file");
  if (!device) return;
  EXPECT_EQ(header_at(packed, "null").type, '3');
  EXPECT_EQ(header_at(packed, "null").dev_minor, 3u);
}

TEST(Entries, PacksLongAndForeignNamesAndLinksThatLeadOutside) {
  Built built;
  const std::string deep = std::string(120, 'd') + "/" + std::string(120, 'e') + "/" + std::string(200, 'f');
  built.file(deep);
  built.file("caf\xe9");
  built.file("caf\xc3\xa9");
  std::filesystem::create_symlink("../../../../etc/passwd", built.root() / "out");
  std::filesystem::create_symlink(std::string(300, 'l'), built.root() / "long");
  const auto made = built.make();
  ASSERT_TRUE(made) << made.error().render();
  std::vector<std::string> names, links;
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    names.push_back(header.path);
    if (header.type == '2') links.push_back(header.link);
    return {};
  };
  ASSERT_TRUE(apk::read_package(made->at(0).path, &visitor));
  EXPECT_EQ(std::count(names.begin(), names.end(), deep), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "caf\xe9"), 1);
  EXPECT_EQ(links, (std::vector<std::string>{std::string(300, 'l'), "../../../../etc/passwd"}));
}

TEST(Entries, RefusesNamesThatApkRefuses) {
  Built built;
  built.file("usr/bin/line\nbreak");
  EXPECT_TRUE(built.make());
  built.request.gates = Gates::kRefuse;
  const auto made = built.make();
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().render().find("[gate/control-name]"), std::string::npos);
}

TEST(Packages, AreTheSameWhateverTheThreadsAndKeepTheReferencesLines) {
  Built built;
  built.file("usr/bin/big", std::string(5'000'000, 'x') + "end");
  built.definition.copyright = {{"MIT", "", "", {}}, {"Apache-2.0", "", "", {}}};
  built.definition.scriptlets.trigger_paths = {"/a", "/b"};
  built.definition.scriptlets.trigger_script = "#!/bin/sh\n";
  built.definition.scriptlets.post_install = "#!/bin/sh\n";
  built.request.maintainer = "";
  built.request.commit = "abc";
  const auto first = built.make();
  ASSERT_TRUE(first) << first.error().render();
  const Sha256 digest = first->at(0).file_sha256;
  ASSERT_TRUE(built.make());
  EXPECT_EQ(built.make()->at(0).file_sha256, digest);
  const auto files = apk::read_control_files(first->at(0).path);
  ASSERT_TRUE(files);
  std::vector<std::string> names;
  for (const auto& [name, content] : *files) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{".PKGINFO", ".melange.yaml", ".post-install", ".trigger"}));
  const std::string& info = files->at(0).second;
  EXPECT_NE(info.find("commit = abc\nbuilddate = 1700000000\nlicense = MIT\nlicense = Apache-2.0\n"),
            std::string::npos)
      << info;
  EXPECT_NE(info.find("triggers = /a /b"), std::string::npos);
}

TEST(Packages, KeepLintResults) {
  Built built;
  built.file("opt/x");
  built.request.lint_results_dir = built.dir.path() / "lint";
  ASSERT_TRUE(built.make());
  const auto text = os::read_file(built.dir.path() / "lint/lint-foo-1-r0.json");
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("\"opt\""), std::string::npos);
}

TEST(Forbidden, FindsEveryForm) {
  const std::string secret = "s3cr3t/t+ken value";
  const std::string line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
  const std::vector<build::Secret> secrets = {
      {"token", secret},
      {"other", "other-secret\n"},
      {"key", "-----BEGIN PRIVATE KEY-----\n" + line + "\nBKcw\n-----END PRIVATE KEY-----\n"}};
  const auto values = ForbiddenValues::of(secrets);
  ASSERT_TRUE(values);
  const std::vector<std::string> holding = {
      secret,
      "before " + secret + " after",
      to_base64(secret),
      to_base64("x" + secret + "y"),
      to_base64("xy" + secret),
      to_base64("xyz" + secret + "tail"),
      percent_encode(secret),
      "s3cr3t%2ft%2bken%20value",
      "s3cr3t%2Ft%2Bken+value",
      to_hex(secret),
  };
  for (const std::string& text : holding) {
    const std::string* found = values->found_in(text);
    ASSERT_NE(found, nullptr) << text;
    EXPECT_EQ(*found, "token") << text;
    // One table serves logs and packages.
    EXPECT_EQ(values->masked(text).find(text), std::string::npos) << text;
  }
  for (const std::string& text : {std::string("other-secret"), to_hex("other-secret\n")})
    EXPECT_EQ(*values->found_in(text), "other") << text;
  for (const std::string& text : {line, to_base64(line), to_hex(line)})
    EXPECT_EQ(*values->found_in(text), "key") << text;
  EXPECT_EQ(values->found_in("-----BEGIN PRIVATE KEY-----"), nullptr);
  std::string url = to_base64("ab" + secret);
  std::replace(url.begin(), url.end(), '+', '-');
  std::replace(url.begin(), url.end(), '/', '_');
  EXPECT_NE(values->found_in(url), nullptr);
  for (const std::string& text : {std::string(), std::string("s3cr3t/t+ken valu"), std::string(100'000, 's')})
    EXPECT_EQ(values->found_in(text), nullptr);
  EXPECT_FALSE(ForbiddenValues::of(std::vector<build::Secret>{{"short", "abc"}}));
  EXPECT_TRUE(ForbiddenValues::of({})->empty());
}

TEST(Forbidden, FindsValuesAcrossPieces) {
  const std::string secret = "a-rather-long-secret-value";
  const auto values = ForbiddenValues::of(std::vector<build::Secret>{{"token", secret}});
  const std::string text = std::string(1000, 'z') + secret + std::string(10, 'z');
  for (const std::size_t size : {1u, 2u, 7u, 25u, 26u, 27u, 500u, 1013u}) {
    ForbiddenValues::Stream stream(*values);
    bool found = false;
    for (std::size_t at = 0; at < text.size(); at += size)
      found |= stream.found_in(std::string_view(text).substr(at, size)) != nullptr;
    EXPECT_TRUE(found) << size;
    stream.restart();
    EXPECT_EQ(stream.found_in(secret.substr(0, 20)), nullptr);
    stream.restart();
    EXPECT_EQ(stream.found_in(secret.substr(20)), nullptr);
  }
}

TEST(Packages, RefuseSecretsWithoutSayingThem) {
  const std::string secret = "hunter22-hunter22";
  const std::vector<std::pair<std::string, std::function<void(Built&)>>> rows = {
      {"usr/share/x", [&](Built& b) { b.file("usr/share/x", "pre" + secret); }},
      {"usr/share/big", [&](Built& b) { b.file("usr/share/big", std::string((8u << 20) - 5, 'x') + secret + "y"); }},
      {"the name of a file", [&](Built& b) { b.file("usr/" + secret); }},
      {"link", [&](Built& b) { std::filesystem::create_symlink(secret, b.root() / "link"); }},
      {".post-install", [&](Built& b) { b.definition.scriptlets.post_install = "curl -u " + secret; }},
      {".PKGINFO", [&](Built& b) { b.definition.description = secret; }},
      {"usr/share/hex", [&](Built& b) { b.file("usr/share/hex", "pre" + to_hex(secret)); }},
  };
  for (const auto& [where, prepare] : rows) {
    Built built;
    prepare(built);
    built.request.forbidden = {{"token", secret}};
    const auto made = built.make();
    ASSERT_FALSE(made) << where;
    EXPECT_EQ(made.error().kind(), ErrorKind::kDenied);
    const std::string text = made.error().render();
    EXPECT_NE(text.find("the package 'foo' holds the secret 'token' of its build: " + where), std::string::npos)
        << text;
    EXPECT_EQ(text.find(secret), std::string::npos) << text;
    EXPECT_FALSE(os::exists(built.request.out_dir / "foo-1-r0.apk"));
  }
}

TEST(Packages, MaskSecretsInFindings) {
  const std::string secret = "hunter22-hunter22";
  Built built;
  built.file("bin/" + secret);  // usrmerge names the path, and stops the package
  built.request.forbidden = {{"token", secret}};
  const auto made = built.make();
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().render().find("bin/***"), std::string::npos) << made.error().render();
  EXPECT_EQ(made.error().render().find(secret), std::string::npos);
}

TEST(Packages, WaiveGatesThatTheDefinitionNames) {
  Built built;
  built.request.gates = Gates::kRefuse;
  built.file("usr/share/info/dir", "x");
  const auto stopped = built.make();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind(), ErrorKind::kDenied);
  EXPECT_NE(stopped.error().render().find("[hardening/info-index]"), std::string::npos) << stopped.error().render();
  built.definition.disabled_checks = {"hardening/info-index", "infodir"};
  const auto waived = built.make();
  EXPECT_TRUE(waived) << waived.error().render();
  built.definition.disabled_checks = {"hardening/pie"};
  EXPECT_FALSE(built.make());
  built.definition.disabled_checks = {"hardening/info-indx"};
  const auto unknown = built.make();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind(), ErrorKind::kInvalid);
  EXPECT_NE(unknown.error().render().find("there is no gate 'hardening/info-indx'"), std::string::npos);
  EXPECT_NE(unknown.error().render().find("hardening/info-index"), std::string::npos);
}

}  // namespace
}  // namespace nacre::package
