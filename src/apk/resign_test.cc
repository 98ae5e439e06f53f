#include "apk/index_file.h"
#include "apk/package_file.h"
#include "codec/digest.h"
#include "os/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace nacre::apk {
namespace {

/// Signs with a name and a digest: enough to see which bytes were signed, and by whom.
SegmentSigner signer_named(const std::string& name) {
  return [name](std::string_view bytes) -> Result<SegmentSignature> {
    return SegmentSignature{name, codec::sha512(std::string(bytes) + name)};
  };
}

const SegmentSigner kRefuses = [](std::string_view) -> Result<SegmentSignature> {
  return Error::make(ErrorKind::kDenied, "no key today");
};

class ResignTest : public testing::Test {
 protected:
  os::Path write(const SegmentSigner& signer) {
    PackageInfo info;
    info.name = "hello";
    info.version = "1.0-r0";
    info.arch = "x86_64";
    info.build_date = 1'700'000'000;
    DataEntry program;
    program.header = {.path = "hello", .mode = 0755, .uname = "root", .gname = "root"};
    program.content = std::string(200'000, 'x');
    WriteOptions options;
    options.mtime = 1'700'000'000;
    options.signer = signer;
    const os::Path path = dir_.path() / "hello.apk";
    const auto written = write_package(path, std::move(info), {program}, options);
    EXPECT_TRUE(written) << written.error().render();
    EXPECT_EQ(::chmod(path.c_str(), 0640), 0);
    return path;
  }
  static std::string bytes_of(const os::Path& path) { return os::read_file(path).value_or("unreadable"); }
  /// All that a signature does not belong to.
  static std::string rest_of(const os::Path& path) {
    const auto file = read_package_header(path);
    return file ? bytes_of(path).substr(file->control.offset) : file.error().render();
  }

  os::TempDir dir_ = *os::TempDir::create(std::filesystem::temp_directory_path(), "resign-");
};

TEST_F(ResignTest, APackageGetsTheSameSignatureAsIfWrittenWithIt) {
  const std::string wanted = bytes_of(write(signer_named("new.rsa.pub")));
  for (const SegmentSigner& before : {SegmentSigner(), signer_named("old.rsa.pub"), signer_named("new.rsa.pub")}) {
    const os::Path path = write(before);
    const std::string rest = rest_of(path);
    const auto signed_now = sign_package(path, signer_named("new.rsa.pub"));
    ASSERT_TRUE(signed_now) << signed_now.error().render();
    EXPECT_TRUE(bytes_of(path) == wanted);
    EXPECT_TRUE(rest_of(path) == rest);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640u);
  }
}

TEST_F(ResignTest, APackageStaysAsItWasWhenItCannotBeSigned) {
  const os::Path path = write(signer_named("old.rsa.pub"));
  const std::string before = bytes_of(path);
  const auto refused = sign_package(path, kRefuses);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
  EXPECT_TRUE(bytes_of(path) == before);

  std::string damaged = before;
  damaged[damaged.size() - 20] = static_cast<char>(damaged[damaged.size() - 20] ^ 1);
  ASSERT_TRUE(os::write_file(path, damaged));
  EXPECT_FALSE(sign_package(path, signer_named("new.rsa.pub")));
  EXPECT_TRUE(bytes_of(path) == damaged);
  EXPECT_FALSE(sign_package(dir_.path() / "absent.apk", signer_named("new.rsa.pub")));
}

TEST_F(ResignTest, AnIndexKeepsItsBytes) {
  IndexRecord record;
  record.name = "hello";
  record.version = "1.0-r0";
  record.arch = "x86_64";
  record.checksum = "Q1qvTGHdzF6KLavt4PO0gs2a6pQ00=";
  const std::string wanted = *pack_index({record}, "greetings", signer_named("new.rsa.pub"));
  for (const SegmentSigner& before : {SegmentSigner(), signer_named("old.rsa.pub")}) {
    const std::string bytes = *pack_index({record}, "greetings", before);
    const auto again = sign_index(bytes, "APKINDEX.tar.gz", signer_named("new.rsa.pub"));
    ASSERT_TRUE(again) << again.error().render();
    EXPECT_TRUE(*again == wanted);
    const auto read = read_index(*again, "APKINDEX.tar.gz");
    ASSERT_TRUE(read) << read.error().render();
    EXPECT_EQ(read->key_name, "new.rsa.pub");
    EXPECT_EQ(read->signed_bytes, read_index(bytes, "APKINDEX.tar.gz")->signed_bytes);
    EXPECT_EQ(read->description, "greetings");
  }
  EXPECT_FALSE(sign_index("no index", "APKINDEX.tar.gz", signer_named("new.rsa.pub")));
  EXPECT_FALSE(sign_index(wanted, "APKINDEX.tar.gz", kRefuses));
}

}  // namespace
}  // namespace nacre::apk
