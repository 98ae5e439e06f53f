#include "image/kitchen_test.h"

#include "base/field_archs.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "image/file_map.h"
#include "image/oci.h"
#include "image/take_layout.h"

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
    return image_of_layer(*codec::gzip(tar), "application/vnd.oci.image.layer.v1.tar+gzip", diff_of);
  }

  Sha256 image_of_layer(const std::string& layer, const std::string& type, const std::string& diff_of) {
    codec::Json config, blob, manifest;
    config.set("rootfs", codec::Json().set("diff_ids", codec::Json::strings({codec::sha256(diff_of).oci()})));
    const std::string text = codec::to_json(config);
    const Descriptor layer_blob{type, *store_->put_bytes(layer), layer.size()};
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

/// A frame of zstd with one block that is stored as it is (RFC 8878, 3.1.1): for 256 to 65,791 bytes.
std::string stored_zstd(const std::string& bytes) {
  const auto size = static_cast<unsigned>(bytes.size()), field = size - 256, block = size << 3 | 1;
  std::string out = "\x28\xb5\x2f\xfd\x60";
  for (const unsigned value : {field, field >> 8, block, block >> 8, block >> 16})
    out += static_cast<char>(value & 255);
  return out + bytes;
}

TEST_F(Foreign, ReadsLayersOfZstd) {
  const std::string tar = *codec::tar_header(entry("a")) + std::string(codec::tar_end());
  for (const char* type : {"application/vnd.oci.image.layer.v1.tar+zstd",
                           "application/vnd.docker.image.rootfs.diff.tar.zstd"}) {
    const auto listed = list_files(image_of_layer(stored_zstd(tar), type, tar), env_);
    ASSERT_TRUE(listed) << listed.error().render();
    ASSERT_EQ(listed->size(), 1u);
    EXPECT_EQ(listed->front().path, "a");
    EXPECT_EQ(list_files(image_of_layer(stored_zstd(tar), type, "other"), env_).error().kind(), ErrorKind::kDenied);
    EXPECT_FALSE(list_files(image_of_layer(stored_zstd(tar).substr(0, 900), type, tar), env_)) << "cut off";
    EXPECT_FALSE(list_files(image_of_layer(tar, type, tar), env_)) << "not compressed at all";
  }
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

TEST_F(Foreign, TakesTheVariantThatIsMeant) {
  const auto row = [&](const char* arch, const char* variant, const std::string& of) {
    codec::Json platform = codec::Json().set("os", "linux").set("architecture", arch);
    if (*variant != '\0') platform.set("variant", variant);
    codec::Json out = codec::Json().set("mediaType", "x").set("digest", codec::sha256(of).oci()).set("size", 1);
    return out.set("platform", std::move(platform));
  };
  codec::Json index;
  index.set("manifests", codec::Json::array({row("arm64", "v8", "a"), row("arm", "", "b"), row("arm", "v6", "c"),
                                             row("arm", "v7", "d"), row("amd64", "v3", "e")}));
  const Sha256 digest = *store_->put_bytes(codec::to_json(index));
  EXPECT_EQ(*manifest_for(digest, *find_field_arch("aarch64"), env_), codec::sha256("a"));
  EXPECT_EQ(*manifest_for(digest, *find_field_arch("armhf"), env_), codec::sha256("c"));
  EXPECT_EQ(*manifest_for(digest, *find_field_arch("armv7"), env_), codec::sha256("d"));
  const auto none = manifest_for(digest, *find_field_arch("x86_64"), env_);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().render().find("linux/amd64/v3"), std::string::npos) << none.error().render();
}

TEST_F(Foreign, ALayoutIsTakenAsItIs) {
  const os::Path folder = dir_.path() / "layout";
  ASSERT_TRUE(os::make_dirs(folder / "blobs/sha256"));
  const auto blob = [&](const std::string& text, const char* type) {
    EXPECT_TRUE(os::write_file(folder / "blobs/sha256" / codec::sha256(text).hex(), text));
    codec::Json out = codec::Json().set("mediaType", type).set("digest", codec::sha256(text).oci());
    return out.set("size", text.size());
  };
  const auto image = [&](const std::string& what) {
    codec::Json manifest;
    manifest.set("config", blob("{\"of\":\"" + what + "\"}", "config"));
    manifest.set("layers", codec::Json::array({blob("layer " + what, "tar")}));
    return blob(codec::to_json(manifest), "manifest");
  };
  const auto index = [&](std::vector<codec::Json> rows) {
    codec::Json list = codec::Json::array(), out;
    for (codec::Json& row : rows) list.push(std::move(row));
    std::string text = codec::to_json(out.set("manifests", std::move(list)));
    EXPECT_TRUE(os::write_file(folder / "index.json", text));
    return text;
  };
  const codec::Json one = image("one"), two = image("two");
  EXPECT_FALSE(is_layout(folder));
  index({one});
  EXPECT_TRUE(is_layout(folder));
  EXPECT_EQ(take_layout(folder, env_)->oci(), one["digest"].as_string());
  EXPECT_TRUE(store_->has(codec::sha256("layer one")));
  EXPECT_TRUE(store_->has(codec::sha256("{\"of\":\"one\"}")));
  EXPECT_FALSE(store_->has(codec::sha256("layer two")));
  // An index within.
  codec::Json inner;
  inner.set("manifests", codec::Json::array({two}));
  index({blob(codec::to_json(inner), "index")});
  EXPECT_EQ(*take_layout(folder, env_), codec::sha256(codec::to_json(inner)));
  EXPECT_TRUE(store_->has(codec::sha256("layer two")));
  // Architectures of one image, as apko writes them: index.json is the image.
  const auto for_arch = [](codec::Json row, const char* arch) {
    return row.set("platform", codec::Json().set("os", "linux").set("architecture", arch));
  };
  const std::string text = index({for_arch(one, "amd64"), for_arch(two, "arm64")});
  EXPECT_EQ(*take_layout(folder, env_), codec::sha256(text));
  // Several images, and none.
  index({one, two});
  EXPECT_EQ(take_layout(folder, env_).error().kind(), ErrorKind::kInvalid);
  index({});
  EXPECT_EQ(take_layout(folder, env_).error().kind(), ErrorKind::kNotFound);
  // Bytes that are others.
  const codec::Json three = image("three");
  index({three});
  ASSERT_TRUE(os::write_file(folder / "blobs/sha256" / codec::sha256("layer three").hex(), "layer 3"));
  EXPECT_EQ(take_layout(folder, env_).error().kind(), ErrorKind::kDenied);
  index({codec::Json().set("digest", "sha256:../../x")});
  EXPECT_EQ(take_layout(folder, env_).error().kind(), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace nacre::image
