#include "store/s3_signature.h"

#include "base/text.h"
#include "codec/digest.h"

#include <gtest/gtest.h>

namespace nacre::store {
namespace {

// The four worked examples of "Signature Calculations for the Authorization Header: Transferring Payload in a Single
// Chunk" in the S3 API reference: 2013-05-24T00:00:00Z, region us-east-1.
constexpr std::int64_t kMoment = 1369353600;

S3Identity example() {
  return {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1"};
}

std::string header(const net::Request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers)
    if (key == name) return value;
  return {};
}

std::string signature_of(net::Request request, std::string_view content) {
  EXPECT_TRUE(sign_s3(request, example(), content, kMoment));
  const std::string line = header(request, "Authorization");
  return line.substr(line.find("Signature=") + 10);
}

TEST(S3Signature, ReadsAnObject) {
  net::Request request;
  request.url = "https://examplebucket.s3.amazonaws.com/test.txt";
  request.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(signature_of(request, kSha256OfNothing),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3Signature, PutsAnObject) {
  net::Request request;
  request.method = "PUT";
  request.url = "https://examplebucket.s3.amazonaws.com/test%24file.text";
  request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(signature_of(request, codec::sha256("Welcome to Amazon S3.").hex()),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(S3Signature, AsksWithAParameterWithoutValue) {
  net::Request request;
  request.url = "https://examplebucket.s3.amazonaws.com/?lifecycle";
  EXPECT_EQ(signature_of(request, kSha256OfNothing),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(S3Signature, ListsInAnyOrderOfParameters) {
  constexpr const char* kExpected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
  net::Request request;
  request.url = "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J";
  EXPECT_EQ(signature_of(request, kSha256OfNothing), kExpected);
  request.url = "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2";
  EXPECT_EQ(signature_of(request, kSha256OfNothing), kExpected);
}

TEST(S3Signature, SaysWhatItSigned) {
  net::Request request;
  request.url = "http://127.0.0.1:9000/bucket/key";
  request.headers = {{"Content-Type", "text/plain"}};
  S3Identity who = example();
  who.session_token = "token";
  who.region = "eu-west-3";
  ASSERT_TRUE(sign_s3(request, who, kSha256OfNothing, kMoment));
  EXPECT_EQ(header(request, "x-amz-date"), "20130524T000000Z");
  EXPECT_EQ(header(request, "x-amz-content-sha256"), kSha256OfNothing);
  EXPECT_EQ(header(request, "x-amz-security-token"), "token");
  EXPECT_TRUE(header(request, "Authorization")
                  .starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/eu-west-3/s3/aws4_request, "
                               "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
                               "Signature="))
      << header(request, "Authorization");
  net::Request broken;
  broken.url = "not an address";
  EXPECT_EQ(sign_s3(broken, who, kSha256OfNothing, kMoment).error().kind(), ErrorKind::kInvalid);
}

TEST(S3Signature, Hmac) {
  const auto hex = [](const std::string& raw) {
    std::string out;
    for (const char c : raw) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
  };
  // RFC 4231, cases 2 and 6: a short key, and one longer than a block.
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace nacre::store
