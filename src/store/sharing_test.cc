#include "store/artifacts.h"
#include "store/gc.h"
#include "store/store.h"
#include "store/test_bucket.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace nacre::store {
namespace {

using Share = os::FileLock::Share;

/// Homes that share a state in the Postgres of NACRE_TEST_POSTGRES and a bucket of the test's own.
struct SharedStores : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  TestBucket bucket;
  net::CurlHttp http{"nacre/test"};
  Sharing sharing;

  void SetUp() override {
    const char* postgres = std::getenv("NACRE_TEST_POSTGRES");
    if (postgres == nullptr) GTEST_SKIP() << "NACRE_TEST_POSTGRES names no database";
    bucket.set_environment();
    ::setenv("NACRE_HTTP_TIMEOUT", "5", 1);
    sharing = {postgres, "s3://blobs/p", &http, {}};
    ASSERT_TRUE(Database::open(sharing.state).take()->run("drop", "DROP TABLE IF EXISTS records"));
  }
  std::unique_ptr<Store> open(const char* name) {
    auto store = Store::open(folder.path() / name, sharing);
    EXPECT_TRUE(store) << store.error().render();
    return std::move(store).take();
  }
  static std::string key(const Sha256& digest) { return "p/sha256/" + digest.hex(); }
  std::string all_of(const Result<>& done) { return done ? "none" : done.error().render(); }
};

TEST_F(SharedStores, ABlobIsThereBeforeItsRecord) {
  auto one = open("one"), two = open("two");
  const Sha256 digest = one->put_bytes("content").take();
  EXPECT_EQ(two->holds(digest).take(), false);
  EXPECT_FALSE(bucket.objects().contains(key(digest)));
  ASSERT_TRUE(one->state().put("layer", "x", "local"));
  EXPECT_FALSE(bucket.objects().contains(key(digest))) << "records of this machine alone wait for nothing";
  ASSERT_TRUE(one->state().put("build", "x", digest.hex()));
  EXPECT_TRUE(bucket.objects().contains(key(digest)));
  EXPECT_TRUE(os::read_file(one->home() / "unshared" / digest.hex()).error().kind() == ErrorKind::kNotFound);

  EXPECT_FALSE(two->has(digest));
  EXPECT_EQ(two->holds(digest).take(), true);
  EXPECT_EQ(two->size(digest).take(), 7u);
  EXPECT_FALSE(two->has(digest)) << "to know of it is not to bring it";
  EXPECT_EQ(two->read(digest).take(), "content");
  EXPECT_TRUE(two->has(digest));
  ASSERT_TRUE(two->check(digest));
  const int gets = bucket.count("GET");
  EXPECT_EQ(two->read(digest).take(), "content");
  EXPECT_EQ(bucket.count("GET"), gets);

  const int puts = bucket.count("PUT");
  EXPECT_EQ(two->put_bytes("content").take(), digest);
  ASSERT_TRUE(two->state().put("build", "y", digest.hex()));
  EXPECT_EQ(bucket.count("PUT"), puts) << "what is there is not sent again";
}

TEST_F(SharedStores, ATransactionBringsWhatItsWorkMade) {
  auto one = open("one");
  Sha256 digest;
  ASSERT_TRUE(one->state().transaction([&]() -> Result<> {
    digest = TRY(one->put_bytes("made inside"));
    return one->state().put("serial", "1", digest.hex());
  }));
  EXPECT_TRUE(bucket.objects().contains(key(digest)));
}

TEST_F(SharedStores, WithoutTheBucketNothingBecomesVisible) {
  auto one = open("one"), two = open("two");
  const Sha256 digest = one->put_bytes("content").take();
  ASSERT_TRUE(one->state().put("build", "before", "x"));
  bucket.erase(key(digest));
  const Sha256 next = one->put_bytes("more").take();
  bucket.lie([](const std::string&, const std::string&) { return TestBucket::fault(500, "InternalError"); });
  const Result<> refused = one->state().put("build", "x", next.hex());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kUnavailable);
  EXPECT_NE(refused.error().render().find("status 500"), std::string::npos) << refused.error().render();
  EXPECT_EQ(two->state().get("build", "x").take(), std::nullopt);
  EXPECT_FALSE(two->holds(next)) << "an answer that did not come is not a no";
  bucket.lie({});
  ASSERT_TRUE(one->state().put("build", "x", next.hex()));
  EXPECT_EQ(two->read(next).take(), "more");
  EXPECT_EQ(two->read(digest).error().kind(), ErrorKind::kNotFound);
}

TEST_F(SharedStores, WhatACrashLeftGoesWithTheNextRecord) {
  Sha256 digest;
  {
    auto one = open("one");
    ASSERT_TRUE(one->state().put("build", "before", "x"));
    digest = one->put_bytes("never recorded").take();
  }
  auto again = open("one");
  ASSERT_TRUE(again->state().put("build", "x", digest.hex()));
  EXPECT_TRUE(bucket.objects().contains(key(digest)));
}

TEST_F(SharedStores, AHomeMovesItsRecordsOnce) {
  const os::Path home = folder.path() / "alone";
  Sha256 digest;
  {
    auto alone = Store::open(home, {}).take();
    digest = alone->put_bytes("content").take();
    ASSERT_TRUE(alone->state().put("build", "x", digest.hex()));
    ASSERT_TRUE(alone->state().put("image", std::string("\0\xff", 2), "odd"));
    ASSERT_TRUE(alone->state().put("layer", "x", "local"));
    EXPECT_EQ(alone->state().share_own().error().kind(), ErrorKind::kInvalid);
  }
  auto two = open("two");
  ASSERT_TRUE(two->state().put("build", "x", "another"));
  {
    auto one = open("alone");
    const auto refused = one->state().share_own();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::kConflict);
    EXPECT_EQ(two->state().get("image", std::string("\0\xff", 2)).take(), std::nullopt);
    EXPECT_FALSE(bucket.objects().contains(key(digest))) << "nothing goes to a state of others";
  }
  EXPECT_TRUE(Store::open(home, {})) << "it is as it was";
  ASSERT_TRUE(two->state().erase("build", "x"));
  auto one = open("alone");
  EXPECT_EQ(one->state().share_own().take(), 2u);
  EXPECT_EQ(two->state().get("build", "x").take(), digest.hex());
  EXPECT_EQ(two->state().get("image", std::string("\0\xff", 2)).take(), "odd");
  EXPECT_EQ(two->state().get("layer", "x").take(), std::nullopt);
  EXPECT_TRUE(bucket.objects().contains(key(digest)));
  EXPECT_EQ(one->state().share_own().take(), 2u) << "again";
  const auto without = Store::open(home, {});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().kind(), ErrorKind::kConflict);
}

TEST_F(SharedStores, AHomeThatWasThereBeforeBringsWhatItHas) {
  const Sha256 digest = Store::open(folder.path() / "one").take()->put_bytes("from before").take();
  auto one = open("one");
  ASSERT_TRUE(one->state().put("build", "x", digest.hex()));
  EXPECT_TRUE(bucket.objects().contains(key(digest)));
}

TEST_F(SharedStores, DamagedBytesAreRefusedAndNamed) {
  auto one = open("one"), two = open("two");
  const Sha256 digest = one->put_bytes("content").take();
  ASSERT_TRUE(one->state().put("build", "x", digest.hex()));
  bucket.set(key(digest), {"cOntent"});
  const auto read = two->read(digest);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind(), ErrorKind::kDenied);
  EXPECT_TRUE(read.error().render().starts_with(fmt::format(
      "s3://blobs/p gave other bytes for blob {}: their digest is {}\n", digest.hex(), codec::sha256("cOntent").hex())))
      << read.error().render();
  EXPECT_FALSE(two->has(digest));
  EXPECT_FALSE(std::filesystem::is_empty(two->home() / "quarantine"));
  EXPECT_TRUE(std::filesystem::is_empty(two->home() / "partial"));
  // Mended as the hint says.
  bucket.erase(key(digest));
  one.reset();
  ASSERT_TRUE(os::remove_tree(folder.path() / "one" / "shared-with"));
  ASSERT_TRUE(open("one")->state().put("build", "y", "x"));
  EXPECT_EQ(two->read(digest).take(), "content");
}

TEST_F(SharedStores, ACollectionSparesWhatIsNamedAndWhatIsYoung) {
  auto one = open("one"), two = open("two");
  const Sha256 named = one->put_bytes("named").take(), old = one->put_bytes("old").take();
  ASSERT_TRUE(one->state().put("build", "x", named.hex()));
  const auto now_text = [](std::int64_t ago) {
    const std::time_t then = std::time(nullptr) - ago;
    std::tm parts{};
    ::gmtime_r(&then, &parts);
    char text[40];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts));
  };
  const Sha256 young = codec::sha256("young");
  bucket.set(key(named), {"named", now_text(90'000)});
  bucket.set(key(old), {"old", now_text(90'000)});
  bucket.set(key(young), {"young", now_text(600)});
  bucket.set("p/other/" + old.hex(), {"not ours", now_text(90'000)});
  const Lease alone = two->in_use(Share::kExclusive, os::FileLock::Wait::kNo).take();
  const GcReport report = collect_garbage(*two, {named}, {}, 86'400).take();
  EXPECT_EQ(report.shared_blobs, 1u);
  EXPECT_EQ(report.shared_bytes, 3u);
  const auto left = bucket.objects();
  EXPECT_TRUE(left.contains(key(named)) && left.contains(key(young)) && left.contains("p/other/" + old.hex()));
  EXPECT_FALSE(left.contains(key(old)));
}

TEST_F(SharedStores, WhatWasCollectedIsBroughtAgain) {
  auto one = open("one"), two = open("two");
  const Sha256 digest = one->put_bytes("content").take();
  ASSERT_TRUE(one->state().put("build", "x", "nothing"));
  {
    const Lease alone = two->in_use(Share::kExclusive, os::FileLock::Wait::kNo).take();
    EXPECT_EQ(collect_garbage(*two, {}, {}, 0).take().shared_blobs, 1u);
  }
  const Lease use = one->in_use(Share::kShared).take();
  EXPECT_EQ(one->put_bytes("content").take(), digest);
  ASSERT_TRUE(one->state().put("build", "x", digest.hex()));
  EXPECT_EQ(two->read(digest).take(), "content");
}

TEST_F(SharedStores, ABucketBelongsToOneState) {
  auto one = open("one");
  (void)one->put_bytes("content");
  ASSERT_TRUE(one->state().put("build", "x", "x"));
  ASSERT_TRUE(Database::open(sharing.state).take()->run("forget", "DELETE FROM records"));
  auto other = open("two");
  (void)other->put_bytes("content");
  const std::string said = all_of(other->state().put("build", "x", "x"));
  EXPECT_TRUE(said.starts_with("s3://blobs/p belongs to another state, ")) << said;

  Sharing elsewhere = sharing;
  elsewhere.artifacts = "s3://blobs/q";
  auto third = Store::open(folder.path() / "three", elsewhere).take();
  ASSERT_TRUE(third->state().put("build", "x", "x"));
  auto fourth = open("four");
  bucket.erase("p/nacre-state");
  const std::string place = all_of(fourth->state().put("build", "y", "x"));
  EXPECT_TRUE(place.starts_with("the blobs of this state are in s3://blobs/q, and NACRE_ARTIFACTS names s3://blobs/p"))
      << place;
}

TEST_F(SharedStores, NeedsASharedState) {
  Sharing alone = sharing;
  alone.state.clear();
  const auto store = Store::open(folder.path() / "one", alone);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind(), ErrorKind::kInvalid);
  EXPECT_NE(store.error().render().find("set NACRE_STATE"), std::string::npos) << store.error().render();
}

}  // namespace
}  // namespace nacre::store
