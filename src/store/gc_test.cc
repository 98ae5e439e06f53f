#include "store/gc.h"

#include "codec/digest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace nacre::store {
namespace {

struct GcTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  std::unique_ptr<Store> store = Store::open(folder.path()).take();

  static void make_old(const Path& path) {
    timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, AT_SYMLINK_NOFOLLOW), 0) << path;
  }
  Sha256 blob(std::string_view bytes) {
    const Sha256 digest = store->put_bytes(bytes).take();
    make_old(store->blob_path(digest));
    return digest;
  }
  Path tree_lock(const Sha256& key) { return folder.path() / "locks" / ("tree%2f" + key.hex()); }
  Sha256 tree(std::string_view name) {
    const Sha256 key = codec::sha256(name);
    const auto made =
        store->tree(key, [&](const Path& place) { return os::write_file(place / "a", name); });
    EXPECT_TRUE(made);
    make_old(tree_lock(key));
    return key;
  }
};

TEST_F(GcTest, RemovesWhatIsOldAndNotRooted) {
  const Sha256 kept = blob("kept"), gone = blob("gone!"), young = store->put_bytes("young").take();
  const Sha256 kept_tree = tree("kept"), gone_tree = tree("gone tree"), asked = tree("asked");
  ASSERT_TRUE(store->tree(asked, [](const Path&) -> Result<> { return {}; }));  // young again
  const Sha256 put_again = blob("put again");
  ASSERT_TRUE(store->put_bytes("put again"));

  const auto report = collect_garbage(*store, {kept}, {kept_tree}, 3600);
  ASSERT_TRUE(report) << report.error().render();
  EXPECT_EQ(report->blobs, 1u);
  EXPECT_EQ(report->trees, 1u);
  EXPECT_EQ(report->bytes, 5u + 9u);
  EXPECT_TRUE(store->has(kept));
  EXPECT_TRUE(store->has(young));
  EXPECT_TRUE(store->has(put_again));
  EXPECT_FALSE(store->has(gone));
  EXPECT_TRUE(store->has_tree(kept_tree));
  EXPECT_TRUE(store->has_tree(asked));
  EXPECT_FALSE(store->has_tree(gone_tree));
}

TEST_F(GcTest, MarksGoWithTheirBlobs) {
  const Path marks = folder.path() / "unsettled";
  const auto later = [&](std::string_view bytes) {
    const Sha256 digest = store->put_bytes(bytes, Store::Durability::kLater).take();
    make_old(store->blob_path(digest));
    make_old(marks / digest.hex());
    return digest;
  };
  const Sha256 kept = later("kept"), gone = later("gone"), lost = later("lost");
  std::filesystem::remove(store->blob_path(lost));
  const Sha256 young = codec::sha256("about to get its name");
  ASSERT_TRUE(os::write_file(marks / young.hex(), ""));
  ASSERT_TRUE(collect_garbage(*store, {kept}, {}, 3600));
  EXPECT_TRUE(os::exists(marks / kept.hex()));
  EXPECT_FALSE(os::exists(marks / gone.hex()));
  EXPECT_FALSE(os::exists(marks / lost.hex()));
  EXPECT_TRUE(os::exists(marks / young.hex()));
}

TEST_F(GcTest, RemovesPartialsOfTheDeadOnly) {
  const Path partial = folder.path() / "partial";
  ASSERT_TRUE(os::write_file(partial / "download", "abc"));
  make_old(partial / "download");
  ASSERT_TRUE(os::write_file(partial / "fresh", "abc"));
  const std::string dead = "tree-" + codec::sha256("dead").hex();
  ASSERT_TRUE(os::make_dirs(partial / dead));
  ASSERT_TRUE(os::write_file(partial / dead / "half", "half"));
  // An old directory with a new file deep inside is in use.
  ASSERT_TRUE(os::make_dirs(partial / "unpack" / "deep"));
  ASSERT_TRUE(os::write_file(partial / "unpack" / "deep" / "new", "new"));
  make_old(partial / "unpack");

  const auto made = store->tree(codec::sha256("live"), [&](const Path& place) -> Result<> {
    TRY(os::write_file(place / "a", "a"));
    make_old(place);
    const GcReport report = TRY(collect_garbage(*store, {}, {}, 3600));
    EXPECT_EQ(report.partials, 2u);
    EXPECT_EQ(report.bytes, 3u + 4u);
    return {};
  });
  ASSERT_TRUE(made) << made.error().render();
  EXPECT_TRUE(os::exists(*made / "a"));
  EXPECT_FALSE(os::exists(partial / "download"));
  EXPECT_FALSE(os::exists(partial / dead));
  EXPECT_TRUE(os::exists(partial / "fresh"));
  EXPECT_TRUE(os::exists(partial / "unpack" / "deep" / "new"));
}

TEST_F(GcTest, OneCollectionAtATime) {
  const auto lease = store->lease("gc");
  ASSERT_TRUE(lease);
  const auto second = collect_garbage(*store, {}, {}, 0);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
}

TEST_F(GcTest, LeavesForeignFilesAndQuarantineAlone) {
  ASSERT_TRUE(os::make_dirs(folder.path() / "blobs/sha256/00"));
  ASSERT_TRUE(os::write_file(folder.path() / "blobs/sha256/00/README", "x"));
  make_old(folder.path() / "blobs/sha256/00/README");
  const Sha256 bad = blob("bad");
  const Path kept = store->quarantine(store->blob_path(bad), "test").take();
  make_old(kept);
  ASSERT_TRUE(collect_garbage(*store, {}, {}, 0));
  EXPECT_TRUE(os::exists(folder.path() / "blobs/sha256/00/README"));
  EXPECT_TRUE(os::exists(kept));
}

}  // namespace
}  // namespace nacre::store
