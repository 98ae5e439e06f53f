#include "build/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nacre::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Made here; each form as coreutils' base64 and Python's urllib.parse.quote write it.
constexpr const char* kValue = "s3cr3t/to ken+12";

TEST(Secrets, AreFoundInEachForm) {
  const std::string cases[] = {
      "s3cr3t/to ken+12",          // raw
      "czNjcjN0L3RvIGtlbisxMg==",  // base64
      "eDpzM2NyM3QvdG8ga2VuKzEyCg==",          // of "x:" + value + newline
      "eHh4eDpzM2NyM3QvdG8ga2VuKzEyLXRhaWw=",  // of "xxxx:" + value + "-tail"
      "s3cr3t%2Fto%20ken%2B12",                // percent-encoded
      "s3cr3t%2fto+ken%2b12",                  // as a form field
      "7333637233742f746f206b656e2b3132",      // hexadecimal
      "7333637233742F746F206B656E2B3132",
  };
  const std::vector<std::string> forms = forms_of(std::string(kValue) + "\n");
  for (const std::string& text : cases)
    EXPECT_THAT(masked("before " + text + " after", forms), HasSubstr("***")) << text;
  EXPECT_EQ(masked("s3cr3t/to ken+1 is another text", forms), "s3cr3t/to ken+1 is another text");
}

TEST(Secrets, OfManyLinesAreFoundLineByLine) {
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"
      "-----END PRIVATE KEY-----\n";
  const std::vector<std::string> forms = forms_of(pem);
  EXPECT_EQ(masked("got BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", forms), "got ***");
  EXPECT_EQ(masked("-----BEGIN PRIVATE KEY-----", forms), "-----BEGIN PRIVATE KEY-----");
}

TEST(Secrets, AreReadFromFilesUnderGoodNames) {
  const os::TempDir dir = *os::TempDir::create(std::filesystem::temp_directory_path());
  const std::string file = (dir.path() / "t").string();
  ASSERT_TRUE(os::write_file(file, "0123456789\n"));
  const auto good = read_secret("npm.token=" + file);
  ASSERT_TRUE(good) << good.error().render();
  EXPECT_EQ(good->name, "npm.token");
  EXPECT_EQ(good->value, "0123456789\n");
  for (const std::string& text : {"=" + file, "a/b=" + file, "..=" + file, std::string("token"), file})
    EXPECT_EQ(read_secret(text).error().kind(), ErrorKind::kInvalid) << text;
  EXPECT_EQ(read_secret("token=" + file + ".none").error().kind(), ErrorKind::kNotFound);
  ASSERT_TRUE(os::write_file(file, "short\n"));
  EXPECT_EQ(read_secret("token=" + file).error().kind(), ErrorKind::kInvalid);
}

TEST(Secrets, AreAskedForByTheirPath) {
  EXPECT_THAT(secrets_named_in("curl -H @/run/secrets/token; cat \"/run/secrets/npm.rc\" /run/secrets/token."),
              ElementsAre("token", "npm.rc"));
  EXPECT_TRUE(secrets_named_in("ls /run/secrets/ /run/secret/x").empty());
}

}  // namespace
}  // namespace nacre::build
