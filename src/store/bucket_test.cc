#include "store/bucket.h"

#include "os/file.h"
#include "store/test_bucket.h"

#include <gtest/gtest.h>

namespace nacre::store {
namespace {

struct BucketTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  TestBucket server;
  net::CurlHttp http{"nacre/test"};
  Bucket bucket{server.access(), http};

  os::Path file(const std::string& bytes) {
    const os::Path path = folder.path() / codec::sha256(bytes).hex();
    EXPECT_TRUE(os::write_file(path, bytes));
    return path;
  }
  std::string fault(const Result<>& done) { return done ? "none" : done.error().render(); }
};

TEST_F(BucketTest, PutsGetsListsAndRemoves) {
  std::set<Sha256> put;
  for (const std::string bytes : {"", "a", "bb", "ccc", "dddd"}) {
    const Sha256 digest = codec::sha256(bytes);
    EXPECT_EQ(bucket.size(digest).take(), std::nullopt);
    ASSERT_TRUE(bucket.put(digest, file(bytes)));
    EXPECT_EQ(bucket.size(digest).take(), bytes.size());
    const os::Path to = folder.path() / "got";
    EXPECT_EQ(bucket.get(digest, to).take(), true);
    EXPECT_EQ(os::read_file(to).take(), bytes);
    ASSERT_TRUE(os::remove_tree(to));
    put.insert(digest);
  }
  EXPECT_TRUE(server.objects().contains("p/sha256/" + codec::sha256("a").hex()));
  // Of others: another prefix, and names that are no digests or not written as ours are.
  server.set("q/sha256/" + codec::sha256("a").hex(), {"a"});
  server.set("p/sha256/readme", {"a"});
  std::string upper = codec::sha256("e").hex();
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  server.set("p/sha256/" + upper, {"e"});
  std::set<Sha256> listed;
  ASSERT_TRUE(bucket.for_each([&](const Bucket::Blob& blob) -> Result<> {
    EXPECT_EQ(blob.modified, 1795955400);
    listed.insert(blob.digest);
    return {};
  }));
  EXPECT_EQ(listed, put);
  ASSERT_TRUE(bucket.remove(codec::sha256("a")));
  ASSERT_TRUE(bucket.remove(codec::sha256("a")));
  EXPECT_EQ(bucket.size(codec::sha256("a")).take(), std::nullopt);
  EXPECT_EQ(bucket.get(codec::sha256("a"), folder.path() / "none").take(), false);
}

TEST_F(BucketTest, KeepsTexts) {
  EXPECT_EQ(bucket.read_text("owner").take(), std::nullopt);
  ASSERT_TRUE(bucket.write_text("owner", "me\n"));
  EXPECT_EQ(bucket.read_text("owner").take(), "me\n");
}

TEST_F(BucketTest, TheStoreRefusesBytesThatAreNotWhatTheirNameSays) {
  const Result<> wrong = bucket.put(codec::sha256("other"), file("bytes"));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().render().find("XAmzContentSHA256Mismatch"), std::string::npos) << wrong.error().render();
  EXPECT_TRUE(server.objects().empty());
}

TEST_F(BucketTest, SaysWhoRefusedAndWhy) {
  Bucket::Access wrong = server.access();
  wrong.who.secret = "guess";
  Bucket stranger(wrong, http);
  const Result<> denied = stranger.put(codec::sha256("a"), file("a"));
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(denied.error().render(),
            fmt::format("cannot put 'p/sha256/{}' in s3://blobs/p at '{}': status 403, SignatureDoesNotMatch: no\n"
                        "  hint: see AWS_ACCESS_KEY_ID and its rights, AWS_SECRET_ACCESS_KEY, AWS_REGION, and this "
                        "machine's clock",
                        codec::sha256("a").hex(), server.endpoint()));
  EXPECT_EQ(denied.error().render().find("guess"), std::string::npos);

  Bucket::Access nowhere = server.access();
  nowhere.bucket = "other";
  const auto missing = Bucket(nowhere, http).read_text("x");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
  EXPECT_NE(missing.error().render().find("make the bucket"), std::string::npos) << missing.error().render();
}

TEST_F(BucketTest, TriesAgainWhatMayPass) {
  int asked = 0;
  server.lie([&](const std::string&, const std::string&) {
    return ++asked < 3 ? TestBucket::fault(503, "SlowDown") : std::string();
  });
  ASSERT_TRUE(bucket.put(codec::sha256("a"), file("a")));
  EXPECT_EQ(asked, 3);
}

TEST_F(BucketTest, ALyingStoreIsRefused) {
  const Sha256 a = codec::sha256("a");
  const std::pair<std::string, std::string> lists[] = {
      {TestBucket::answer(200, "<html/>"), "expected a list of objects (ListBucketResult)"},
      {TestBucket::answer(200, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>same"
                               "</NextContinuationToken></ListBucketResult>"),
       "the list of s3://blobs/p has no end"},
      {TestBucket::answer(200, std::string(9u << 20, 'x')), "the answer is longer than 8388608 bytes"},
      {TestBucket::answer(307, "", "Location: http://169.254.169.254/\r\n"), "status 307"},
      {TestBucket::fault(500, "InternalError"), "status 500, InternalError"},
  };
  for (const auto& [told, expected] : lists) {
    server.lie([text = told](const std::string&, const std::string&) { return text; });
    const std::string said = fault(bucket.for_each([](const Bucket::Blob&) { return Result<>{}; }));
    EXPECT_NE(said.find(expected), std::string::npos) << said;
  }
  server.lie([](const std::string&, const std::string&) {
    return "HTTP/1.1 200 x\r\nContent-Length: 99999999999999999999\r\n\r\n";
  });
  EXPECT_FALSE(bucket.size(a));
  server.lie([](const std::string&, const std::string&) {
    return fmt::format("HTTP/1.1 200 x\r\nContent-Length: {}\r\nConnection: close\r\n\r\nx", Bucket::kMaxBlobBytes + 1);
  });
  EXPECT_EQ(bucket.get(a, folder.path() / "long").error().kind(), ErrorKind::kInvalid);
}

TEST(BucketAccess, ReadsAddressAndEnvironment) {
  TestBucket server;
  server.set_environment();
  const auto fault = [](const std::string& url) {
    const auto read = Bucket::access_of(url);
    return read ? "none" : read.error().render().substr(0, read.error().render().find('\n'));
  };
  const Bucket::Access read = Bucket::access_of("s3://my-bucket/a/b_C.d/").take();
  EXPECT_EQ(read.bucket, "my-bucket");
  EXPECT_EQ(read.prefix, "a/b_C.d");
  EXPECT_EQ(read.endpoint, server.endpoint());
  EXPECT_EQ(read.who.region, "us-east-1");
  EXPECT_EQ(Bucket::access_of("s3://my-bucket").take().prefix, "");
  for (const char* url : {"http://x/y", "s3://", "s3://ab", "s3://UPPER", "s3://bucket/a/../b", "s3://bucket//a",
                          "s3://bucket/a b", "s3://bucket/%41", "s3://user:secret@bucket/a"})
    EXPECT_NE(fault(url), "none") << url;
  EXPECT_EQ(fault("s3://bucket/a b"),
            "'s3://bucket/a b' names no place for artifacts: a prefix is letters, digits, '.', '_', '-' and '/'");
  ::setenv("AWS_REGION", "eu-west-3", 1);
  ::unsetenv("AWS_ENDPOINT_URL");
  EXPECT_EQ(Bucket::access_of("s3://bucket").take().endpoint, "https://s3.eu-west-3.amazonaws.com");
  ::setenv("AWS_REGION", "evil.example/", 1);
  EXPECT_EQ(fault("s3://bucket"), "AWS_REGION is 'evil.example/', which is no region");
  ::unsetenv("AWS_REGION");
  ::setenv("AWS_ENDPOINT_URL", "https://me:secret@host/path", 1);
  EXPECT_EQ(fault("s3://bucket").find("secret"), std::string::npos) << fault("s3://bucket");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(fault("s3://bucket"), "there are no credentials for 's3://bucket'");
  ::unsetenv("AWS_ENDPOINT_URL");
}

}  // namespace
}  // namespace nacre::store
