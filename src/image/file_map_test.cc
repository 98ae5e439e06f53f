#include "image/kitchen_test.h"

#include "codec/digest.h"
#include "codec/gzip.h"
#include "image/file_map.h"
#include "image/oci.h"

namespace nacre::image {
namespace {

codec::TarHeader entry(std::string path, char type = '0', std::string link = "") {
  codec::TarHeader out;
  out.path = std::move(path);
  out.type = type;
  out.link = std::move(link);
  return out;
}

/// Paths after layers of entries; "!message" when one is refused.
std::string paths_after(const std::vector<std::vector<codec::TarHeader>>& layers) {
  FileMap files(FileMap::Limits{12});
  for (const auto& layer : layers) {
    files.begin_layer();
    for (const codec::TarHeader& header : layer)
      if (const auto added = files.add(header); !added) return "!" + added.error().render();
  }
  std::string out;
  for (const auto& [path, node] : files.nodes())
    out += (out.empty() ? "" : " ") + path + (node.header.type == '5' ? "/" : "");
  return out;
}

TEST(FileMap, LaysLayersOverEachOther) {
  EXPECT_EQ(paths_after({{entry("a/b/c")}}), "a/ a/b/ a/b/c");
  EXPECT_EQ(paths_after({{entry("a/b"), entry("a/c")}, {entry("a/.wh.b")}}), "a/ a/c");
  EXPECT_EQ(paths_after({{entry("a/b"), entry("a/c/d")}, {entry("a/.wh..wh..opq"), entry("a/new")}}),
            "a/ a/new");
  EXPECT_EQ(paths_after({{entry("a/b")}, {entry("a/new"), entry(".wh.a")}}), "a/ a/new")
      << "only lower layers are deleted";
  EXPECT_EQ(paths_after({{entry("a/b")}, {entry("a", '2', "/etc")}}), "a")
      << "a link in the place of a directory";
  EXPECT_EQ(paths_after({{entry("a", '5')}, {entry("a")}}), "a");
  EXPECT_EQ(paths_after({{entry("lib", '2', "usr/lib")}, {entry("lib/x")}}), "lib usr/ usr/lib/ usr/lib/x");
  EXPECT_EQ(paths_after({{entry("l", '2', "../../../etc")}, {entry("l/x")}}), "etc/ etc/x l")
      << "links stay inside";
}

TEST(FileMap, RefusesHostileLayers) {
  EXPECT_EQ(paths_after({{entry("../x")}}), "!path '../x' has the component '..'");
  EXPECT_EQ(paths_after({{entry("a"), entry("a/b")}}), "!layer 1 has 'a/b', and 'a' is no directory");
  EXPECT_EQ(paths_after({{entry("a", '2', "b"), entry("b", '2', "a"), entry("a/x")}}),
            "!'a' leads through too many levels of symlinks");
  EXPECT_EQ(paths_after({{entry("h", '1', "etc/passwd")}}),
            "!layer 1 has the hard link 'h' to 'etc/passwd', which is no file");
  EXPECT_EQ(paths_after({{entry("a/b/c/d/e/f/g/h/i/j/k/l/m")}}), "!the image has more than 12 files");
  EXPECT_EQ(paths_after({{entry("x"), entry(".wh...")}}), "!layer 1 deletes '.wh...', which names no file");
}

class Foreign : public Kitchen {
 protected:
  /// A manifest of one layer; its tar is given.
  Sha256 image_of(const std::string& tar, const std::string& diff_of) {
    const std::string layer = *codec::gzip(tar);
    codec::Json config, blob, manifest;
    config.set("rootfs", codec::Json().set("diff_ids", codec::Json::strings({codec::sha256(diff_of).oci()})));
    const std::string text = codec::to_json(config);
    const Descriptor layer_blob{"application/vnd.oci.image.layer.v1.tar+gzip", *store_->put_bytes(layer),
                                layer.size()};
    const Descriptor config_blob{std::string(kConfigType), *store_->put_bytes(text), text.size()};
    manifest.set("config", to_json(config_blob)).set("layers", codec::Json::array({to_json(layer_blob)}));
    return *store_->put_bytes(codec::to_json(manifest));
  }
};

TEST_F(Foreign, UnpacksBeneathTheFolderOnly) {
  codec::TarHeader passwd = entry("out/passwd");
  passwd.size = 4;
  const std::string tar = *codec::tar_header(entry("out", '2', dir_.path().string())) +
                          *codec::tar_header(passwd) + "evil" + std::string(508, '\0') +
                          *codec::tar_header(entry("dev/null", '3')) + std::string(codec::tar_end());
  const os::Path root = dir_.path() / "root";
  ASSERT_TRUE(os::make_dirs(root));
  const auto done = unpack_image(image_of(tar, tar), root, env_);
  ASSERT_TRUE(done) << done.error().render();
  EXPECT_FALSE(os::exists(dir_.path() / "passwd"));
  EXPECT_EQ(unpacked(root, dir_.path().relative_path().string() + "/passwd"), "evil")
      << "the link leads inside the root";
  EXPECT_FALSE(os::exists(root / "dev/null")) << "devices are left out";
  const auto again = unpack_image(image_of(tar, tar), root, env_);
  EXPECT_EQ(again.error().render(), "'" + root.string() + "' is not empty");
}

TEST_F(Foreign, RefusesALayerWithAnotherDiffId) {
  const std::string tar = *codec::tar_header(entry("a")) + std::string(codec::tar_end());
  const auto listed = list_files(image_of(tar, "other"), env_);
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind(), ErrorKind::kDenied);
  EXPECT_NE(listed.error().render().find("inflates to other bytes than its diff ID"), std::string::npos);
}

TEST_F(Foreign, FindsTheManifestOfAnArchitecture) {
  codec::Json index;
  index.set("manifests", codec::Json::array({codec::Json().set(
                             "platform", codec::Json().set("os", "linux").set("architecture", "s390x"))}));
  const Sha256 digest = *store_->put_bytes(codec::to_json(index));
  const auto found = manifest_for(digest, *find_arch("x86_64"), env_);
  EXPECT_EQ(found.error().render(),
            "image " + digest.oci() + " has no manifest for linux/amd64\n  hint: it has linux/s390x");
}

}  // namespace
}  // namespace nacre::image
