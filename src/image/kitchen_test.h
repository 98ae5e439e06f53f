#pragma once

#include "apk/package_file.h"
#include "base/events.h"
#include "codec/yaml.h"
#include "crypto/signer.h"
#include "image/image.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "store/store.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nacre::image {

constexpr std::int64_t kTime = 1'700'000'000;

class NoHttp final : public net::Http {
 public:
  Result<net::Response> send(const net::Request&, std::stop_token) override {
    return Error::make(ErrorKind::kUnavailable, "this test has no network");
  }
};

inline apk::DataEntry folder(std::string path, unsigned mode = 0755) {
  apk::DataEntry out;
  out.header = {
      .path = std::move(path), .type = '5', .mode = mode, .uname = "root", .gname = "root", .mtime = kTime};
  return out;
}
inline apk::DataEntry file(std::string path, std::string content, unsigned mode = 0644) {
  apk::DataEntry out;
  out.header = {.path = std::move(path), .mode = mode, .uname = "root", .gname = "root", .mtime = kTime};
  out.content = std::move(content);
  return out;
}
inline apk::DataEntry link(std::string path, std::string target, char type = '2') {
  apk::DataEntry out;
  out.header = {.path = std::move(path), .type = type, .mode = 0777, .mtime = kTime, .link = std::move(target)};
  return out;
}

/// Keys made once, and only for two editions: RSA keys of 4,096 bits take their time.
inline crypto::FileSigner& test_signer() {
  static os::TempDir folder = *os::TempDir::create(std::filesystem::temp_directory_path());
  static crypto::FileSigner signer(folder.path());
  return signer;
}

enum class Signed { kYes, kNo };

/// A store and what a test cooks in it.
class Kitchen : public testing::Test {
 protected:
  static os::TempDir scratch_dir() { return *os::TempDir::create(std::filesystem::temp_directory_path()); }
  static std::unique_ptr<store::Store> open_store(const os::Path& home) { return *store::Store::open(home); }

  apk::PackageInfo info(std::string name, std::string version = "1-r0") {
    apk::PackageInfo out;
    out.name = out.origin = std::move(name);
    out.version = std::move(version);
    out.arch = host_arch().apk;
    out.build_date = kTime;
    out.installed_bytes = 1000;
    out.licenses = {"MIT"};
    return out;
  }

  index::SerialPackage package(apk::PackageInfo about, const std::vector<apk::DataEntry>& entries,
                               Edition edition = Edition::kCommunity, Signed sign = Signed::kYes,
                               std::vector<std::pair<std::string, std::string>> control = {}) {
    apk::WriteOptions options;
    options.mtime = kTime;
    options.threads = 1;
    options.control_files = std::move(control);
    if (sign == Signed::kYes)
      options.signer = [edition](std::string_view bytes) -> Result<apk::SegmentSignature> {
        const Edition key = edition == Edition::kStage0 ? Edition::kCommunity : edition;
        std::string signature = TRY(test_signer().sign(key, crypto::Purpose::kPackage, bytes));
        return apk::SegmentSignature{crypto::public_key_name(edition, crypto::Purpose::kPackage),
                                     std::move(signature)};
      };
    const os::Path path = dir_.path() / (about.name + ".apk");
    auto written = apk::write_package(path, about, entries, options);
    EXPECT_TRUE(written) << written.error().render();
    index::SerialPackage out;
    out.record = written->record();
    out.apk = *store_->put_file(path, store::Store::Take::kMove);
    return out;
  }

  /// Links of a merged /usr, and accounts.
  index::SerialPackage layout() {
    return package(
        info("nacre-baselayout"),
        {link("bin", "usr/bin"), folder("etc"), file("etc/group", "root:x:0:\n"),
         file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/bin/sh\n"),
         file("etc/shadow", "root:*:::::::\n", 0640), link("lib", "usr/lib"), folder("root", 0700),
         folder("tmp", 01777), folder("usr"), folder("usr/bin"), folder("usr/lib")});
  }

  static ImageSpec spec(std::string text, std::string file_name = "images/web.yaml") {
    auto yaml = codec::parse_yaml(std::move(text), std::move(file_name));
    EXPECT_TRUE(yaml) << yaml.error().render();
    auto read = read_image_spec(*yaml);
    EXPECT_TRUE(read) << read.error().render();
    return *std::move(read);
  }

  ComposeRequest request(const ImageSpec& image_spec, std::vector<index::SerialPackage> packages) {
    ComposeRequest out;
    out.spec = &image_spec;
    out.packages = std::move(packages);
    out.public_key = test_signer().public_key(Edition::kCommunity, crypto::Purpose::kPackage)->pem();
    return out;
  }
  Image compose(const ImageSpec& image_spec, std::vector<index::SerialPackage> packages) {
    auto image = compose_image(request(image_spec, std::move(packages)), env_);
    EXPECT_TRUE(image) << image.error().render();
    return image ? *std::move(image) : Image{};
  }
  std::string error_of(const ImageSpec& image_spec, std::vector<index::SerialPackage> packages) {
    auto image = compose_image(request(image_spec, std::move(packages)), env_);
    return image ? "no error" : image.error().render();
  }

  std::string unpacked(const os::Path& root, std::string_view path) {
    auto text = os::read_file(root / path);
    return text ? *text : text.error().render();
  }

  os::TempDir dir_ = scratch_dir();
  std::unique_ptr<store::Store> store_ = open_store(dir_.path() / "home");
  os::SystemProcesses processes_;
  os::FakeClock clock_;
  NoHttp http_;
  NoEvents events_;
  Env env_{processes_, clock_, http_, *store_, events_, {}};
};

}  // namespace nacre::image
