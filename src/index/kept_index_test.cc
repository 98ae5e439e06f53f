#include "index/kept_index.h"

#include "codec/digest.h"

#include <gtest/gtest.h>

namespace nacre::index {
namespace {

std::string text_of(int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += fmt::format("C:Q1{0}\nP:package-{0}\nV:1.{0}-r0\nA:x86_64\nT:\nt:0\nD:package-{1}\n\n", i, i / 2);
  return out;
}

bool there(store::Store& store, const Sha256& index) {
  const auto found = find_kept_index(store, index);
  return found && found->has_value();
}

struct KeptIndexTest : testing::Test {
  KeptIndexTest() {
    auto dir = os::TempDir::create(std::filesystem::temp_directory_path());
    folder = std::make_unique<os::TempDir>(*std::move(dir));
    store = *store::Store::open(folder->path());
  }
  std::unique_ptr<os::TempDir> folder;
  std::unique_ptr<store::Store> store;
};

TEST_F(KeptIndexTest, IsThereTheSecondTime) {
  const Sha256 digest = codec::sha256("one");
  ASSERT_FALSE(there(*store, digest));
  const auto made = keep_index(*store, digest, text_of(100), "test");
  ASSERT_TRUE(made) << made.error().render();
  const auto found = find_kept_index(*store, digest);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((**found)->package_count(), 100u);
  EXPECT_EQ((**found)->record(7).name, "package-7");
  EXPECT_FALSE(there(*store, codec::sha256("another")));
}

TEST_F(KeptIndexTest, GrowsWithoutBeingWrittenAgainUntilItIsWorthIt) {
  auto index = *keep_index(*store, codec::sha256("0"), text_of(50), "test");
  for (int i = 1; i <= 40; ++i) {
    const std::string name = fmt::format("new-{}", i);
    apk::RecordView record;
    record.name = name;
    record.version = "1-r0";
    record.arch = "noarch";
    record.checksum = "Q1x";
    const std::vector<apk::RecordView> added = {record};
    const std::vector<apk::PackageNumber> removed = {index->find_package(fmt::format("package-{}", i),
                                                                         fmt::format("1.{}-r0", i), "x86_64")};
    ASSERT_NE(removed.front(), apk::kNoNumber) << i;
    auto next = extend_kept_index(*store, index, codec::sha256(std::to_string(i)), added, removed);
    ASSERT_TRUE(next) << next.error().render();
    index = *std::move(next);
    EXPECT_LE(index->segment_count(), 16u);
    EXPECT_EQ(index->find_package(fmt::format("package-{}", i), fmt::format("1.{}-r0", i), "x86_64"), apk::kNoNumber);
  }
  const auto again = find_kept_index(*store, codec::sha256("40"));
  ASSERT_TRUE(again && *again);
  std::size_t live = 0;
  for (apk::PackageNumber i = 0; i < (**again)->package_count(); ++i) live += (**again)->has(i) ? 1 : 0;
  EXPECT_EQ(live, 50u);
  EXPECT_NE((**again)->find_package("new-40", "1-r0", "noarch"), apk::kNoNumber);
}

TEST_F(KeptIndexTest, WhatCannotBeUsedIsMadeAgain) {
  const Sha256 digest = codec::sha256("one");
  ASSERT_TRUE(keep_index(*store, digest, text_of(10), "test"));
  const std::string blob = **store->state().get("mapped-index", digest.hex());
  const os::Path path = store->blob_path(*parse_sha256(blob));
  std::string bytes = *os::read_file(path);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(os::write_file(path, bytes));
  EXPECT_FALSE(there(*store, digest));
  ASSERT_TRUE(os::write_file(path, ""));
  EXPECT_FALSE(there(*store, digest));
  ASSERT_TRUE(os::remove_tree(path));
  EXPECT_FALSE(there(*store, digest));
  ASSERT_TRUE(store->state().put("mapped-index", digest.hex(), "nonsense"));
  EXPECT_FALSE(there(*store, digest));
  ASSERT_TRUE(keep_index(*store, digest, text_of(10), "test"));
  EXPECT_TRUE(there(*store, digest));
  // One index never stands for another.
  const std::string other = **store->state().get("mapped-index", digest.hex());
  ASSERT_TRUE(store->state().put("mapped-index", codec::sha256("two").hex(), other));
  EXPECT_FALSE(there(*store, codec::sha256("two")));
}

}  // namespace
}  // namespace nacre::index
