#include "image/kitchen_test.h"

#include "base/text.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "image/database.h"
#include "image/layer.h"
#include "image/oci.h"

#include <set>

namespace nacre::image {
namespace {

class Compose : public Kitchen {
 protected:
  os::Path unpack(const Image& image, std::string_view name = "root") {
    const os::Path root = dir_.path() / name;
    EXPECT_TRUE(os::make_dirs(root));
    const auto done = unpack_image(image.manifest.digest, root, env_);
    EXPECT_TRUE(done) << done.error().render();
    return root;
  }
  codec::Json document(const Descriptor& blob) {
    return *codec::parse_json(*store_->read(blob.digest), "blob");
  }

  index::SerialPackage hello(std::string text = "hello") {
    return package(info("hello"),
                   {folder("usr"), folder("usr/bin"), file("usr/bin/hello", std::move(text), 0755)});
  }
  const ImageSpec plain_ = spec("contents: {packages: [hello]}\n");
};

TEST_F(Compose, LayersAreThePackagesOwnBytes) {
  const index::SerialPackage base = layout(), tool = hello();
  const Image image = compose(plain_, {tool, base});
  ASSERT_EQ(image.layers.size(), 3u);
  EXPECT_EQ(image.layers[0].packages, std::vector<std::string>{"nacre-baselayout=1-r0"})
      << "the layout is first";
  EXPECT_EQ(image.layers[1].packages, std::vector<std::string>{"hello=1-r0"});
  EXPECT_EQ(image.packages, (std::vector<std::string>{"hello=1-r0", "nacre-baselayout=1-r0"}));
  EXPECT_EQ(image.created, kTime);

  const auto read = *apk::read_package(store_->blob_path(tool.apk));
  const std::string apk = *store_->read(tool.apk), layer = *store_->read(image.layers[1].blob.digest);
  EXPECT_EQ(layer, apk.substr(read.data.offset, read.data.size) + std::string(codec::gzip_tar_end()));
  EXPECT_EQ(codec::sha256(*codec::gunzip(layer, 1u << 20)), image.layers[1].diff_id);
}

/// Packages of these installed sizes: "p0", "p1", …
std::vector<PackageContents> sized(const std::vector<std::uint64_t>& sizes) {
  std::vector<PackageContents> out(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    out[i].file.info.name = fmt::format("p{}", i);
    out[i].file.info.installed_bytes = sizes[i];
    out[i].entries.resize(1);
  }
  return out;
}

TEST(Grouping, ManySmallPackagesShareLayers) {
  constexpr std::uint64_t kSmall = 100 << 10, kLarge = 2 << 20;
  std::vector<std::uint64_t> sizes(40, kSmall);
  sizes[7] = kLarge;
  sizes[9] = 4 * kLarge;
  const auto groups = group_packages(sized(sizes), 3, 64, "package", Small::kGrouped);
  ASSERT_GE(groups.size(), 5u);
  ASSERT_LE(groups.size(), 7u);
  EXPECT_EQ(groups[0], std::vector<std::size_t>{3}) << "the layout stays alone, and first";
  EXPECT_EQ(groups[1], std::vector<std::size_t>{9}) << "the largest at the bottom";
  EXPECT_EQ(groups[2], std::vector<std::size_t>{7});
  std::size_t members = 0;
  for (const auto& group : groups) members += group.size();
  EXPECT_EQ(members, sizes.size());

  sizes[20] = kSmall + 1;   // a new version
  EXPECT_EQ(group_packages(sized(sizes), 3, 64, "package", Small::kGrouped), groups);
  EXPECT_EQ(group_packages(sized(sizes), 3, 64).size(), sizes.size()) << "a budget that was given";
  sizes.resize(24);
  EXPECT_EQ(group_packages(sized(sizes), 3, 64, "package", Small::kGrouped).size(), sizes.size()) << "few packages";
}

TEST_F(Compose, WritesWhatNoPackageOwns) {
  const ImageSpec web = spec(R"(contents: {packages: [hello]}
accounts:
  run-as: web
  groups: [{groupname: web, gid: 1001, members: [web]}]
  users: [{username: web, uid: 1001}]
entrypoint: {command: "/usr/bin/hello 'a b'"}
environment: {LANG: C.UTF-8}
)");
  index::SerialPackage tool = package(
      info("hello"),
      {folder("usr"), folder("usr/bin"), file("usr/bin/hello", "x", 0755), link("usr/bin/hi", "hello")},
      Edition::kCommunity, Signed::kYes, {{".post-install", "#!/bin/sh\n"}});
  const Image image = compose(web, {layout(), tool});
  const os::Path root = unpack(image);
  EXPECT_EQ(unpacked(root, "etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/bin/sh\n"
            "web:x:1001:1001:web:/home/web:/bin/sh\n");
  EXPECT_EQ(unpacked(root, "etc/group"), "root:x:0:\nweb:x:1001:web\n");
  EXPECT_EQ(unpacked(root, "etc/shadow"), "root:*:::::::\nweb:!:::::::\n");
  EXPECT_EQ(unpacked(root, "etc/apk/world"), "hello\n");
  EXPECT_EQ(unpacked(root, "etc/apk/arch"), std::string(host_arch().apk) + "\n");
  EXPECT_TRUE(unpacked(root, "etc/apk/keys/nacre-community.rsa.pub").starts_with("-----BEGIN PUBLIC KEY-----"));
  EXPECT_TRUE(unpacked(root, "etc/apko.json").find("\"packages\":[\"hello=1-r0\",\"nacre-baselayout=1-r0\"]") !=
              std::string::npos);
  EXPECT_TRUE(os::exists(root / "home/web"));
  EXPECT_TRUE(os::exists(root / "home/nonroot")) << "homes of the packages' accounts too";
  const std::string database = unpacked(root, "usr/lib/apk/db/installed");
  EXPECT_NE(database.find("P:hello\nV:1-r0\n"), std::string::npos);
  EXPECT_NE(database.find("F:usr/bin\nR:hello\na:0:0:0755\nZ:Q1EfatjsUqKYSrqv18O1FlA3hcIHI=\n"),
            std::string::npos)
      << database;
  EXPECT_NE(unpacked(root, "usr/lib/apk/db/scripts.tar").find(".post-install"), std::string::npos);

  const codec::Json config = document(image.config)["config"];
  EXPECT_EQ(config["User"].as_string(), "1001");
  EXPECT_EQ(config["Entrypoint"].as_strings(), (std::vector<std::string>{"/usr/bin/hello", "a b"}));
  EXPECT_EQ(config["Env"].as_strings(),
            (std::vector<std::string>{"LANG=C.UTF-8",
                                      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}));
  const codec::Json annotations = document(image.manifest)["annotations"];
  EXPECT_EQ(annotations["dev.nacre.edition"].as_string(), "community");
  EXPECT_EQ(annotations["org.opencontainers.image.title"].as_string(), "web");
  EXPECT_EQ(annotations["org.opencontainers.image.created"].as_string(), "2023-11-14T22:13:20Z");
  EXPECT_EQ(*manifest_for(image.index.digest, host_arch(), env_), image.manifest.digest);
}

TEST_F(Compose, IsDeterministicAndOneChangedPackageMovesOneLayer) {
  const index::SerialPackage base = layout(), tool = hello();
  const index::SerialPackage other = package(info("other"), {folder("usr"), file("usr/other", "o")});
  const Image first = compose(plain_, {base, tool, other});
  {
    // Nothing kept from before: another store gives the same bytes.
    const os::TempDir second_home = scratch_dir();
    const auto second_store = open_store(second_home.path());
    Env env{processes_, clock_, http_, *second_store, events_, {}};
    for (const auto* p : {&base, &tool, &other})
      ASSERT_TRUE(second_store->put_file(store_->blob_path(p->apk), store::Store::Take::kCopy));
    const auto again = compose_image(request(plain_, {base, tool, other}), env);
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_EQ(again->index.digest, first.index.digest);
  }
  EXPECT_EQ(compose(plain_, {base, tool, other}).index.digest, first.index.digest) << "from what was kept";

  const Image changed = compose(plain_, {base, hello("changed"), other});
  ASSERT_EQ(changed.layers.size(), 4u);
  EXPECT_EQ(changed.layers[0].blob.digest, first.layers[0].blob.digest);
  EXPECT_NE(changed.layers[1].blob.digest, first.layers[1].blob.digest);
  EXPECT_EQ(changed.layers[2].blob.digest, first.layers[2].blob.digest);
  EXPECT_NE(compose_key(request(plain_, {base, tool})), compose_key(request(plain_, {base})));
}

TEST_F(Compose, GroupsWhatExceedsTheBudget) {
  std::vector<index::SerialPackage> packages = {layout()};
  for (int i = 0; i < 9; ++i) {
    apk::PackageInfo about = info(fmt::format("p{}", i));
    about.installed_bytes = i == 5 ? 1'000'000 : 10;
    packages.push_back(package(about, {folder("usr"), file(fmt::format("usr/p{}", i), std::to_string(i))}));
  }
  const ImageSpec small = spec("contents: {packages: [p1]}\nlayering: {budget: 4}\n");
  const Image image = compose(small, packages);
  ASSERT_EQ(image.layers.size(), 5u) << "four of packages and the top";
  std::set<std::string> alone;
  for (const Layer& layer : image.layers)
    if (layer.packages.size() == 1) alone.insert(layer.packages.front());
  EXPECT_EQ(alone, (std::set<std::string>{"nacre-baselayout=1-r0", "p0=1-r0", "p5=1-r0"}));
  const os::Path root = unpack(image);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(unpacked(root, fmt::format("usr/p{}", i)), std::to_string(i));
}

TEST_F(Compose, MovesPathsThatCrossAnotherPackagesLink) {
  const index::SerialPackage crossing = package(
      info("crossing"), {folder("lib"), file("lib/libx.so", "x"), link("lib/liby.so", "lib/libx.so", '1')});
  const Image image = compose(plain_, {crossing, layout()});
  const os::Path root = unpack(image);
  EXPECT_TRUE(std::filesystem::is_symlink(root / "lib"));
  EXPECT_EQ(unpacked(root, "usr/lib/libx.so"), "x");
  EXPECT_TRUE(std::filesystem::equivalent(root / "usr/lib/libx.so", root / "usr/lib/liby.so"));
  EXPECT_FALSE(os::exists(root / "usr/lib/apk/apk"));
  const auto files = *list_files(image.manifest.digest, env_);
  const auto found = std::find_if(files.begin(), files.end(),
                                  [](const ImageFile& f) { return f.path == "usr/lib/libx.so"; });
  ASSERT_NE(found, files.end());
  EXPECT_EQ(found->package, "crossing=1-r0");
}

/// A package as melange writes it: its data segment has end blocks.
std::string foreign_package(apk::PackageInfo about, std::string path, std::string content) {
  const auto entry = [](std::string name, const std::string& bytes) {
    codec::TarHeader header;
    header.path = std::move(name);
    header.size = bytes.size();
    header.mtime = kTime;
    return *codec::tar_header(header) + bytes + std::string(codec::tar_padding(bytes.size()), '\0');
  };
  const std::string data = *codec::gzip(entry(std::move(path), content) + std::string(codec::tar_end()));
  about.data_hash = codec::sha256(data).hex();
  const std::string control = *codec::gzip(entry(".PKGINFO", apk::write_package_info(about)));
  const auto signature = *test_signer().sign(Edition::kCommunity, crypto::Purpose::kPackage, control);
  return *codec::gzip(entry(".SIGN.RSA256.nacre-community.rsa.pub", signature)) + control + data;
}

TEST_F(Compose, EndBlocksOfForeignPackagesStayOutOfTheMiddle) {
  index::SerialPackage foreign;
  foreign.apk = *store_->put_bytes(foreign_package(info("foreign"), "foreign", "f"));
  const auto read = apk::read_package(store_->blob_path(foreign.apk));
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_TRUE(read->data_ends_with_zeros);
  foreign.record = read->record();
  const auto last = package(info("last"), {file("last", "l")});

  const Image alone = compose(plain_, {layout(), foreign, last});
  EXPECT_EQ(*store_->read(alone.layers[1].blob.digest),
            store_->read(foreign.apk)->substr(read->data.offset)) << "a layer as it stands";
  const Image grouped = compose(spec("contents: {packages: [a]}\nlayering: {budget: 2}\n"), {layout(), foreign, last});
  ASSERT_EQ(grouped.layers.size(), 3u);
  EXPECT_EQ(grouped.layers[1].packages, (std::vector<std::string>{"foreign=1-r0", "last=1-r0"}));
  const os::Path root = unpack(grouped);
  EXPECT_EQ(unpacked(root, "foreign"), "f");
  EXPECT_EQ(unpacked(root, "last"), "l");
}

TEST_F(Compose, TheFirstPackageDecidesAFoldersMode) {
  const auto careless = package(info("careless"), {folder("tmp", 0700), file("tmp/x", "x")});
  const os::Path root = unpack(compose(plain_, {careless, layout()}));
  EXPECT_EQ(std::filesystem::status(root / "tmp").permissions(), std::filesystem::perms(01777));
}

TEST_F(Compose, TheReplacedFileLeavesItsLayer) {
  apk::PackageInfo newer = info("newer");
  newer.replaces = {"older<2"};
  const auto older = package(
      info("older"), {folder("usr"), file("usr/a", "old"), link("usr/b", "usr/a", '1'), file("usr/c", "c")});
  const auto winner = package(newer, {folder("usr"), file("usr/a", "new")});
  const std::vector<std::vector<index::SerialPackage>> orders = {{older, winner}, {winner, older}};
  for (const auto& order : orders) {
    const Image image = compose(plain_, order);
    const os::Path root = unpack(image, order.front().record.name);
    EXPECT_EQ(unpacked(root, "usr/a"), "new");
    EXPECT_EQ(unpacked(root, "usr/b"), "old") << "a hard link keeps the content";
    for (const Layer& layer : image.layers) {
      if (layer.packages != std::vector<std::string>{"older=1-r0"}) continue;
      const std::string tar = *codec::gunzip(*store_->read(layer.blob.digest), 1u << 20);
      EXPECT_EQ(tar.find("usr/a"), std::string::npos);
      EXPECT_NE(tar.find("usr/b"), std::string::npos);
    }
    const auto owners = parse_installed(unpacked(root, "usr/lib/apk/db/installed"));
    EXPECT_EQ(owners.at("usr/a"), "newer=1-r0");
  }
}

TEST_F(Compose, RefusesConflicts) {
  const auto a = package(info("a"), {folder("usr"), file("usr/x", "1"), file("usr/same", "s")});
  const auto b = package(info("b"), {folder("usr"), file("usr/same", "s"), file("usr/x", "2")});
  EXPECT_EQ(error_of(plain_, {a, b}),
            "a=1-r0 and b=1-r0 both have 'usr/x', with different content\n"
            "  while laying package b=1-r0 into the image\n  while composing image 'web'\n"
            "  hint: let one of them replace the other (dependencies.replaces), or leave one out");
  const auto c = package(info("c"), {folder("usr"), folder("usr/x")});
  EXPECT_EQ(error_of(plain_, {a, c}),
            "'usr/x' is a file in a=1-r0 and a directory in c=1-r0\n"
            "  while laying package c=1-r0 into the image\n  while composing image 'web'");
  const auto whiteout = package(info("w"), {folder("etc"), file("etc/.wh.passwd", "")});
  EXPECT_EQ(error_of(plain_, {layout(), whiteout}),
            "'etc/.wh.passwd' has a name that image layers take for a deletion\n"
            "  while reading the data segment\n"
            "  while reading the package '" + store_->blob_path(whiteout.apk).string() + "'\n"
            "  while reading package w=1-r0\n  while composing image 'web'");
}

TEST_F(Compose, NeverMixesEditions) {
  const std::vector<apk::DataEntry> entries = {folder("usr"), file("usr/x", "1")};
  const auto unsigned_one = package(info("u"), entries, Edition::kCommunity, Signed::kNo);
  EXPECT_EQ(error_of(plain_, {unsigned_one}),
            "package u=1-r0 is not signed; an image of edition 'community' needs the signature of "
            "nacre-community.rsa.pub\n"
            "  while composing image 'web'");
  for (const Edition edition : {Edition::kStage0, Edition::kProduction})
    EXPECT_EQ(
        error_of(plain_, {layout(), package(info("f"), entries, edition)}),
        fmt::format(
            "package f=1-r0 is signed by nacre-{}.rsa.pub, and an image of edition 'community' takes only "
            "nacre-community.rsa.pub\n  while composing image 'web'\n"
            "  hint: content of two editions never mixes; build the package in this edition",
            name_of(edition)));
  // A foreign key under our name.
  ComposeRequest other = request(plain_, {layout()});
  other.public_key = test_signer().public_key(Edition::kProduction, crypto::Purpose::kPackage)->pem();
  const auto forged = compose_image(other, env_);
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().kind(), ErrorKind::kDenied);
  other.edition = Edition::kStage0;
  EXPECT_EQ(compose_image(other, env_).error().render(),
            "image 'web' is asked for in edition 'stage0', which builds and never ships");
  const ImageSpec own = spec("contents:\n  repositories: ['https://example.org/os/']\n  packages: [hello]\n");
  EXPECT_EQ(error_of(own, {layout()}),
            "images/web.yaml:2:18: image 'web' names the repository 'https://example.org/os', and its "
            "packages come from "
            "edition 'community' alone\n  hint: leave contents.repositories and contents.keyring out");
}

TEST_F(Compose, ChangesPathsInOrder) {
  const ImageSpec paths = spec(R"(contents: {packages: [hello]}
paths:
  - {path: /srv/www, type: directory, permissions: 0o750, uid: 7, gid: 8}
  - {path: /srv/www/log, type: empty-file, permissions: 0o640}
  - {path: /bin/hallo, type: symlink, source: hello}
  - {path: /srv/www/hello, type: hardlink, source: /bin/hello}
  - {path: /usr/bin/hello, type: permissions, permissions: 0o700}
  - {path: /srv, type: permissions, permissions: 0o711, uid: 9, recursive: true}
)");
  const Image image = compose(paths, {layout(), hello()});
  const os::Path root = unpack(image);
  EXPECT_EQ(unpacked(root, "srv/www/hello"), "hello");
  EXPECT_TRUE(std::filesystem::equivalent(root / "srv/www/hello", root / "usr/bin/hello"));
  EXPECT_EQ(std::filesystem::read_symlink(root / "usr/bin/hallo"), "hello");
  std::map<std::string, ImageFile> by_path;
  const std::vector<ImageFile> files = *list_files(image.manifest.digest, env_);
  for (const ImageFile& found : files) by_path[found.path] = found;
  EXPECT_EQ(by_path.at("srv/www/log").mode, 0711u);
  EXPECT_EQ(by_path.at("srv/www").uid, 9u);
  EXPECT_EQ(by_path.at("usr/bin/hello").mode, 0711u) << "one file under two names";
  EXPECT_EQ(by_path.at("tmp").mode, 01777u);

  const ImageSpec missing =
      spec("contents: {packages: [hello]}\npaths:\n  - {path: /no, type: permissions, permissions: 0o700}\n");
  EXPECT_EQ(error_of(missing, {layout()}),
            "images/web.yaml:3:5: the image has no 'no' whose permissions could change\n"
            "  while applying permissions to 'no'\n  while composing image 'web'");
}

TEST(ShellWords, SplitAsAShellDoes) {
  EXPECT_EQ(*shell_words(R"(a 'b c'  "d \" e" f\ g '' # rest)"),
            (std::vector<std::string>{"a", "b c", "d \" e", "f g", ""}));
  EXPECT_EQ(shell_words("a 'b").error().render(), "command 'a 'b' has a ' that is never closed");
}

/// An OCI layout of the image for independent readers.
void write_layout(const os::Path& root, const Image& image, store::Store& store) {
  const auto add = [&](const Descriptor& blob) {
    std::filesystem::copy_file(store.blob_path(blob.digest), root / "blobs/sha256" / blob.digest.hex());
  };
  ASSERT_TRUE(os::make_dirs(root / "blobs/sha256"));
  for (const Layer& layer : image.layers) add(layer.blob);
  for (const Descriptor* blob : {&image.config, &image.manifest, &image.index}) add(*blob);
  codec::Json tagged = to_json(image.manifest), listed = to_json(image.index), index;
  tagged.set("annotations", codec::Json().set("org.opencontainers.image.ref.name", "one"));
  listed.set("annotations", codec::Json().set("org.opencontainers.image.ref.name", "all"));
  index.set("schemaVersion", 2).set("manifests", codec::Json::array({tagged, listed}));
  ASSERT_TRUE(os::write_file(root / "index.json", codec::to_json(index)));
  ASSERT_TRUE(os::write_file(root / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
}

TEST_F(Compose, IndependentToolsAgree) {
  os::Command command;
  command.inherit_env = true;
  command.argv = {"sh", "-c", "command -v skopeo && command -v umoci"};
  if (!processes_.run(command)->ok() || ::geteuid() != 0) GTEST_SKIP() << "skopeo, umoci or root is missing";
  const auto crossing =
      package(info("crossing"), {folder("lib"), file("lib/x", "x"), link("lib/y", "lib/x", '1')});
  const Image image = compose(plain_, {layout(), hello(), crossing});
  const os::Path oci = dir_.path() / "oci";
  write_layout(oci, image, *store_);
  for (const std::string tag : {"one", "all"}) {
    command.argv = {"skopeo", "--insecure-policy", "copy", "-q", "oci:" + oci.string() + ":" + tag,
                    "docker-archive:" + (dir_.path() / (tag + ".tar")).string()};
    const auto copied = processes_.run(command);
    EXPECT_TRUE(copied && copied->ok()) << copied->err;
  }
  command.argv = {"umoci", "unpack", "--image", oci.string() + ":one", (dir_.path() / "bundle").string()};
  const auto bundled = processes_.run(command);
  ASSERT_TRUE(bundled && bundled->ok()) << bundled->err;
  const os::Path root = unpack(image);
  command.argv = {"diff", "-r", "--no-dereference", (dir_.path() / "bundle/rootfs").string(), root.string()};
  const auto compared = processes_.run(command);
  EXPECT_TRUE(compared->ok()) << compared->out << compared->err;
  const auto theirs = *os::walk_tree(dir_.path() / "bundle/rootfs"), ours = *os::walk_tree(root);
  ASSERT_EQ(theirs.size(), ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(ours[i].mode, theirs[i].mode) << ours[i].path.str();
    EXPECT_EQ(ours[i].uid, theirs[i].uid) << ours[i].path.str();
    EXPECT_EQ(ours[i].mtime, theirs[i].mtime) << ours[i].path.str();
  }
}

}  // namespace
}  // namespace nacre::image
