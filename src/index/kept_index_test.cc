#include "index/kept_index.h"

#include "apk/index_file.h"
#include "codec/digest.h"
#include "index/follow_index.h"

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

TEST_F(KeptIndexTest, FollowsAnEditInTheOrderOfTheText) {
  std::vector<apk::IndexRecord> records;
  for (int i = 10; i < 60; ++i) {
    apk::IndexRecord record;
    record.name = fmt::format("p{}", i);
    record.version = "1-r0";
    record.arch = "x86_64";
    record.checksum = "Q1" + record.name;
    record.provides = {"cmd:tool"};
    records.push_back(record);
  }
  const auto names = [](const KeptIndex& index) {
    std::string out;
    for (const apk::PackageNumber package : in_text_order(index))
      out += fmt::format("{}-{} ", index->record(package).name, index->record(package).version);
    return out;
  };
  EXPECT_FALSE(*follow_kept_index(*store, codec::sha256("0"), codec::sha256("1"), records, {}))
      << "nothing is there to follow";
  ASSERT_TRUE(keep_index(*store, codec::sha256("0"), apk::write_index(records), "test"));
  int followed = 0;
  for (int i = 1; i <= 20; ++i) {
    apk::IndexRecord more = records[static_cast<std::size_t>(i)], gone = records[static_cast<std::size_t>(40 - i)];
    more.version = fmt::format("2.{}-r0", i);
    records.insert(records.begin() + i + 1, more);
    std::erase_if(records, [&](const apk::IndexRecord& record) { return record == gone; });
    const Sha256 before = codec::sha256(std::to_string(i - 1)), after = codec::sha256(std::to_string(i));
    const std::vector<apk::IndexRecord> added = {more}, removed = {gone};
    const auto done = follow_kept_index(*store, before, after, added, removed);
    ASSERT_TRUE(done) << done.error().render();
    if (!*done) {
      ASSERT_FALSE(there(*store, after));
      ASSERT_TRUE(keep_index(*store, after, apk::write_index(records), "test"));
    }
    followed += *done;
    const auto whole = keep_index(*store, codec::sha256(fmt::format("whole {}", i)), apk::write_index(records), "test");
    EXPECT_EQ(names(**find_kept_index(*store, after)), names(*whole));
  }
  EXPECT_EQ(followed, 19);
  const std::vector<apk::IndexRecord> unknown = {records.front(), records.front()};
  EXPECT_FALSE(*follow_kept_index(*store, codec::sha256("nothing"), codec::sha256("x"), {}, unknown));
}

}  // namespace
}  // namespace nacre::index
