#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "image/database.h"
#include "image/diff.h"
#include "image/export.h"
#include "image/java_truststore.h"
#include "image/kitchen_test.h"
#include "image/layer.h"
#include "image/lock_file.h"

namespace nacre::image {
namespace {

/// Images of packages from anybody.
struct ForeignImage : Kitchen {
  ComposeRequest foreign(const ImageSpec& of, std::vector<index::SerialPackage> packages,
                         LayerForm form = LayerForm::kSegments) {
    ComposeRequest out = request(of, std::move(packages));
    out.foreign = true;
    out.form = form;
    out.keys = {{"theirs.rsa.pub", "PEM\n"}};
    out.repositories = {"https://example.org/os"};
    return out;
  }
  Image made(const ComposeRequest& of) {
    auto image = compose_image(of, env_);
    EXPECT_TRUE(image) << image.error().render();
    return image ? *std::move(image) : Image{};
  }
  std::map<std::string, ImageFile> files_of(const Image& image) {
    std::map<std::string, ImageFile> out;
    const auto files = list_files(image.manifest.digest, env_);
    EXPECT_TRUE(files) << files.error().render();
    if (files)
      for (const ImageFile& found : *files) out[found.path] = found;
    return out;
  }
  std::string content(const Image& image, const std::string& path) {
    const auto found = read_files(image.manifest.digest, {path}, env_);
    return found && found->contains(path) ? found->at(path) : "(none)";
  }
  index::SerialPackage owned() {
    apk::DataEntry program = file("usr/bin/tool", "tool", 04755);
    program.header.uid = 12;
    program.header.gid = 34;
    return package(info("tool"), {folder("usr"), folder("usr/bin", 02775), program,
                                  link("usr/bin/same", "usr/bin/tool", '1')});
  }
  const ImageSpec plain_ = spec("contents: {packages: [tool]}\n");
};

TEST_F(ForeignImage, NeitherEditionNorSignatureIsAskedOf) {
  const auto unsigned_package =
      package(info("tool"), {folder("usr"), file("usr/x", "x")}, Edition::kCommunity, Signed::kNo);
  const Image image = made(foreign(plain_, {unsigned_package}));
  EXPECT_EQ(content(image, "usr/x"), "x");
  EXPECT_EQ(content(image, "etc/apk/repositories"), "https://example.org/os\n");
  EXPECT_EQ(content(image, "etc/apk/keys/theirs.rsa.pub"), "PEM\n");
  EXPECT_EQ(content(image, "etc/apk/world"), "tool=1-r0\n");
  EXPECT_EQ(files_of(image).at("dev/null").type, '3');
}

TEST_F(ForeignImage, APackageThatIsNotTheIndexsIsRefused) {
  index::SerialPackage other = owned();
  other.record.checksum = "Q1" + std::string(27, 'A') + "=";
  const auto image = compose_image(foreign(plain_, {other}), env_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind(), ErrorKind::kDenied);
}

TEST_F(ForeignImage, ABlobThatChangedInTheStoreIsRefused) {
  const index::SerialPackage tool = owned();
  const os::Path blob = store_->blob_path(tool.apk);
  std::string bytes = *os::read_file(blob);
  bytes[bytes.size() - 30] = static_cast<char>(bytes[bytes.size() - 30] ^ 1);
  ASSERT_TRUE(os::write_file(blob, bytes));
  const auto image = compose_image(foreign(plain_, {tool}), env_);
  ASSERT_FALSE(image);
  // And when its contents were read before it changed, but the layer is not there.
  const index::SerialPackage other = package(info("other"), {folder("usr"), file("usr/other", std::string(9000, 'o'))});
  const Image first = made(foreign(plain_, {other}));
  ASSERT_TRUE(os::remove_tree(store_->blob_path(first.layers.front().blob.digest)));
  std::string changed = *os::read_file(store_->blob_path(other.apk));
  changed[changed.size() - 30] = static_cast<char>(changed[changed.size() - 30] ^ 1);
  ASSERT_TRUE(os::write_file(store_->blob_path(other.apk), changed));
  const auto second = compose_image(foreign(plain_, {other}), env_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::kDenied);
}

TEST_F(ForeignImage, EqualFilesOfTwoPackagesAreFoundByTheirContent) {
  const auto one = package(info("one"), {folder("usr"), file("usr/x", "same")});
  const auto two = package(info("two"), {folder("usr"), file("usr/x", "same")});
  const auto three = package(info("three"), {folder("usr"), file("usr/x", "else")});
  EXPECT_EQ(content(made(foreign(plain_, {one, two})), "usr/x"), "same");
  const auto image = compose_image(foreign(plain_, {one, three}), env_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind(), ErrorKind::kConflict);
}

TEST_F(ForeignImage, OwnersStandInSegmentsAndFallInTheReferencesForm) {
  const auto segments = files_of(made(foreign(plain_, {owned()})));
  EXPECT_EQ(segments.at("usr/bin/tool").uid, 12u);
  EXPECT_EQ(segments.at("usr/bin").mode, 02775u);
  const Image image = made(foreign(plain_, {owned()}, LayerForm::kReference));
  const auto reference = files_of(image);
  EXPECT_EQ(image.layers.size(), 1u);
  EXPECT_EQ(reference.at("usr/bin/tool").uid, 0u);
  EXPECT_EQ(reference.at("usr/bin/tool").mode, 04755u) << "files keep setuid";
  EXPECT_EQ(reference.at("usr/bin").mode, 0775u) << "directories lose setgid";
  EXPECT_NE(content(image, "usr/lib/apk/db/installed").find("a:12:34:4755"), std::string::npos)
      << "the database says what the package says";
}

/// Lines of a database that begin with one of `keys`, without their line ends.
std::vector<std::string> lines_of(const std::string& database, std::string_view keys) {
  std::vector<std::string> out;
  for (const std::string& line : split(database, '\n'))
    if (line.size() > 1 && line[1] == ':' && keys.find(line[0]) != keys.npos) out.push_back(line);
  return out;
}

TEST_F(ForeignImage, TheDatabaseHasPackagesInTheirOrderAndFilesInApks) {
  const auto later = package(info("zebra"), {folder("usr"), folder("usr/a"), file("usr/a/x", "x"), folder("usr/a-b"),
                                             file("usr/a-b/y", "y"), file("usr/b", "b"), file("usr/z", "z")});
  const auto first = package(info("apple"), {folder("etc"), file("etc/apple", "a")});
  // Install order, which is no order of names; the files of a directory stand before those of its directories.
  for (const LayerForm form : {LayerForm::kSegments, LayerForm::kReference}) {
    const std::string database = content(made(foreign(plain_, {later, first}, form)), "usr/lib/apk/db/installed");
    EXPECT_EQ(lines_of(database, "P"), (std::vector<std::string>{"P:zebra", "P:apple"}));
    const std::vector<std::string> folders = form == LayerForm::kReference
                                                 ? std::vector<std::string>{"F:usr", "F:usr/a", "F:usr/a-b", "F:etc"}
                                                 : std::vector<std::string>{"F:",        "F:usr", "F:usr/a",
                                                                            "F:usr/a-b", "F:",    "F:etc"};
    EXPECT_EQ(lines_of(database, "F"), folders);
    EXPECT_EQ(lines_of(database, "R"), (std::vector<std::string>{"R:b", "R:z", "R:x", "R:y", "R:apple"}));
  }
}

TEST_F(ForeignImage, TheReferencesDatabaseReadsAsApkoReads) {
  apk::PackageInfo about = info("tool");
  about.description = "The C# library; and more";
  about.url = "\"https://example.org/\"";
  about.depends = {"a", "b"};
  const auto tool = package(about, {folder("usr"), file("usr/x", "x")}, Edition::kCommunity, Signed::kYes,
                            {{".post-install", "#!/bin/sh\n"}});
  const std::string ours = content(made(foreign(plain_, {tool})), "usr/lib/apk/db/installed");
  EXPECT_EQ(lines_of(ours, "TD"), (std::vector<std::string>{"T:The C# library; and more", "D:a b"}));
  const Image image = made(foreign(plain_, {tool}, LayerForm::kReference));
  EXPECT_EQ(lines_of(content(image, "usr/lib/apk/db/installed"), "TUD"),
            (std::vector<std::string>{"T:The C", "U:https://example.org/", "D:a b"}));
}

TEST(TriggersFile, HasALineForEachOfApkosLines) {
  PackageContents tool;
  tool.file.control_sha1 = std::string(20, 'x');
  tool.control = {{".PKGINFO", "pkgname = tool\ntriggers = /one\ntriggers = /two /three \ntriggers = /one\n"}};
  tool.file.info.triggers = {"/one", "/two", "/three", "/one"};
  const std::string sum = tool.file.checksum();
  EXPECT_EQ(triggers_file({tool}, LayerForm::kReference), sum + " /one\n" + sum + " /two /three\n");
  EXPECT_EQ(triggers_file({tool}), sum + " /one /two /three /one\n");
  EXPECT_EQ(triggers_file({PackageContents{}}, LayerForm::kReference), "");
}

TEST(ScriptsArchive, KeepsOwnersAsApkoDoes) {
  PackageContents tool;
  tool.file.info.name = "tool";
  tool.file.info.version = "1-r0";
  tool.file.control_sha1 = std::string(20, 'x');
  tool.control = {{".PKGINFO", "p"}, {".melange.yaml", "y"}, {".post-install", "s"}, {".other", "o"}};
  tool.control_attributes = {
      {0755, 0, 0, "", ""}, {0644, 0, 0, "", ""}, {0555, 7, 8, "", "wheel"}, {0755, 0, 0, "root", ""}};
  const auto headers_of = [&](LayerForm form) {
    std::vector<codec::TarHeader> out;
    codec::TarReader::Visitor visitor;
    visitor.on_entry = [&](const codec::TarHeader& header) {
      out.push_back(header);
      return Result<>{};
    };
    visitor.on_data = [](std::string_view) { return Result<>{}; };
    codec::TarReader reader(visitor);
    EXPECT_TRUE(reader.push(*scripts_archive({tool}, 5, form)));
    return out;
  };
  const auto ours = headers_of(LayerForm::kSegments), theirs = headers_of(LayerForm::kReference);
  ASSERT_EQ(ours.size(), 1u);
  EXPECT_EQ(ours[0].mode, 0755u);
  EXPECT_EQ(ours[0].uname, "root");
  ASSERT_EQ(theirs.size(), 2u) << "whatever all may run";
  EXPECT_EQ(theirs[0].mode, 0555u);
  EXPECT_EQ(theirs[0].uid, 7u);
  EXPECT_EQ(theirs[0].uname + theirs[0].gname, "wheel");
  EXPECT_EQ(theirs[0].mtime, 5);
  EXPECT_TRUE(theirs[1].path.ends_with(".other"));
}

TEST_F(ForeignImage, AllNamesOfAFileChangeWithOne) {
  const auto tool = package(info("tool"), {folder("usr"), folder("usr/bin"), file("usr/bin/a", "tool", 0755),
                                           link("usr/bin/b", "usr/bin/a", '1'), folder("usr/lib"),
                                           link("usr/lib/c", "usr/bin/a", '1')});
  const std::string change = "contents: {packages: [tool]}\npaths: [{type: permissions, permissions: 0o700, uid: 4, ";
  const ImageSpec one = spec(change + "path: /usr/bin/b}]\n");
  const ImageSpec below = spec(change + "path: /usr/lib, recursive: true}]\n");
  for (const LayerForm form : {LayerForm::kSegments, LayerForm::kReference})
    for (const ImageSpec* changed : {&one, &below}) {
      const auto files = files_of(made(foreign(*changed, {tool}, form)));
      for (const char* path : {"usr/bin/a", "usr/bin/b", "usr/lib/c"}) {
        EXPECT_EQ(files.at(path).mode, 0700u) << path;
        EXPECT_EQ(files.at(path).uid, 4u) << path;
      }
    }
}

TEST_F(ForeignImage, WhatIsApksOwnIsOfNoPackage) {
  const auto with = [&](const std::string& path, const std::string& text) {
    return package(info("tool"), {folder("etc"), folder("etc/apk"), folder("etc/apk/keys"), file(path, text)});
  };
  for (const LayerForm form : {LayerForm::kSegments, LayerForm::kReference}) {
    const auto image = compose_image(foreign(plain_, {with("etc/apk/keys/theirs.rsa.pub", "ANOTHER\n")}, form), env_);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().kind(), ErrorKind::kConflict);
    EXPECT_NE(image.error().render().find("'etc/apk/keys/theirs.rsa.pub' is in tool=1-r0"), std::string::npos)
        << image.error().render();
    made(foreign(plain_, {with("etc/apk/keys/theirs.rsa.pub", "PEM\n")}, form));
  }
}

TEST_F(ForeignImage, ABudgetOfZeroIsTheUsualOne) {
  const ImageSpec zero = spec("contents: {packages: [tool]}\nlayering: {strategy: package, budget: 0}\n");
  const ImageSpec none = spec("contents: {packages: [tool]}\nlayering: {strategy: package}\n");
  EXPECT_EQ(made(foreign(zero, {owned()})).layers.size(), made(foreign(none, {owned()})).layers.size());
}

TEST_F(ForeignImage, ARootSaysWhatWasAskedFor) {
  ImageSpec asked = spec("contents: {packages: [tool]}\nvcs-url: https://example.org/web@c0ffee\n");
  ComposeRequest request = foreign(asked, {owned()}, LayerForm::kReference);
  EXPECT_EQ(content(made(request), "etc/apko.json").find("vcs-url"), std::string::npos);
  request.as_asked = true;
  request.locked = request.world = {"tool"};
  const Image image = made(request);
  EXPECT_EQ(content(image, "etc/apk/world"), "tool\n");
  const std::string text = content(image, "etc/apko.json");
  EXPECT_NE(text.find("\"packages\":[\"tool\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("\"vcs-url\":\"https://example.org/web@c0ffee\""), std::string::npos) << text;
}

TEST_F(ForeignImage, PackagesOfOneOriginMayOverwriteEachOther) {
  const auto first = package(info("first"), {folder("usr"), file("usr/x", "old")});
  apk::PackageInfo of_origin = info("second");
  of_origin.origin = "first";
  const auto second = package(of_origin, {folder("usr"), file("usr/x", "new")});
  for (const LayerForm form : {LayerForm::kSegments, LayerForm::kReference})
    EXPECT_EQ(content(made(foreign(plain_, {first, second}, form)), "usr/x"), "new");
  const auto stranger = package(info("third"), {folder("usr"), file("usr/x", "newer")});
  const auto image = compose_image(foreign(plain_, {first, stranger}, LayerForm::kReference), env_);
  ASSERT_FALSE(image);
  const std::string message = image.error().render();
  EXPECT_NE(message.find("first=1-r0"), std::string::npos) << message;
  EXPECT_NE(message.find("third=1-r0"), std::string::npos) << message;
}

TEST_F(ForeignImage, AnEqualRequestIsKnownAndAnotherIsNot) {
  const ComposeRequest one = foreign(plain_, {owned()});
  const Image first = made(one), again = made(one);
  EXPECT_EQ(first.manifest.digest, again.manifest.digest);
  EXPECT_EQ(again.packages, first.packages);
  ComposeRequest other = one;
  other.keys = {{"other.rsa.pub", "PEM\n"}};
  EXPECT_NE(made(other).manifest.digest, first.manifest.digest);
}

TEST_F(ForeignImage, WritesCertificatesServicesAndSidecars) {
  const ImageSpec of = spec(R"(contents: {packages: [tool]}
entrypoint: {type: service-bundle, services: {web: /usr/bin/web -f}}
paths: [{path: /etc/ssl/certs, type: directory, permissions: 0o755}]
)");
  const auto bundle = package(info("ca"), {folder("etc"), folder("etc/ssl"), folder("etc/ssl/certs"),
                                           file("etc/ssl/certs/ca-certificates.crt", "certificates\n")});
  const Image image = made(foreign(of, {owned(), bundle}));
  EXPECT_EQ(content(image, "sv/web/run"), "#!/bin/execlineb\n/usr/bin/web -f\n");
  EXPECT_EQ(content(image, "etc/ssl/certs/.ca-certificates.crt.sha256"),
            codec::sha256("certificates\n").hex() + "  ca-certificates.crt\n");
  EXPECT_EQ(content(image, "etc/apk/world"), "ca=1-r0\ns6\ntool=1-r0\n");
}

/// Packages with an origin each and a size; `versions` lets one change.
TEST_F(ForeignImage, AVersionMovesOneGroupAlone) {
  const auto all = [&](const std::string& changed) {
    std::vector<index::SerialPackage> out;
    for (int i = 0; i < 30; ++i) {
      const std::string name = fmt::format("p{}", i);
      apk::PackageInfo about = info(name, name == changed ? "2-r0" : "1-r0");
      about.origin = fmt::format("o{}", i / 2);
      about.installed_bytes = 1000u + static_cast<unsigned>(i) * 3000u + (name == changed ? 100u : 0u);
      out.push_back(package(about, {folder("usr"), file("usr/" + name, name + about.version)}));
    }
    return out;
  };
  for (const char* strategy : {"package", "origin"}) {
    const ImageSpec of =
        spec(fmt::format("contents: {{packages: [p0]}}\nlayering: {{strategy: {}, budget: 8}}\n", strategy));
    const Image before = made(foreign(of, all(""))), after = made(foreign(of, all("p7")));
    ASSERT_EQ(before.layers.size(), after.layers.size()) << strategy;
    EXPECT_LE(before.layers.size(), 9u);
    int moved = 0;
    for (std::size_t i = 0; i + 1 < before.layers.size(); ++i)
      moved += before.layers[i].blob.digest == after.layers[i].blob.digest ? 0 : 1;
    EXPECT_EQ(moved, 1) << strategy << ": one group, and the top layer with the database";
  }
}

TEST_F(ForeignImage, ExportsAreDeterministicAndReadable) {
  const Image image = made(foreign(plain_, {owned()}));
  const os::Path tar = dir_.path() / "root.tar", cpio = dir_.path() / "root.cpio";
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kTar, tar, env_));
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kCpio, cpio, env_));
  const std::string first = *os::read_file(cpio);
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kCpio, cpio, env_));
  EXPECT_EQ(*os::read_file(cpio), first);
  os::Command command;
  command.inherit_env = true;
  command.argv = {"tar", "tvf", tar.string(), "usr/bin/tool"};
  const auto listed = processes_.run(command);
  ASSERT_TRUE(listed);
  EXPECT_NE(listed->out.find("usr/bin/tool link to usr/bin/same"), std::string::npos) << listed->out << listed->err;
}

TEST_F(ForeignImage, DisksAndFileSystemsDependOnTheImageAlone) {
  const os::Path disk = dir_.path() / "root.img", erofs = dir_.path() / "root.erofs";
  const Image without = made(foreign(plain_, {owned()}));
  const auto refused = export_root(without.manifest.digest, RootFormat::kDisk, disk, env_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kNotFound);
  EXPECT_TRUE(export_root(without.manifest.digest, RootFormat::kErofs, erofs, env_));

  const ImageSpec of = spec("contents: {packages: [tool]}\nentrypoint: {command: \"/usr/bin/tool 'two words'\"}\n"
                            "accounts: {run-as: app, users: [{username: app, uid: 5, gid: 6}],\n"
                            "  groups: [{groupname: app, gid: 6}]}\n"
                            "stop-signal: SIGQUIT\nvolumes: [/data]\n");
  const auto init =
      package(info("nacre-init"), {folder("usr"), folder("usr/bin"), file("usr/bin/nacre-init", "init", 0755)});
  const Image image = made(foreign(of, {owned(), init}));
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kDisk, disk, env_));
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kErofs, erofs, env_));
  const std::string bytes = *os::read_file(disk), inside = *os::read_file(erofs);
  EXPECT_EQ(bytes.size() % (1u << 20), 0u);
  EXPECT_EQ(bytes.substr(512, 8), "EFI PART");
  EXPECT_EQ(bytes.substr(bytes.size() - 512, 8), "EFI PART");
  EXPECT_EQ(bytes.substr(1u << 20, inside.size()), inside) << "the partition is the EROFS";
  EXPECT_EQ(inside.substr(1024, 4), "\xe2\xe1\xf5\xe0");
  EXPECT_NE(inside.find("user 5 6\ndir /\nstop SIGQUIT\nvolume /data\n"), std::string::npos);
  EXPECT_NE(inside.find("arg /usr/bin/tool\narg two words\n"), std::string::npos);
  ASSERT_TRUE(export_root(image.manifest.digest, RootFormat::kDisk, disk, env_));
  EXPECT_EQ(*os::read_file(disk), bytes);

  // What stands in the way of the init: another name of a file goes, a directory does not.
  const auto in_the_way = [&](apk::DataEntry entry, std::vector<apk::DataEntry> more) {
    more.insert(more.begin(), std::move(entry));
    return made(foreign(of, {owned(), init, package(info("way"), more)}));
  };
  const Image linked = in_the_way(file("init", "its own"), {link("other", "init", '1')});
  const os::Path initramfs = dir_.path() / "initramfs";
  ASSERT_TRUE(export_root(linked.manifest.digest, RootFormat::kInitramfs, initramfs, env_));
  const std::string cpio = *os::read_file(initramfs);
  EXPECT_NE(cpio.find("its own"), std::string::npos) << "the other name keeps the content";
  EXPECT_TRUE(export_root(linked.manifest.digest, RootFormat::kDisk, disk, env_));
  const Image blocked = in_the_way(folder("init"), {file("init/file", "x")});
  EXPECT_FALSE(export_root(blocked.manifest.digest, RootFormat::kDisk, disk, env_));

  const Image of_nothing = made(foreign(plain_, {owned(), init}));
  const auto idle = export_root(of_nothing.manifest.digest, RootFormat::kInitramfs, disk, env_);
  ASSERT_FALSE(idle) << "an init, and nothing for it to start";
  EXPECT_EQ(idle.error().kind(), ErrorKind::kInvalid);
}

TEST_F(ForeignImage, DiffNamesWhatMatters) {
  const Image before = made(foreign(plain_, {package(info("tool"), {folder("usr"), file("usr/tool", "1")})}));
  const Image after =
      made(foreign(plain_, {package(info("tool", "2-r0"), {folder("usr"), file("usr/tool", "2", 04755)})}));
  const codec::Json diff =
      diff_images(*view_image(before.manifest.digest, env_), *view_image(after.manifest.digest, env_));
  EXPECT_EQ(diff["packages"]["changed"]["tool"]["after"].as_string(), "2-r0");
  EXPECT_EQ(diff["special"]["added"]["usr/tool"].as_string(), "4755 0:0");
  EXPECT_NE(diff["files"]["changed"].find("usr/tool"), nullptr);
  EXPECT_NE(render_diff(diff).find("~ tool 1-r0 => 2-r0"), std::string::npos);
  EXPECT_TRUE(diff_images(*view_image(after.manifest.digest, env_), *view_image(after.manifest.digest, env_))
                  .members()
                  .empty());
}

TEST_F(ForeignImage, DiffNamesDevices) {
  const auto view_of = [](char type, unsigned major, unsigned minor, unsigned mode) {
    ViewedFile file;
    file.type = type;
    file.mode = mode;
    file.dev_major = major;
    file.dev_minor = minor;
    ImageView out;
    out.files["dev/thing"] = file;
    return out;
  };
  const ImageView zero = view_of('3', 1, 5, 0666), other = view_of('3', 1, 9, 0666), block = view_of('4', 1, 5, 0666);
  EXPECT_TRUE(diff_images(zero, zero).members().empty());
  const codec::Json numbers = diff_images(zero, other), kinds = diff_images(zero, block);
  EXPECT_EQ(numbers["files"]["changed"]["dev/thing"]["before"].as_string(), "3 0666 0:0 device 1:5");
  EXPECT_EQ(numbers["files"]["changed"]["dev/thing"]["after"].as_string(), "3 0666 0:0 device 1:9");
  EXPECT_EQ(kinds["files"]["changed"]["dev/thing"]["after"].as_string(), "4 0666 0:0 device 1:5");
  EXPECT_NE(render_diff(numbers).find("dev/thing"), std::string::npos);
  // The device nodes that every foreign image has are seen as such.
  const Image image = made(foreign(plain_, {owned()}));
  const ImageView view = *view_image(image.manifest.digest, env_);
  ASSERT_TRUE(view.files.contains("dev/zero"));
  EXPECT_EQ(view.files.at("dev/zero").type, '3');
  EXPECT_EQ(view.files.at("dev/zero").dev_major, 1u);
  EXPECT_EQ(view.files.at("dev/zero").dev_minor, 5u);
}

constexpr std::string_view kLock = R"({
  "version": "v1",
  "config": {
    "name": "web.yaml",
    "checksum": "sha256-eal7+HCFuOLz/8m3vNO5cYyNK0Zw7AphCcsc76TbTXg="
  },
  "contents": {
    "keyring": [
      {
        "name": "k.rsa.pub",
        "url": "https://k.rsa.pub",
        "content": "PEM\n"
      }
    ],
    "build_repositories": [],
    "runtime_repositories": [],
    "repositories": [
      {
        "name": "r/x86_64",
        "url": "https://r/x86_64/APKINDEX.tar.gz",
        "architecture": "x86_64"
      }
    ],
    "packages": [
      {
        "name": "a",
        "url": "https://r/x86_64/a-1-r0.apk",
        "version": "1-r0",
        "architecture": "x86_64",
        "signature": {
          "range": "bytes=0-646",
          "checksum": "sha1-S+THz+JYZxcNzNCw2jI9YlnDnE4="
        },
        "control": {
          "range": "bytes=647-1628",
          "checksum": "sha1-m6wB0UFePGN8Drz82pC8y2uAiu8="
        },
        "data": {
          "range": "bytes=1629-2929",
          "checksum": "sha256-ckBapsaMu5EOb/e4Ei1s2l/+dZMEamHhUmaoJ8yeZwg="
        },
        "checksum": "Q1m6wB0UFePGN8Drz82pC8y2uAiu8="
      }
    ]
  }
}
)";

TEST(LockFile, IsWrittenAsItWasRead) {
  auto lock = parse_lock_file(kLock, "web.lock.json");
  ASSERT_TRUE(lock) << lock.error().render();
  EXPECT_EQ(lock->packages.at(0).size(), 2930u);
  EXPECT_FALSE(lock->closed());
  EXPECT_EQ(write_lock_file(*lock), kLock);
  lock->tool = "nacre 1";
  lock->packages[0].sha256 = std::string(64, 'a');
  lock->indexes = {{"https://r/x86_64/APKINDEX.tar.gz", std::string(64, 'b'), "d", "f"}};
  const auto again = parse_lock_file(write_lock_file(*lock), "web.lock.json");
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_TRUE(again->closed());
  EXPECT_EQ(again->packages[0].sha256, lock->packages[0].sha256);
  EXPECT_EQ(again->indexes.at(0).key, "f");
}

TEST(LockFile, FaultsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"\"v1\"", "\"v2\""},
      {"bytes=647-1628", "bytes=600-1628"},
      {"bytes=0-646", "bytes=0-18446744073709551616"},
      {"bytes=1629-2929", "bytes=1629-10"},
      {"\"Q1m6wB0UFePGN8Drz82pC8y2uAiu8=\"", "\"\""},
      {"\"Q1m6wB0UFePGN8Drz82pC8y2uAiu8=\"", "\"Q1S+THz+JYZxcNzNCw2jI9YlnDnE4=\""},
      {"sha256-ckBapsaMu5EOb", "sha256-ck"}};
  for (const auto& [from, to] : cases) {
    const auto lock = parse_lock_file(replace_all(std::string(kLock), from, to), "web.lock.json");
    EXPECT_FALSE(lock) << from << " -> " << to;
  }
}

TEST(JavaTruststore, IsReadAndWritten) {
  // An empty store; its digest was computed by another program.
  const std::string empty = *from_hex("feedfeed0000000200000000e2686e45fb43dfa4d992dd41ceb6b21c6330d792");
  auto store = JavaTruststore::parse(empty);
  ASSERT_TRUE(store) << store.error().render();
  EXPECT_EQ(store->write(), empty);
  store->add("Zwei", "DER", 5);
  store->add("eins", "OTHER", 6);
  const std::string written = store->write();
  const auto again = JavaTruststore::parse(written);
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(again->write(), written);
  EXPECT_LT(written.find("eins"), written.find("zwei")) << "by alias, in small letters";
  std::string broken = written;
  broken[20] ^= 1;
  EXPECT_FALSE(JavaTruststore::parse(broken));
  EXPECT_FALSE(JavaTruststore::parse("PK12"));
}

}  // namespace
}  // namespace nacre::image
