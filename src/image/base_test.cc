#include "image/base.h"

#include "base/encoding.h"
#include "base/text.h"
#include "image/export.h"
#include "image/kitchen_test.h"
#include "image/oci.h"
#include "image/read.h"

namespace nacre::image {
namespace {

std::string fault_of(std::string_view text) {
  const auto packages = parse_database(text, "APKINDEX");
  return packages ? "no error" : packages.error().render();
}

TEST(Database, TheLastRecordNeedsNoBlankLine) {
  const auto packages =
      parse_database("P:a\nV:1\nA:x86_64\nF:\nR:top\nF:etc\nM:0:0:0700\nR:x\nZ:Q1\n\nP:b\nV:2\nA:x86_64", "APKINDEX");
  ASSERT_TRUE(packages) << packages.error().render();
  ASSERT_EQ(packages->size(), 2u);
  EXPECT_EQ((*packages)[1].label(), "b=2");
  std::vector<std::string> paths;
  for (const ContentEntry& entry : (*packages)[0].entries) paths.push_back(entry.path);
  EXPECT_EQ(join(paths, " "), "top etc etc/x");
}

TEST(Database, FaultsHaveTheirLines) {
  const std::string head = "P:a\nV:1\nA:x86_64\n";
  EXPECT_NE(fault_of(head + "R:x\n").find("APKINDEX:4"), std::string::npos) << fault_of(head + "R:x\n");
  EXPECT_NE(fault_of(head + "F:../x\n").find("APKINDEX:4"), std::string::npos);
  EXPECT_NE(fault_of(head + "F:etc\nR:../x\n").find("is no name of a file"), std::string::npos);
  EXPECT_NE(fault_of(head + "S:-1\n").find("expected a decimal number"), std::string::npos);
  EXPECT_NE(fault_of(head + "C:Q1x\n").find("is no checksum"), std::string::npos);
  EXPECT_NE(fault_of(head + "X:new\n").find("unknown mandatory key"), std::string::npos);
  EXPECT_NE(fault_of("V:1\nA:x86_64\n\n").find("has no name"), std::string::npos);
  EXPECT_NE(fault_of("nonsense\n").find("expected 'K:value'"), std::string::npos);
  EXPECT_NE(fault_of(head + "T:" + std::string(2u << 20, 'x') + "\n").find("is longer than"), std::string::npos);
}

/// An image of one package in a layout, and another image above it.
struct OverBase : Kitchen {
  ComposeRequest foreign(const ImageSpec& of, std::vector<index::SerialPackage> packages) {
    ComposeRequest out = request(of, std::move(packages));
    out.foreign = true;
    out.form = LayerForm::kReference;
    return out;
  }
  Image made(const ComposeRequest& of) {
    auto image = compose_image(of, env_);
    EXPECT_TRUE(image) << image.error().render();
    return image ? *std::move(image) : Image{};
  }
  std::string content(const Image& image, const std::string& path) {
    const auto found = read_files(image.manifest.digest, {path}, env_);
    return found && found->contains(path) ? found->at(path) : "(none)";
  }
  void write_layout(const Image& image) {
    const os::Path blobs = dir_.path() / "base/blobs/sha256";
    std::filesystem::create_directories(blobs);
    std::vector<Descriptor> all = {image.config, image.manifest, image.index};
    for (const Layer& layer : image.layers) all.push_back(layer.blob);
    for (const Descriptor& blob : all)
      std::filesystem::copy_file(store_->blob_path(blob.digest), blobs / blob.digest.hex());
    codec::Json index;
    index.set("schemaVersion", 2).set("manifests", codec::Json::array({to_json(image.index)}));
    ASSERT_TRUE(os::write_file(dir_.path() / "base/index.json", codec::to_json(index)));
    const os::Path metadata = dir_.path() / "base/metadata" / std::string(host_arch().apk);
    std::filesystem::create_directories(metadata);
    ASSERT_TRUE(os::write_file(metadata / "APKINDEX", content(image, "usr/lib/apk/db/installed")));
  }
  Contents::BaseImage base_spec() {
    return {(dir_.path() / "base").string(), (dir_.path() / "base/metadata").string(), {"web.yaml", 3, 5}};
  }
  index::SerialPackage tool() {
    apk::PackageInfo about = info("tool", "2-r0");
    about.build_date = kTime + 5;
    return package(about, {folder("usr"), folder("usr/bin"), file("usr/bin/tool", "tool", 0755)});
  }
  const ImageSpec base_ = spec("contents: {packages: [libs]}\nentrypoint: {command: /bin/sh -l}\nwork-dir: /srv\n");
  const ImageSpec over_ = spec("contents: {packages: [tool]}\n");
};

TEST_F(OverBase, LayersDatabaseAndConfigurationStandUponTheBase) {
  const auto libs = package(info("libs"), {folder("usr"), folder("usr/lib"), file("usr/lib/libs.so", "1")});
  const Image below = made(foreign(base_, {libs}));
  write_layout(below);
  const auto base = read_base_image(base_spec(), {}, host_arch(), env_);
  ASSERT_TRUE(base) << base.error().render();
  EXPECT_EQ(join(base->labels(), " "), "libs=1-r0");
  ComposeRequest asked = foreign(over_, {tool()});
  asked.base = &*base;
  const Image image = made(asked);
  ASSERT_EQ(image.layers.size(), 2u);
  EXPECT_EQ(image.layers[0].blob.digest, below.layers[0].blob.digest);
  EXPECT_EQ(join(image.packages, " "), "libs=1-r0 tool=2-r0");
  EXPECT_EQ(content(image, "etc/apk/world"), "libs=1-r0\ntool=2-r0\n");
  const std::string database = content(image, "usr/lib/apk/db/installed");
  EXPECT_LT(database.find("P:libs"), database.find("P:tool"));
  EXPECT_EQ(content(image, "usr/lib/libs.so"), "1");
  EXPECT_EQ(image.created, kTime + 5);
  const auto config = read_document(image.config.digest, env_);
  ASSERT_TRUE(config);
  EXPECT_EQ(join((*config)["config"]["Entrypoint"].as_strings(), " "), "/bin/sh -l");
  EXPECT_EQ((*config)["config"]["WorkingDir"].as_string(), "/srv");
  EXPECT_EQ((*config)["history"].items().size(), 2u);
  EXPECT_EQ((*config)["rootfs"]["diff_ids"].items().size(), 2u);
}

TEST_F(OverBase, ADamagedOrAbsentBaseIsRefused) {
  const Image below = made(foreign(base_, {package(info("libs"), {folder("usr"), file("usr/x", "1")})}));
  write_layout(below);
  Arch other = host_arch();
  other.oci = "s390x";
  other.apk = "s390x";
  const auto none = read_base_image(base_spec(), {}, other, env_);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().render().find("it is there for"), std::string::npos) << none.error().render();
  const os::Path config = dir_.path() / "base/blobs/sha256" / below.config.digest.hex();
  auto text = os::read_file(config);
  ASSERT_TRUE(text);
  text->back() = ' ';
  std::filesystem::remove(config);
  ASSERT_TRUE(os::write_file(config, *text));
  const auto damaged = read_base_image(base_spec(), {}, host_arch(), env_);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().kind(), ErrorKind::kDenied);
}

TEST_F(OverBase, ADirectoryOverTheBasesLinkIsRefused) {
  const auto merged = package(info("libs"), {link("sbin", "usr/bin"), folder("usr"), folder("usr/bin")});
  write_layout(made(foreign(base_, {merged})));
  const auto base = read_base_image(base_spec(), {}, host_arch(), env_);
  ASSERT_TRUE(base) << base.error().render();
  ComposeRequest asked = foreign(over_, {package(info("tool"), {folder("sbin"), file("sbin/x", "x")})});
  asked.base = &*base;
  const auto image = compose_image(asked, env_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind(), ErrorKind::kConflict);
  EXPECT_NE(image.error().render().find("a link to 'usr/bin'"), std::string::npos) << image.error().render();
}

}  // namespace
}  // namespace nacre::image
